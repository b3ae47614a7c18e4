"""The project's JSON files: PlatformIO's board manifest, and the list of what went in."""

from __future__ import annotations

import hashlib
import json

from npubench.boards import Board
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Plan, Toolchain


def board_manifest(board: Board, *, toolchain: Toolchain = "gcc", level: str = "O2") -> bytes:
    """boards/<id>.json: what our platform's builder and PlatformIO read of a board."""
    hosted = board.hosted
    document: dict[str, object] = {
        "name": board.name,
        "vendor": "npubench",
        "url": "https://platformio.org",
        "build": {
            "mcu": board.cpu.core,
            "f_cpu": f"{board.cpu.hz or 0}L",
            "cpu_flags": list(board.cpu.flags),
            "hosted": hosted,
            "link_flags": list(board.toolchain.link),
            "ldscript": "" if hosted else "linker.ld",
            "toolchain_prefix": board.toolchain.prefix,
            "toolchain_debian": board.toolchain.package,
            "toolchain_platformio": board.toolchain.platformio_package or "",
            **({} if toolchain == "gcc" else {"compiler": toolchain}),
            **({} if level == "O2" else {"kernels_level": f"-{level}"}),
        },
        "upload": _upload(board),
    }
    return _json(document)


def _upload(board: Board) -> dict[str, object]:
    if board.kind == "host":
        return {"maximum_size": 0, "maximum_ram_size": 0, "protocol": "", "protocols": []}
    mapped = bool(board.memory)
    flash = sum(
        region.size_bytes for region in board.memory if {"code", "weights"} & set(region.roles)
    )
    ram = sum(region.size_bytes for region in board.memory if {"ram", "arena"} & set(region.roles))
    protocol = "" if board.flash is None else board.flash.protocol
    return {
        "maximum_size": flash,
        "maximum_ram_size": ram,
        "one_region": mapped and board.region("code") == board.region("weights"),
        "protocol": protocol,
        "protocols": [protocol] if protocol else [],
        "arguments": [] if board.flash is None else list(board.flash.arguments),
    }


def project_manifest(
    graph: Graph | None, plan: Plan | None, board: Board, files: dict[str, bytes], *, sha256: str
) -> bytes:
    """project.json: inputs and files by their SHA-256."""
    return _json(
        {
            "schema": 1,
            "project_sha256": sha256,
            "board": board.id,
            "board_sha256": hashlib.sha256(board.model_dump_json().encode()).hexdigest(),
            "backend": None if plan is None else plan.backend,
            "network_sha256": None if graph is None else graph.sha256,
            "artifact_sha256": None if plan is None else plan.artifact_sha256,
            "files": {
                path: hashlib.sha256(content).hexdigest() for path, content in sorted(files.items())
            },
        }
    )


def _json(document: dict[str, object]) -> bytes:
    return (json.dumps(document, indent=2) + "\n").encode()
