"""The rehearsal of conformance on every board that has a model, and with a simulated instrument."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

from npubench.bench.job import Settings, resolve_jobs
from npubench.bench.prepare import build_image
from npubench.boards import board_ids, load_board
from npubench.compiler.compiled import compile_network, read_network
from npubench.conformance.run import Conformance, run_conformance
from npubench.connect.board import open_board
from npubench.core.progress import Silent
from npubench.emulators.board_model.description import has_model
from npubench.target import Place
from support.needs import need_compiler

pytestmark = pytest.mark.emulated
SLEEP_MS = 200
MODELLED = tuple(name for name in board_ids() if has_model(load_board(name)))


def rehearse(board: str, *, model: bool, power: str | None = None) -> Conformance:
    """All checks of a board, without one; skipped where its compiler is not installed."""
    need_compiler(board)
    (job,) = resolve_jobs(["digits"], [board], ["cpu"], place=Place.MODEL if model else None)
    settings = Settings(power=power)
    return run_conformance(job, settings, reporter=Silent(), wire_bytes=3000)


@pytest.mark.skipif(
    importlib.util.find_spec("unicorn") is None or shutil.which("cc") is None,
    reason="Unicorn or the host's C compiler is not installed",
)
@pytest.mark.parametrize("board", MODELLED)
def test_a_board_passes_on_its_model_and_nothing_is_proven(board: str) -> None:
    result = rehearse(board, model=True)
    verdicts = {check.name: check.verdict for check in result.checks}
    assert result.passed, result.checks
    assert result.rehearsal
    for name in ("identity", "right answer", "stack", "counter", "console without an error"):
        assert verdicts[name] == "ok", name
    assert verdicts["fault and restart"] == "ok"
    assert verdicts["clock against the host"] == "not applicable"


@pytest.mark.skipif(
    importlib.util.find_spec("unicorn") is None or shutil.which("cc") is None,
    reason="Unicorn or the host's C compiler is not installed",
)
@pytest.mark.parametrize("board", MODELLED)
def test_time_goes_on_while_the_core_sleeps(board: str) -> None:
    """The cycle counter stops with the core's clock; what it misses is added to it, or the edges
    of an idle window would lie where no instrument saw them."""
    need_compiler(board)
    (job,) = resolve_jobs(["digits"], [board], ["cpu"], place=Place.MODEL)
    prepared = build_image(
        compile_network(read_network(job.model), job.board, job.backend), job, Silent()
    )
    with open_board(
        job.board, prepared.firmware.elf, port=None, reporter=Silent(), job=job.title
    ) as target:
        burst = target.device.burst(6, SLEEP_MS, 100)
        hz = target.device.caps().hz
    assert burst.slept
    assert burst.end - burst.begin == pytest.approx(SLEEP_MS * hz / 1000, rel=1e-3)


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed")
def test_edges_and_sleep_are_seen_by_an_instrument() -> None:
    result = rehearse("qemu-m4", model=False, power="ppk2-sim")
    seen = {check.name: check.seen for check in result.checks if check.verdict == "ok"}
    assert "edges matched" in seen["marker edges at the instrument"]
    assert "uW" in seen["sleep current"]


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed")
def test_a_capture_that_cannot_be_trusted_fails() -> None:
    need_compiler("qemu-m4")
    (job,) = resolve_jobs(["digits"], ["qemu-m4"], ["cpu"])
    settings = Settings(power="ppk2-sim", power_faults=("marker-lost",))
    result = run_conformance(job, settings, reporter=Silent(), wire_bytes=3000)
    verdicts = {check.name: check.verdict for check in result.checks}
    assert verdicts["marker edges at the instrument"] == "failed"
    assert not result.passed
