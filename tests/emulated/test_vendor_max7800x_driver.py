"""The MAX78000's driver on the board's model: the registers it touches, how it lays out the input,
how it converts. The accelerator is a stand-in that computes nothing: its output is its own memory,
which holds the input."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from npubench.bench.job import resolve_jobs
from npubench.bench.prepare import build_image, compile_network, read_network
from npubench.compiler.max7800x.chain import read_chain
from npubench.compiler.max7800x.closing import closed
from npubench.compiler.max7800x.scheme import output_bytes, quantize_chain, sample_input
from npubench.core.progress import Silent
from npubench.link.board_model.description import Block, load_registers
from npubench.link.board_model.machine import BoardModel
from npubench.link.board_model.transport import ModelTransport
from npubench.link.device import Device

pytest.importorskip("unicorn", reason="the extra board-models (Unicorn) is not installed")
pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler of the host"),
]
BOARD = "max78000fthr"
QUADRANT, INSTANCE, DATA = 0x400000, 0x8000, 0x50400000
ACCELERATOR = (
    Block(name="gcfr", base=0x40005800, size_bytes=0x10),
    Block(name="cnn_aon", base=0x50001000, size_bytes=4, needs=("gcr.0x24[25] = 0",)),
    Block(
        name="cnn",
        base=0x50100000,
        size_bytes=0x1000,
        needs=("gcr.0x24[25] = 0", "gcfr.0x00 = 15", "gcfr.0x0C = 0"),
        reads=("0x00[12] = 0x00[0]",),  # done as soon as it is started
    ),
    Block(name="cnn_bias", base=0x50108000, size_bytes=0x800, needs=("gcfr.0x00 = 15",)),
    Block(name="cnn_weights", base=0x50180000, size_bytes=0x1000),
    Block(name="cnn_data", base=DATA, size_bytes=0x20000, needs=("gcfr.0x00 = 15",)),
    Block(name="cnn_data1", base=DATA + QUADRANT, size_bytes=0x20000, needs=("gcfr.0x00 = 15",)),
)


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ai8x-synthesis"
    folder.mkdir()
    shutil.copy(checkout / "tests/support/stand_in_ai8xize.py", folder / "ai8xize.py")
    monkeypatch.setenv("AI8X_SYNTHESIS_DIR", str(folder))
    monkeypatch.delenv("AI8X_PYTHON", raising=False)


@pytest.mark.parametrize(
    ("name", "channels", "pixels"),
    [
        ("digits", 1, 64),
        ("tests/data/ops/conv_1x1_one_pixel.tflite", 16, 1),
        ("tests/data/ops/dense.tflite", 32, 1),
        ("tests/data/ops/dense_from_image.tflite", 4, 6),
    ],
)
def test_input_goes_in_and_output_comes_out_as_the_host_expects(
    checkout: Path, name: str, channels: int, pixels: int
) -> None:
    (job,) = resolve_jobs(
        [str(checkout / name) if name.endswith(".tflite") else name], [BOARD], ["max7800x"]
    )
    network = read_network(job.model)
    prepared = build_image(compile_network(network, job), job, Silent())
    registers = load_registers(job.board)
    registers = registers.model_copy(update={"block": (*registers.block, *ACCELERATOR)})
    model = BoardModel(job.board, prepared.firmware.elf, registers=registers)
    device = Device(ModelTransport(model, hz=100_000_000))
    device.wait_boot()
    assert device.caps().backend == "max7800x"
    device.seed(1)
    kat = device.kat()

    chain = read_chain(network.graph)
    quantized = quantize_chain(network.graph, chain)
    sample = sample_input(network.graph, quantized, 1).reshape(channels, pixels)
    for channel in range(channels):
        place = DATA + channel // 16 * QUADRANT + channel % 16 // 4 * INSTANCE + channel % 4
        found = [model.peripherals.read(place + 4 * pixel, 1) for pixel in range(pixels)]
        assert found == [int(value) & 0xFF for value in sample[channel]]
    words = [model.peripherals.read(DATA + 4 * index, 4) for index in range(len(kat.output))]
    values = np.array(words, dtype=np.uint32).view(np.int32).astype(np.int64)
    expected = output_bytes(network.graph, quantized, values)
    assert kat.output == closed(network.graph, chain.rest, expected)
    assert model.peripherals.undescribed == []
    rep = device.bench(1, 0).reps[0]
    assert rep.infer > 0
    assert rep.load > 4 * channels * pixels  # each value is converted on its way in, within `load`
