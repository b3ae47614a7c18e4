"""A labgrid lab on the loopback: two emulated boards, a simulated PPK2, several users at once."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from npubench.lab.coordinator import Coordinator
from npubench.runs.store import StoredRun, list_runs
from support.lab import Lab, bench, lab

pytest.importorskip("labgrid", reason="the extra [farm] is not installed")
pytestmark = [
    pytest.mark.emulated,
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
        reason="qemu-system-arm or arm-none-eabi-gcc is not installed",
    ),
]
BOARD = "qemu-m4"


@pytest.fixture
def the_lab(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path, [BOARD, BOARD]) as found:
        yield found


def output(process: subprocess.Popen[str], until: str = "") -> str:
    """What it printed up to a line with ``until``, or to its end."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if until and until in line:
            return seen
    process.wait()
    process.stdout.close()
    return seen


def one(runs: Path) -> StoredRun:
    (run,) = list_runs(runs).runs
    return run


def all_free(address: str) -> bool:
    with Coordinator(address) as session:
        session.sync()
        return not any(place.holder or place.reservation for place in session.places())


def test_three_users_share_two_boards_and_an_instrument(the_lab: Lab, tmp_path: Path) -> None:
    """Nobody disturbs anybody: each run is whole, at its own place, with its own capture; who
    waits is told its position; at the end everything is free."""
    users = ("ada", "grace", "mary")
    words = ("kws", "--board", BOARD, "--place", "any", "--power", "ppk2-sim")
    running = {user: bench(the_lab.address, user, tmp_path / user, *words) for user in users}
    said = {user: output(process) for user, process in running.items()}
    for user in users:
        assert running[user].returncode == 0, said[user]
    runs = [one(tmp_path / user).record for user in users]
    assert {run.environment.desk.place for run in runs if run.environment.desk} == {
        "bench-1",
        "bench-2",
    }
    assert any("position 1 in the queue" in text for text in said.values()), said
    first = runs[0]
    for run in runs:
        assert run.status == "ok"
        assert run.environment.transport.startswith("socket://127.0.0.1:")
        assert run.stages["infer"].median == first.stages["infer"].median
        assert run.energy is not None
        assert run.energy.verdict == "ok"
        assert run.energy.instrument.simulated
        assert run.energy.samples_lost == 0
    for user in users:
        assert list((one(tmp_path / user).path / "power").glob("part-*.parquet"))
    assert all_free(the_lab.address)


def test_an_exporter_that_dies_in_the_middle_ends_its_run_alone(
    the_lab: Lab, tmp_path: Path
) -> None:
    """The run at its desk is kept as failed, with the reason; the one beside it is whole."""
    lost = bench(the_lab.address, "ada", tmp_path / "ada", "kws", "--board", BOARD,
                 "--place", "bench-1", "-n", "3000", "--no-layers")  # fmt: skip
    whole = bench(the_lab.address, "grace", tmp_path / "grace", "kws", "--board", BOARD,
                  "--place", "bench-2")  # fmt: skip
    before = output(lost, until=": flash (")
    the_lab.exporters[1].send_signal(signal.SIGKILL)
    after = output(lost)
    assert lost.returncode == 1, before + after
    record = one(tmp_path / "ada").record
    assert record.status == "failed"
    assert record.error is not None
    assert "the exporter desk-1 of the place bench-1 is gone" in record.error.message
    text = output(whole)
    assert whole.returncode == 0, text
    assert one(tmp_path / "grace").record.status == "ok"
    assert all_free(the_lab.address)


def test_a_place_that_is_taken_away_ends_the_run(the_lab: Lab, tmp_path: Path) -> None:
    """Whoever is kicked reads by whom; the other user's place is not released by him."""
    from labgrid.remote.generated import labgrid_coordinator_pb2 as messages

    run = bench(the_lab.address, "ada", tmp_path / "ada", "kws", "--board", BOARD,
                "--place", "bench-1", "-n", "3000", "--no-layers")  # fmt: skip
    before = output(run, until=": flash (")
    with Coordinator(the_lab.address) as session:
        session._ask("ReleasePlace", messages.ReleasePlaceRequest(placename="bench-1"))
    after = output(run)
    assert run.returncode == 1, before + after
    record = one(tmp_path / "ada").record
    assert record.error is not None
    assert "the place bench-1 was taken away: nobody holds it" in record.error.message
    assert all_free(the_lab.address)


def test_ctrl_c_gives_the_place_back(the_lab: Lab, tmp_path: Path) -> None:
    run = bench(the_lab.address, "ada", tmp_path / "ada", "kws", "--board", BOARD,
                "--place", "bench-1", "-n", "3000", "--no-layers")  # fmt: skip
    before = output(run, until=": flash (")
    run.send_signal(signal.SIGINT)
    after = output(run)
    assert run.returncode == 130, before + after
    assert not list_runs(tmp_path / "ada").runs
    assert all_free(the_lab.address)
