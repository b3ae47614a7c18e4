"""A lab on the loopback: labgrid's own coordinator and exporters, and served emulated boards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from npubench.lab.coordinator import Coordinator

MAIN = "from npubench.cli.main import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """Where its coordinator is, and the exporters by their desk's number."""

    address: str
    exporters: dict[int, subprocess.Popen[str]]


Started = tuple[re.Match[str], subprocess.Popen[str]]


@contextmanager
def program(words: list[str], ready: str, **environment: str) -> Iterator[Started]:
    """A program while entered, from when it has printed a line that matches ``ready``."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ) | environment,
        start_new_session=True,
    )
    assert process.stdout is not None
    drain = threading.Thread(target=process.stdout.read, daemon=True)
    try:
        found = _wait(process.stdout, ready)
        drain.start()
        yield found, process
    finally:
        process.kill()
        process.wait()
        if drain.is_alive():
            drain.join()
        process.stdout.close()


def _wait(stream: IO[str], ready: str) -> re.Match[str]:
    seen = []
    for line in stream:
        seen.append(line)
        found = re.search(ready, line)
        if found is not None:
            return found
    raise AssertionError(f"{ready!r} never came: {''.join(seen[-20:])}")


@contextmanager
def lab(folder: Path, boards: list[str]) -> Iterator[Lab]:
    """One desk for each board: place ``bench-N`` at the exporter ``desk-N``."""
    python = sys.executable
    with ExitStack() as stack:
        coordinator = folder / "coordinator"
        coordinator.mkdir()
        found, _ = stack.enter_context(
            program(
                [python, "-c", f"import os; os.chdir({str(coordinator)!r}); "
                 "from labgrid.remote.coordinator import main; main()", "-l", "127.0.0.1:0"],
                r"listening on (\S+)",
                PYTHONUNBUFFERED="1",
            )
        )  # fmt: skip
        address = found[1]
        exporters = {}
        for number, board in enumerate(boards, 1):
            port, _ = stack.enter_context(
                program(
                    [python, "-c", MAIN, "boards", "serve", board],
                    r"socket://127\.0\.0\.1:(\d+)",
                )
            )
            config = folder / f"desk-{number}.yaml"
            config.write_text(
                f"bench-{number}:\n  NetworkSerialPort:\n    host: 127.0.0.1\n"
                f"    port: {port[1]}\n    speed: 115200\n    protocol: raw\n"
                "  npubench:\n    cls: NetworkService\n    address: 127.0.0.1\n"
                "    username: bench\n"
            )
            _, exporters[number] = stack.enter_context(
                program(
                    [python, "-m", "labgrid.remote.exporter", "-c", address, "-n",
                     f"desk-{number}", "--hostname", "127.0.0.1", str(config)],
                    r"Exporter ready",
                    PYTHONUNBUFFERED="1",
                )
            )  # fmt: skip
        _make_places(address, boards)
        yield Lab(address=address, exporters=exporters)


def _make_places(address: str, boards: list[str]) -> None:
    from labgrid.remote.generated import labgrid_coordinator_pb2 as messages

    with Coordinator(address) as session:
        for number, board in enumerate(boards, 1):
            name = f"bench-{number}"
            session._ask("AddPlace", messages.AddPlaceRequest(name=name))
            session._ask(
                "AddPlaceMatch",
                messages.AddPlaceMatchRequest(placename=name, pattern=f"desk-{number}/{name}/*"),
            )
            session._ask(
                "SetPlaceTags", messages.SetPlaceTagsRequest(placename=name, tags={"board": board})
            )
        session.sync()


def bench(address: str, user: str, runs: Path, *words: str) -> subprocess.Popen[str]:
    """`npubench bench` of another user, under way; its output is one stream."""
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, "bench", *words, "--coordinator", address,
         "--runs-dir", str(runs), "--report", str(runs.with_suffix(".html")), "--timings"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ) | {"LG_USERNAME": user, "LG_HOSTNAME": "desk-of-" + user},
        start_new_session=True,
    )  # fmt: skip
