"""Conformance sees what it is there to see: the checks pass on a good board and fail on a bad one.

The firmware runs as a process of this computer. Played as a physical board behind a pty, with the
system's clock as its counter, it has what an emulator lacks: a clock that can be checked, and a
counter that wraps while one looks.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import tomllib
import tty
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from npubench.bench.job import Job, Settings, resolve_jobs
from npubench.bench.prepare import build_image
from npubench.boards import Board, Status, load_board
from npubench.cli.main import run
from npubench.compiler.compiled import compile_network, read_network
from npubench.conformance import run as module
from npubench.conformance.run import Conformance, run_conformance
from npubench.core.progress import Silent
from npubench.wire.faulty import parse_mishap

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler of the host"),
]


def job_on(board: Board) -> Job:
    """The smallest network on a board's CPU."""
    (job,) = resolve_jobs(["digits"], ["native"], ["cpu"])
    return replace(job, board=board)


def verdicts(result: Conformance) -> dict[str, str]:
    """Verdict by check."""
    return {check.name: check.verdict for check in result.checks}


def seen(result: Conformance, name: str) -> str:
    """What a check saw."""
    return next(check.seen for check in result.checks if check.name == name)


def played(**counter: object) -> Board:
    """This computer as a physical board whose counter is the system's clock in nanoseconds."""
    board = load_board("native")
    values = {"unit": "ticks", "hz": 1_000_000_000} | counter
    return board.model_copy(
        update={
            "kind": "physical",
            "counter": board.counter.model_copy(update=values),
            "toolchain": board.toolchain.model_copy(update={"hosted": True, "link": ("-static",)}),
        }
    )


@pytest.fixture
def line() -> Iterator[str]:
    """The firmware of ``played()`` as a process behind a pty; the name of the pty."""
    board = played()
    job = job_on(board)
    elf = build_image(
        compile_network(read_network(job.model), job.board, job.backend), job, Silent()
    ).firmware.elf
    master, slave = pty.openpty()
    tty.setraw(slave)
    process = subprocess.Popen([elf], stdin=master, stdout=master)
    try:
        yield os.ttyname(slave)
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def test_a_rehearsal_passes_and_proves_nothing() -> None:
    result = run_conformance(job_on(load_board("native")), Settings(), reporter=Silent())
    assert result.passed
    assert result.rehearsal
    assert result.proof("somebody", date(2026, 11, 25)) is None
    found = verdicts(result)
    assert found["right answer"] in ("ok", "not applicable")
    assert found["console without an error"] == "ok"
    assert found["sleep current"] == "not applicable"
    assert "sleep current" in result.open_checks


def test_a_board_with_a_clock_is_checked_by_it(line: str) -> None:
    settings = Settings(port=line, flash=False, clock_seconds=0.5)
    result = run_conformance(job_on(played()), settings, reporter=Silent(), wire_bytes=5000)
    found = verdicts(result)
    assert found["clock against the host"] == "ok", seen(result, "clock against the host")
    assert found["counter wrap"] == "ok", seen(result, "counter wrap")
    assert found["counter"] == "ok"
    assert result.passed
    assert not result.rehearsal
    block = result.proof('A "careful" reader', date(2026, 11, 25))
    assert block is not None
    proof = tomllib.loads(block)["status"]["proof"]
    status = Status.model_validate({"cpu": "hardware-verified", "proof": proof})
    assert status.proof is not None
    assert status.proof.by == 'A "careful" reader'
    assert status.proof.firmware_sha256 == result.elf_sha256


def test_a_clock_that_is_not_what_the_file_says_fails(line: str) -> None:
    """The firmware that answers counts nanoseconds; the file that it is checked by says half."""
    settings = Settings(port=line, flash=False, clock_seconds=0.2)
    job = job_on(played())
    prepared = build_image(
        compile_network(read_network(job.model), job.board, job.backend), job, Silent()
    )
    with module.open_board(job.board, None, port=line, reporter=Silent(), job=job.title) as target:
        wrong = replace(job, board=played(hz=500_000_000))
        checks = module._Checks(wrong, prepared, settings, target, Silent())
        check = checks._check("clock against the host", checks._clock_check)
    assert check.verdict == "failed"
    assert "10000 ppm are allowed" in check.seen


@pytest.mark.parametrize(
    ("mishap", "name"),
    [("corrupt:caps#3", "console without an error"), ("corrupt:stack_used", "stack")],
)
def test_a_bad_line_is_seen(mishap: str, name: str) -> None:
    settings = Settings(mishaps=(parse_mishap(mishap),))
    result = run_conformance(job_on(load_board("native")), settings, reporter=Silent())
    if name == "stack":
        assert verdicts(result)[name] == "ok", "a question is asked again when its answer is lost"
        return
    assert verdicts(result)[name] == "failed"
    assert not result.passed
    assert "damaged" in seen(result, name)


def test_another_firmware_is_refused(line: str) -> None:
    board = played().model_copy(update={"id": "pico2"})
    settings = Settings(port=line, flash=False, clock_seconds=0.2)
    job = job_on(played())
    prepared = build_image(
        compile_network(read_network(job.model), job.board, job.backend), job, Silent()
    )
    with module.open_board(job.board, None, port=line, reporter=Silent(), job=job.title) as target:
        checks = module._Checks(replace(job, board=board), prepared, settings, target, Silent())
        check = checks._check("identity", checks._identity)
    assert check.verdict == "failed"
    assert "not pico2" in check.seen


def test_verb_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["conformance", "--board", "native", "--bytes", "2000", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is True
    assert document["proof"] is None
