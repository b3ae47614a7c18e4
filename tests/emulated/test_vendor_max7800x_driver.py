"""The MAX78000's driver on the board's model: the registers it touches, how it lays out the input,
how it converts. The accelerator is a stand-in that computes nothing: its output is its own memory,
which holds the input."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from npubench.bench.job import resolve_jobs
from npubench.bench.prepare import build_image
from npubench.compiler.backends.max7800x.chain import read_chain
from npubench.compiler.backends.max7800x.closing import closed
from npubench.compiler.backends.max7800x.scheme import output_bytes, quantize_chain, sample_input
from npubench.compiler.compiled import compile_network, read_network
from npubench.core.progress import Silent
from npubench.emulators.board_model.description import Block, load_registers
from npubench.emulators.board_model.in_process import ModelTransport
from npubench.emulators.board_model.machine import BoardModel
from npubench.npu.max7800x.device import MAX78000, MAX78002, Device
from npubench.wire.device import Device as LinkedDevice

pytest.importorskip("unicorn", reason="the extra board-models (Unicorn) is not installed")
pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler of the host"),
]
BOARDS = {"max78000fthr": MAX78000, "max78002evkit": MAX78002}


def accelerator(device: Device) -> tuple[Block, ...]:
    """Its memories, which want power; registers that say that it is done as soon as it starts."""
    wide = device is MAX78002
    bias, weights = (0x51180000, 0x51400000) if wide else (0x50108000, 0x50180000)
    powered = ("gcfr.0x00 = 15",)
    return (
        Block(name="cnn_aon", base=0x50001000, size_bytes=4, needs=("gcr.0x24[25] = 0",)),
        Block(
            name="cnn",
            base=device.control_base,
            size_bytes=0x101000 if wide else 0x1000,
            needs=("gcr.0x24[25] = 0", "gcfr.0x00 = 15", "gcfr.0x0C = 0"),
            reads=("0x00[12] = 0x00[0]",),
        ),
        Block(name="cnn_bias", base=bias, size_bytes=0x800, needs=powered),
        Block(name="cnn_weights", base=weights, size_bytes=0x1000),
        *(
            Block(
                name=f"cnn_data{number}",
                base=device.data_base + number * device.quadrant_bytes,
                size_bytes=4 * device.instance_bytes,
                needs=powered,
            )
            for number in range(2)
        ),
    )


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ai8x-synthesis"
    folder.mkdir()
    shutil.copy(checkout / "tests/support/stand_in_ai8xize.py", folder / "ai8xize.py")
    monkeypatch.setenv("AI8X_SYNTHESIS_DIR", str(folder))
    monkeypatch.setenv("AI8X_PYTHON", sys.executable)


@pytest.mark.parametrize(
    ("board", "name", "channels", "pixels"),
    [
        ("max78000fthr", "digits", 1, 64),
        ("max78000fthr", "tests/data/ops/conv_1x1_one_pixel.tflite", 16, 1),
        ("max78000fthr", "tests/data/ops/dense.tflite", 32, 1),
        ("max78000fthr", "tests/data/ops/dense_from_image.tflite", 4, 6),
        ("max78002evkit", "tests/data/ops/dense.tflite", 32, 1),
    ],
)
def test_input_goes_in_and_output_comes_out_as_the_host_expects(
    checkout: Path, board: str, name: str, channels: int, pixels: int
) -> None:
    device = BOARDS[board]
    (job,) = resolve_jobs(
        [str(checkout / name) if name.endswith(".tflite") else name], [board], ["max7800x"]
    )
    network = read_network(job.model)
    prepared = build_image(compile_network(network, job.board, job.backend), job, Silent())
    registers = load_registers(job.board)
    registers = registers.model_copy(
        update={"block": (*registers.block, *accelerator(device)), "accelerator": None}
    )
    model = BoardModel(job.board, prepared.firmware.elf, registers=registers)
    line = LinkedDevice(ModelTransport(model, hz=job.board.cpu.hz))
    line.wait_boot()
    assert line.caps().backend == "max7800x"
    line.seed(1)
    kat = line.kat()

    chain = read_chain(network.graph)
    quantized = quantize_chain(network.graph, chain)
    sample = sample_input(network.graph, quantized, 1).reshape(channels, pixels)
    for channel in range(channels):
        place = device.data_base + channel // 16 * device.quadrant_bytes
        place += channel % 16 // 4 * device.instance_bytes + channel % 4
        found = [model.peripherals.read(place + 4 * pixel, 1) for pixel in range(pixels)]
        assert found == [int(value) & 0xFF for value in sample[channel]]
    words = [
        model.peripherals.read(device.data_base + 4 * index, 4) for index in range(len(kat.output))
    ]
    values = np.array(words, dtype=np.uint32).view(np.int32).astype(np.int64)
    expected = output_bytes(network.graph, quantized, values)
    assert kat.output == closed(network.graph, chain.rest, expected)
    assert model.peripherals.undescribed == []
    # Between runs: the peripherals' clock as it is, or a quarter of the PLL's.
    clock = model.peripherals.read(0x40000018, 4) >> 14
    assert clock == (3 << 3 | 1 if device.pll else 4)
    rep = line.bench(1, 0).reps[0]
    assert rep.infer > 0
    assert rep.load > 4 * channels * pixels  # each value is converted on its way in, within `load`
