"""What runs on QEMU is tallied by its plugin: one image counts the same there and on a board model,
to the last; and a part's cycles can be lent to an emulated board."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest

from npubench import api
from npubench.bench.job import resolve_jobs
from npubench.bench.prepare import build_image
from npubench.boards import load_board
from npubench.compiler.compiled import compile_network, read_network
from npubench.connect.board import open_board
from npubench.core.progress import Silent
from npubench.emulators.board_model.counting import Tally, read_windows
from npubench.emulators.board_model.description import RegisterModel
from npubench.emulators.board_model.in_process import ModelTransport
from npubench.emulators.board_model.machine import BoardModel
from npubench.wire.device import Device

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"
    ),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler of the host"),
]
CMSDK = RegisterModel.model_validate(
    {
        "schema": 1,
        "console": {
            "transmit": "uart.0x00",
            "receive": "uart.0x00",
            "received": ["uart.0x04[1]"],
        },
        "block": [
            {"name": "uart", "base": 0x40004000, "size_bytes": 0x1000},
            {"name": "fpgaio", "base": 0x40028000, "size_bytes": 0x1000},
        ],
    }
)
QEMU_CANNOT_TELL = {"failed"}
"""QEMU calls for an instruction of an IT block whether its condition holds or not."""


def kws_on(board: str) -> tuple[Any, Any]:
    (job,) = resolve_jobs(["kws"], [board], ["cpu"])
    network = read_network(job.model)
    return job, build_image(compile_network(network, job.board, job.backend), job, Silent())


def test_one_image_counts_the_same_on_qemu_and_on_a_board_model(tmp_path: Path) -> None:
    pytest.importorskip("unicorn", reason="the extra board-models (Unicorn) is not installed")
    job, prepared = kws_on("qemu-m4")
    elf = prepared.firmware.elf
    windows = tmp_path / "a,b" / "windows.bin"
    windows.parent.mkdir()
    with open_board(
        job.board, elf, port=None, reporter=Silent(), job="tally", windows=windows
    ) as target:
        target.device.seed(1)
        target.device.bench(1, 0)
    on_qemu = max(read_windows(windows), key=lambda window: window[0])

    model = BoardModel(load_board("qemu-m4"), elf, registers=CMSDK)
    code = model._board.region("code")
    model._counting.start_tally(flash=code.base, flash_bytes=code.size_bytes)
    looks: list[tuple[int, Tally]] = []
    read = model.peripherals.read

    def look(address: int, size: int) -> int:
        if address == job.board.counter.address:
            looks.append((model.instructions, model._counting.tally()))
        return read(address, size)

    model.peripherals.read = look  # type: ignore[method-assign]
    device = Device(ModelTransport(model, hz=25_000_000))
    device.wait_boot()
    device.seed(1)
    device.bench(1, 0)
    pairs = itertools.pairwise(looks)
    on_model = max(((b[0] - a[0], b[1] - a[1]) for a, b in pairs), key=lambda window: window[0])

    assert on_model[0] == on_qemu[0] > 1_000_000
    differs = {
        name: (on_qemu[1][name], count)
        for name, count in on_model[1].items()
        if count != on_qemu[1][name] and name not in QEMU_CANNOT_TELL
    }
    assert differs == {}
    assert on_model[1]["failed"] > 0 == on_qemu[1]["failed"]


def test_a_part_is_lent_to_an_emulated_board(tmp_path: Path) -> None:
    """QEMU's run in the part's cycles is the board model's, but for where code and data lie."""
    outcome = api.bench(
        ["kws"],
        boards=["qemu-m4"],
        settings=api.Settings(as_board="nucleo-l4r5zi", repetitions=1),
        runs_dir=tmp_path / "runs",
    )
    (stored,) = outcome.stored
    assert stored.record.valid, stored.record.why_invalid
    infer = stored.record.stages["infer"]
    assert infer.cycles is not None
    assert infer.time_us is not None
    assert infer.energy_uj is not None
    assert "lent to qemu-m4" in infer.cycles.model
    assert infer.time_us.mid == pytest.approx(infer.cycles.mid / 120)
    assert 0.5 < infer.cycles.mid / (infer.median or 0) < 3
    told = [layer for layer in stored.record.layers if layer.cycles is not None]
    assert sum(layer.value or 0 for layer in told) > 0.99 * (infer.median or 0)
    assert stored.record.settings is not None
    assert stored.record.settings.as_board == "nucleo-l4r5zi"
