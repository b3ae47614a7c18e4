"""Promise: what the product prints as the way to energy works as it is printed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from npubench import api
from npubench.bench.energy import check_power
from npubench.bench.job import Job, Settings
from npubench.bench.part_cycles import part_of
from npubench.bench.part_energy import Engines, engines_of, has_modelled_npu, lent_part
from npubench.boards import Board, board_ids, load_board
from npubench.cli.main import run
from npubench.core.errors import UsageError
from npubench.report.html import render_report
from npubench.report.power_hint import hint_lines, power_hint, terminal_lines
from npubench.runs.schema import NpuRecord, RunRecord
from npubench.runs.store import StoredRun

Make = Callable[..., RunRecord]
MakeStored = Callable[..., StoredRun]
DEFAULT = ("qemu-m4", "qemu-m55", "qemu-m55-u55")
"""The boards of `make bench`."""
PLAYED = tuple(
    name
    for name in board_ids()
    if load_board(name).kind == "emulated" or load_board(name).stand_in is not None
)
NPU = NpuRecord(accelerator="ethos-u55", config_sha256="0" * 64, macs_share=1.0)


def fields_of(board: Board, backend: str) -> dict[str, Any]:
    """What a record of the board says of where it ran."""
    place = "model" if board.stand_in is not None else "emulated"
    return {
        "board": board.id,
        "target": f"{board.id}:{backend}{'@model' if place == 'model' else ''}",
        "place": place,
        "backend": backend,
        "npu": None if backend == "cpu" else NPU,
        "command": ["npubench", "bench", "kws", "vww", "--board", board.id],
    }


def ran(make_record: Make, name: str, backend: str) -> RunRecord:
    board = load_board(name)
    return RunRecord.model_validate(
        make_record(board=name).model_dump() | fields_of(board, backend)
    )


def backends(name: str) -> tuple[str, ...]:
    default = load_board(name).default_backend
    return ("cpu",) if default == "cpu" else ("cpu", default)


CASES = [(name, backend) for name in PLAYED for backend in backends(name)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Job, Settings]]:
    """What a command comes down to once its words and boards are accepted; nothing runs."""
    found: list[tuple[Job, Settings]] = []

    def stop(jobs: tuple[Job, ...], settings: Settings, **_: object) -> None:
        found.extend((job, settings) for job in jobs)
        raise UsageError("stopped by the test")

    monkeypatch.setattr(api, "run_matrix", stop)
    return found


@pytest.mark.parametrize(("name", "backend"), CASES)
def test_a_printed_hint_is_accepted_and_has_something_to_see(
    make_record: Make, name: str, backend: str, asked: list[tuple[Job, Settings]]
) -> None:
    hint = power_hint(ran(make_record, name, backend))
    assert hint is not None
    if not hint.command:
        assert hint.reason
        return
    words = shlex.split(hint.command)
    assert words[0] == "npubench"
    run(words[1:])
    ((job, settings),) = asked
    assert (job.model.id, job.board.id, job.backend) == ("kws", name, backend)
    assert settings.power == "ppk2-sim"
    if not has_modelled_npu(job.board):
        assert job.board.power is not None
        return
    owner = job.board
    if settings.as_board is not None:
        owner = lent_part(job.board, settings.as_board).part
    assert isinstance(engines_of(owner, with_npu=backend != "cpu"), Engines)


@pytest.mark.parametrize("name", DEFAULT)
def test_a_simulated_instrument_is_accepted_on_every_board_of_make_bench(name: str) -> None:
    settings = Settings(power="ppk2-sim")
    check_power([load_board(name)], settings)
    (job,) = api.resolve_jobs(["digits"], [name])
    part_of(job, settings)


def test_the_terminal_and_the_report_print_the_same_command(make_stored: MakeStored) -> None:
    stored = make_stored(board="qemu-m4")
    expected = "npubench bench kws --board qemu-m4 --power ppk2-sim"
    assert terminal_lines([stored.record])[1:] == (f"  {expected}",)
    page = unescape(re.sub(r"<[^>]*>", "\n", render_report([stored])))
    lines = [line for line in page.splitlines() if "--power" in line]
    assert lines
    assert all(expected in line for line in lines)


def test_runs_that_differ_in_model_or_board_alone_share_a_command(make_record: Make) -> None:
    runs = [make_record(model=model, board=board) for model in ("kws", "ic") for board in DEFAULT]
    assert hint_lines(runs) == (
        "npubench bench kws ic --board qemu-m4 --board qemu-m55 --power ppk2-sim",
    )


def test_a_path_with_a_space_is_printed_as_a_shell_reads_it(make_record: Make) -> None:
    record = make_record(model="my", command=["npubench", "bench", "a folder/my.tflite"])
    hint = power_hint(record)
    assert hint is not None
    assert shlex.split(hint.command)[2] == "a folder/my.tflite"


def test_no_hint_where_there_is_energy_or_no_answer(make_record: Make) -> None:
    assert power_hint(make_record(golden="mismatch", status="failed")) is None
