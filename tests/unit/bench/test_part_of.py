"""The promise: a part is lent to boards of its own core alone, and who cannot lend or borrow hears
why before anything runs."""

from __future__ import annotations

import pytest

from npubench.bench.counts import Scale
from npubench.bench.job import Job, Settings, resolve_jobs
from npubench.bench.part_cycles import Windows, part_of
from npubench.core.errors import UsageError
from npubench.target import Place


def job_on(board: str, place: Place | None = None) -> Job:
    (job,) = resolve_jobs(["kws"], [board], ["cpu"], place=place)
    return job


def test_a_qemu_board_has_no_cycles_of_its_own() -> None:
    assert part_of(job_on("qemu-m4"), Settings()) is None


def test_a_part_is_lent_and_says_so() -> None:
    part = part_of(job_on("qemu-m4"), Settings(as_board="nucleo-l4r5zi"))
    assert part is not None
    assert part.lent_to == "qemu-m4"
    assert part.words("; 120 MHz").endswith("; 120 MHz; lent to qemu-m4, its code region as flash")


def test_a_boards_own_model_borrows_nothing() -> None:
    job = job_on("nucleo-l4r5zi", Place.MODEL)
    own, named = part_of(job, Settings()), part_of(job, Settings(as_board="nucleo-l4r5zi"))
    assert own is not None
    assert own == named
    assert own.lent_to is None


@pytest.mark.parametrize(
    ("board", "lender", "words"),
    [
        ("qemu-m55", "nucleo-l4r5zi", "qemu-m55 is a cortex-m55, nucleo-l4r5zi a cortex-m4"),
        ("qemu-m4", "pico2", "qemu-m4 is a cortex-m4, pico2 a cortex-m33"),
        ("qemu-m4", "alif-e7-devkit", "its core, a cortex-m55, has none either"),
        ("native", "nucleo-l4r5zi", "native is a"),
        ("nucleo-l4r5zi", "nucleo-l4r5zi", "needs an emulator"),
    ],
)
def test_what_cannot_be_lent_is_refused(board: str, lender: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        part_of(job_on(board), Settings(as_board=lender))


def test_a_core_is_lent_to_the_model_of_a_part_without_images() -> None:
    job = job_on("nucleo-h7a3zi-q", Place.MODEL)
    part = part_of(job, Settings(as_board="cortex-m7"))
    assert part is not None
    assert part.weights.hz == job.board.cpu.hz
    assert "leave-one-part-out" in part.words()
    with pytest.raises(UsageError, match="no clock"):
        part_of(job_on("qemu-m7"), Settings(as_board="cortex-m7"))


@pytest.mark.parametrize(
    ("board", "lender", "hz"),
    [
        ("qemu-m33", "pico2", 150_000_000),
        ("qemu-m33", "frdm-mcxn947", 150_000_000),
        ("qemu-m4", "max78000fthr", 100_000_000),
    ],
)
def test_a_part_without_images_lends_its_core_at_its_clock(
    board: str, lender: str, hz: int
) -> None:
    part = part_of(job_on(board), Settings(as_board=lender))
    assert part is not None
    assert part.weights.hz == hz
    assert "leave-one-part-out" in part.words(), "with the error of a part that was left out"


def test_who_cannot_lend_says_who_can() -> None:
    with pytest.raises(UsageError) as error:
        part_of(job_on("qemu-m4"), Settings(as_board="esp32-s3-devkitc"))
    assert "nucleo-l4r5zi" in error.value.hint
    with pytest.raises(UsageError) as error:
        part_of(job_on("qemu-m55"), Settings(as_board="alif-e7-devkit"))
    assert error.value.hint == "alif-e7-devkit runs by itself: --board alif-e7-devkit --on-model"


def test_windows_are_found_in_their_order_and_by_ticks() -> None:
    windows = [(1000, {"n": 1.0}), (500, {"n": 2.0}), (1001, {"n": 3.0})]
    exact = Windows(windows, Scale(unit="instructions", per_count=1.0, window_cost=0))
    assert exact.find(1001) == {"n": 3.0}
    assert exact.find(1000) is None
    ticks = Windows(windows, Scale(unit="instructions", per_count=0.3125, window_cost=0))
    assert ticks.find(3200) == {"n": 1.0}
    assert ticks.find(3200) == {"n": 3.0}  # one instruction off
