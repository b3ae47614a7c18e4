"""The NPU's timing against counters that Arm printed: writes docs/npu-fidelity.md.

Run from the root: ``.venv/bin/python scripts/npu_fidelity.py FOLDER``. FOLDER holds the files that
Arm compiled, as .tflite or as the C arrays in which its examples carry them, by the names and with
the hashes of tests/data/npu/fvp.toml. A network whose file is not there says so on the page.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "compiler"), str(ROOT / "host")]

from npubench.compiler.backends.ethos_u.output import job_tensors, read_vela  # noqa: E402
from npubench.npu.ethosu.config import accelerator  # noqa: E402
from npubench.npu.ethosu.events import Event, event_counts  # noqa: E402
from npubench.npu.ethosu.memory_system import read_memory_system  # noqa: E402
from npubench.npu.ethosu.payload import parse_payload  # noqa: E402
from npubench.npu.ethosu.stream import operations  # noqa: E402
from npubench.npu.ethosu.timeline import program_time  # noqa: E402

DATA = ROOT / "tests" / "data" / "npu"
PAGE = ROOT / "docs" / "npu-fidelity.md"
COUNTERS = {
    "cycles": Event.NPU_ACTIVE,
    "axi0_read_beats": Event.AXI0_READ_BEATS,
    "axi0_write_beats": Event.AXI0_WRITE_BEATS,
    "axi1_read_beats": Event.AXI1_READ_BEATS,
}


def published() -> dict[str, Any]:
    """Arm's figures."""
    found: dict[str, Any] = tomllib.loads((DATA / "fvp.toml").read_text(encoding="utf-8"))
    return found


def find(folder: Path | None, row: dict[str, Any]) -> bytes | None:
    """The file that Arm compiled, checked by its hash."""
    if folder is None or "file" not in row:
        return None
    for path in (folder / f"{row['file']}.tflite", folder / f"{row['file']}.tflite.cpp"):
        if path.is_file():
            data = path.read_bytes() if path.suffix == ".tflite" else array_of(path.read_text())
            if hashlib.sha256(data).hexdigest() != row["compiled"]:
                raise SystemExit(f"{path} is not the file that fvp.toml names")
            return data
    return None


def array_of(text: str) -> bytes:
    """The bytes of a C array."""
    body = text[text.index("{", text.index("nn_model[")) :]
    return bytes(int(value, 16) for value in re.findall(r"0x([0-9a-fA-F]{1,2})\b", body))


def modelled(data: bytes, name: str) -> dict[str, int]:
    """Our counters of a compiled network."""
    part = accelerator(name)
    system = read_memory_system(
        DATA / "high_end_embedded.ini",
        system_config="High_End_Embedded",
        memory_mode="Shared_Sram",
        axi_bytes=part.axi_bytes,
    )
    totals = dict.fromkeys(COUNTERS, 0)
    model = read_vela(data, name="compiled")
    for op in model.ops:
        stream = job_tensors(model, op).stream.data
        assert stream is not None
        program = tuple(operations(parse_payload(stream).words))
        counts = event_counts(program_time(program, part, system))
        for counter, event in COUNTERS.items():
            totals[counter] += counts[event]
    return totals


def page(folder: Path | None) -> str:
    """The whole page."""
    figures = published()
    lines = [HEAD]
    missing = []
    for name, row in figures["networks"].items():
        data = find(folder, row)
        if data is None:
            missing.append((name, row))
            continue
        ours = modelled(data, figures["system"]["accelerator"])
        lines += [
            f"## {name}",
            "",
            f"Arm's own compiled file (`{row['file']}`, {row['where']}, SHA-256 "
            f"`{row['compiled'][:16]}`), figures of `{row['page']}`.",
            "",
            "| counter | here | Arm's FVP | here / FVP |",
            "| --- | --- | --- | --- |",
            *(
                f"| {counter.replace('_', ' ')} | {ours[counter]:,} | {row[counter]:,} | "
                f"{ours[counter] / row[counter]:.4f} |"
                for counter in COUNTERS
            ),
            "",
        ]
    lines.append(MISSING)
    lines += [
        "| network | cycles | AXI0 read | AXI0 write | AXI1 read | idle |",
        "| --- " * 6 + "|",
    ]
    lines += [
        f"| {name} | "
        + " | ".join(f"{row[counter]:,}" for counter in (*COUNTERS, "idle_cycles"))
        + " |"
        for name, row in missing
    ]
    return "\n".join(lines) + TAIL


HEAD = """# The NPU's timing against Arm's own model

Written by `scripts/npu_fidelity.py`; do not edit.

**Model against model; the error against silicon is unknown.** The figures compared with are \
counters that Arm printed from its fixed virtual platform (FVP) for a Corstone-300 with an \
Ethos-U55-128, with memories as in Vela's High End Embedded system and its timing adapters on. \
Nothing here was fitted to them: every constant is a figure of Vela's open sources or of its \
configuration file, none belongs to a network. Two things about beats were understood by the \
first network below and hold for every other: the command stream is read over the port of the \
constants, and a block's input is fetched as far as it lies under the kernel and inside the \
map. Cycles were not touched by that. With one network whose compiled file is public there is \
none that was held apart for beats.
"""
MISSING = """## Figures without a network

Arm printed counters for these too, but the file that was compiled is not public outside of \
large file storage, and another version of Vela makes another stream (kws_micronet_m: 5 % more \
cycles with the default core of Vela 5.2 than with Arm's file). They are not compared. An \
earlier count of three of them with Vela 5.2's default core gave 0.92 (ad_medium), 1.05 \
(rnnoise) and 1.09 (mobilenet) of Arm's cycles, the streams being other ones.
"""
TAIL = """

**NPU_IDLE** is what the performance counters see between their start and that of the command \
stream, and after its end: the driver's work on the CPU. Here the counters run within a job \
alone, so that it is 0; Arm's total is active plus idle.

**AXI0 reads of ad_medium** came to 0.72 of Arm's with Vela 5.2's stream. Where to look: with \
Arm's own stream of kws_micronet_m, weights that were copied to SRAM and are read again for \
each block of rows and columns make half of all reads; how often depends on the block that a \
Vela chose. Without Arm's file that cannot be told from a fault of this model.
"""


def main(words: list[str]) -> int:
    """Write the page."""
    folder = Path(words[0]) if words else None
    PAGE.write_text(page(folder), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
