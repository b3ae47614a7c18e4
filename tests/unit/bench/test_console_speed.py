"""Promise: a console's speed that was asked for is the image's and the port's, and is passed on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from npubench.bench import flashing
from npubench.bench.job import at_speed, resolve_jobs
from npubench.bench.prepare import compile_job
from npubench.cli.app import run_words
from npubench.core.errors import DeviceError, UsageError


@pytest.mark.parametrize(
    ("board", "baud"), [("nucleo-l4r5zi", 921_600), ("nucleo-h7a3zi-q", 57_600), ("qemu-m4", 9600)]
)
def test_the_image_has_the_speed(board: str, baud: int) -> None:
    (job,) = resolve_jobs(["digits"], [board])
    plain, fast = compile_job(job).project, compile_job(at_speed(job, baud)).project
    header = fast.files["include/nb_board.h"].decode()
    assert re.search(rf"NB_CONSOLE_BAUD {baud}u?$", header, re.MULTILINE)
    assert f"monitor_speed = {baud}" in fast.files["platformio.ini"].decode()
    assert plain.build != fast.build
    assert at_speed(job, None) is job


@pytest.mark.parametrize("baud", [None, 921_600])
def test_the_port_is_opened_at_the_speed(
    baud: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def port(name: str, *, baud: int) -> Any:
        asked.append(baud)
        raise DeviceError(f"{name} is not there")

    monkeypatch.setattr("npubench.connect.board.SerialTransport", port)
    words = ["bench", "digits", "--board", "nucleo-l4r5zi", "--port", "/dev/ttyX", "--no-flash"]
    words += ["--runs-dir", str(tmp_path / "runs"), "--report", str(tmp_path / "r.html")]
    assert run_words([*words, *(() if baud is None else ("--baud", str(baud)))]) == 1
    assert asked == [baud or 115_200]


def test_the_command_that_follows_names_it() -> None:
    (job,) = resolve_jobs(["digits"], ["nucleo-l4r5zi"])
    assert "--baud" not in flashing._next_command(job, "/dev/ttyX")
    assert "--baud 921600" in flashing._next_command(at_speed(job, 921_600), "/dev/ttyX")


@pytest.mark.parametrize("baud", ["0", "-9600", "299", "fast", "20000000"])
def test_what_is_no_speed_is_refused(baud: str) -> None:
    with pytest.raises(UsageError):
        run_words(["build", "digits", "--board", "qemu-m4", "--baud", baud])
