"""The harness on emulated Cortex-M boards: the same promises, exact counts, its own size."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from npubench.boards import load_board
from npubench.build.memory import account_memory
from support.emitted import make_plan
from support.firmware_line import FirmwareLine, build_small, record, run_firmware
from support.harness_checks import (
    check_as_the_reference,
    check_bad_input,
    check_base_commands,
    check_inputs,
    check_restarts,
    check_stack,
)

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
]
BOARDS = ("qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55")
STAGES = ("init", "load", "infer", "unload", "post", "outer")


@pytest.mark.parametrize(
    "check",
    [
        check_base_commands,
        check_as_the_reference,
        check_bad_input,
        check_inputs,
        check_restarts,
        check_stack,
    ],
)
@pytest.mark.parametrize("board_name", ["qemu-m4", "qemu-m55"])
def test_harness_keeps_its_promises(board_name: str, check: Callable[[FirmwareLine], None]) -> None:
    with run_firmware(board_name, build_small(board_name).elf) as line:
        line.answer()
        check(line)


@pytest.mark.parametrize("board_name", BOARDS)
def test_counts_are_exact_and_repeat(board_name: str) -> None:
    """A loop of known length counts exactly; the window is cheap; repetitions agree."""
    per_count = load_board(board_name).instructions_per_count
    assert per_count is not None

    with run_firmware(board_name, build_small(board_name).elf) as line:
        line.answer()
        line.ask("seed 1")
        answers = [record(text) for text in line.ask("bench 3 1")]
        assert [answer["t"] for answer in answers] == [
            "selftest", "window", "init", "rep", "rep", "rep", "answer",
        ]  # fmt: skip
        selftest, window = answers[0], answers[1]
        iterations = selftest["n"][1] - selftest["n"][0]
        counted = (selftest["c"][1] - selftest["c"][0]) * per_count
        assert abs(counted - 2 * iterations) < 1
        assert len({round(count * per_count) for count in window["c"]}) == 1
        assert max(window["c"]) * per_count <= 30
        for stage in STAGES:
            assert len({round(answer[stage] * per_count) for answer in answers[3:6]}) == 1, stage
        layers = [record(text) for text in line.ask("layers 2")]
        assert [(layer["r"], layer["i"]) for layer in layers] == [
            (repetition, index) for repetition in range(2) for index in range(3)
        ]


def test_time_does_not_stand_still_between_commands() -> None:
    with run_firmware("qemu-m4", build_small("qemu-m4").elf) as line:
        line.answer()
        first, second = (record(line.ask("clock")[0])["c"] for _ in range(2))
        assert first < second


def test_harness_is_small_on_cortex_m4() -> None:
    """8 KiB of flash and 1.5 KiB of RAM for everything but network, fixture and stack."""
    memory = account_memory(
        build_small("qemu-m4"), load_board("qemu-m4"), make_plan(), baseline=None
    )
    assert memory.harness_flash_bytes <= 8 * 1024
    assert memory.harness_ram_bytes <= 1536
