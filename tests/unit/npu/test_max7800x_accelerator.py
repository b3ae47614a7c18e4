"""The model of the MAX78000's and MAX78002's accelerator: registers and memories written as the
vendor's code writes them, outputs read where it reads them, against arithmetic written out here."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from npubench.npu.max7800x.accelerator import Accelerator
from npubench.npu.max7800x.layout import LAYOUTS
from npubench.npu.max7800x.program import AcceleratorStopped

Ints = NDArray[np.int64]
POWER_ON = 1 << 3 | 1
PARTS = ("MAX78000", "MAX78002")


class Bench:
    """An accelerator and its bus, with words for what a test writes."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.layout = LAYOUTS[part]
        self.model = Accelerator(part)

    def base(self, quadrant: int = 0) -> int:
        device = self.layout.device
        return device.control_base + quadrant * device.quadrant_bytes

    def store(self, offset: int, value: int, quadrant: int = 0) -> None:
        self.model.write(self.base(quadrant) + offset, 4, value & 0xFFFFFFFF)

    def layer(self, number: int, quadrant: int = 0, **registers: int) -> None:
        tables = self.layout.layer_registers | self.layout.stream_registers
        for name, value in registers.items():
            first, apart = tables[name]
            self.store(first + apart * number, value, quadrant)

    def weights(self, processor: int, kernels: Ints, size: int, bits: int = 8) -> None:
        """Kernels (count, taps) from the start of the processor's memory on."""
        per_byte = 8 // bits
        rows = -(-len(kernels) // per_byte)
        stream = np.zeros((rows, size), dtype=np.int64)
        for number, taps in enumerate(kernels):
            field = (taps[::-1] & (1 << bits) - 1) << bits * (number % per_byte)
            stream[number // per_byte] |= field
        data = stream.reshape(-1)
        data = np.pad(data, (0, -len(data) % 9)).reshape(-1, 9)[:, ::-1]
        quadrant, place = divmod(processor, 16)
        offset = self.layout.weight_offset + place * self.layout.weight_bytes
        for number in range(len(data)):
            word: Ints = data[number]
            at = offset + 16 * number
            self.store(at, int(word[0]), quadrant)
            for part in (0, 1):
                four = bytes(word[1 + 4 * part : 5 + 4 * part].astype(np.uint8))
                self.store(at + 4 + 4 * part, int.from_bytes(four, "big"), quadrant)
            self.store(at + 12, 0, quadrant)

    def biases(self, values: Ints, quadrant: int = 0) -> None:
        for number, value in enumerate(values):
            self.store(self.layout.bias_offset + 4 * number, int(value) & 0xFF, quadrant)

    def pixels(self, data: Ints) -> None:
        """(channels, pixels) at the start of the data memories, channel c of processor c."""
        device = self.layout.device
        for first in range(0, len(data), 4):
            quadrant, instance = divmod(first // 4, 4)
            at = self.layout.data_offset + instance * device.instance_bytes
            for pixel in range(data.shape[1]):
                lanes = data[first : first + 4, pixel]
                word = sum((int(value) & 0xFF) << 8 * lane for lane, value in enumerate(lanes))
                self.store(at + 4 * pixel, word, quadrant)

    def count(self, layers: int, quadrant: int = 0) -> None:
        self.store(0x8, layers - 1, quadrant)

    def start(self, control: int = POWER_ON, quadrants: int = 1) -> None:
        for quadrant in reversed(range(quadrants)):
            self.store(0x0, control, quadrant)
        assert self.model.read(self.base(), 4) >> 12 & 1  # it is done

    def output(self, channels: int, pixels: int, word: int, apart: int = 1) -> Ints:
        """(channels, pixels) of int8 from ``word`` on."""
        device = self.layout.device
        found = np.zeros((channels, pixels), dtype=np.int64)
        for channel in range(channels):
            quadrant, instance = divmod(channel // 4, 4)
            at = self.base(quadrant) + self.layout.data_offset + instance * device.instance_bytes
            for pixel in range(pixels):
                byte = self.model.read(at + 4 * (word + apart * pixel) + channel % 4, 1)
                found[channel, pixel] = (byte ^ 0x80) - 0x80
        return found

    def sizes(self, rows: int, columns: int, pad: int = 0) -> dict[str, int]:
        """The registers of an image without pooling."""
        if self.part == "MAX78000":
            return {
                "rows": rows - 1 + 2 * pad | pad << 16,
                "columns": columns - 1 + 2 * pad | pad << 16,
            }
        padding = 1 << 15 | pad - 1 << 13 if pad else 0
        return {
            "rows": rows - 1 | padding | 1 << 16,
            "columns": columns - 1 | padding | 1 << 16,
            "stride": 1 << 4,
        }

    def masks(self, last: int) -> dict[str, int]:
        return {"mask": last} if self.part == "MAX78000" else {"mask_start": 0, "mask_end": last}

    def across(self, value: int) -> int:
        return value << (8 if self.part == "MAX78000" else 12)


@pytest.fixture(params=PARTS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    one = Bench(str(request.param))
    yield one
    assert one.model.undescribed == []


def rounded(sums: Ints, shift: int = 7) -> Ints:
    return np.clip(np.floor(sums / (1 << shift) + 0.5), -128, 127).astype(np.int64)


def convolved(data: Ints, kernels: Ints, pad: int) -> Ints:
    """(out, rows, columns) of (in, rows, columns) with (out, in, 3, 3), by loops."""
    padded = np.pad(data, ((0, 0), (pad, pad), (pad, pad)))
    rows, columns = padded.shape[1] - 2, padded.shape[2] - 2
    found = np.zeros((len(kernels), rows, columns), dtype=np.int64)
    for row in range(rows):
        for column in range(columns):
            patch = padded[:, row : row + 3, column : column + 3]
            found[:, row, column] = (kernels * patch).sum(axis=(1, 2, 3))
    return found


@pytest.mark.parametrize("bits", [8, 4, 2, 1])
def test_a_3x3_convolution_with_bias_and_padding(bench: Bench, bits: int) -> None:
    random = np.random.default_rng(bits)
    data = random.integers(-128, 128, (5, 4, 6))
    low = -(1 << bits - 1)
    kernels = (
        random.integers(low, -low, (8, 5, 3, 3))
        if bits > 1
        else -random.integers(0, 2, (8, 5, 3, 3))
    )
    bias = random.integers(-100, 100, 8)
    for channel in range(5):
        bench.weights(channel, kernels[:, channel].reshape(8, 9), 9, bits)
    bench.biases(bias)
    bench.pixels(data.reshape(5, -1))
    shift = 8 - bits
    size = {8: 0, 1: 1, 2: 2, 4: 3}[bits]
    bench.layer(
        0,
        **bench.sizes(4, 6, pad=1),
        **bench.masks(7 * bits),
        write_base=0x400,
        layer_control=0x920 | (2 << 22 | 2 << 18 if bench.part == "MAX78002" else 0),
        layer_control_2=bench.across(7 * bits),
        enable=0x1F | 0x1F << 16,
        post=1 << 12 | shift << 13 | size << 22,
    )
    bench.count(1)
    bench.start()
    sums = convolved(data, kernels, 1) + 128 * bias.reshape(-1, 1, 1)
    assert np.array_equal(bench.output(8, 24, 0x400), rounded(sums << shift).reshape(8, -1))


def test_a_1x1_convolution_over_two_quadrants_in_relu(bench: Bench) -> None:
    random = np.random.default_rng(3)
    data = random.integers(-128, 128, (20, 3))
    kernels = random.integers(-128, 128, (4, 20))
    for channel in range(20):
        bench.weights(channel, kernels[:, channel].reshape(4, 1), 1)
    bench.pixels(data)
    for quadrant, processors in ((0, 0xFFFF), (1, 0xF)):
        bench.layer(
            0,
            quadrant,
            **bench.sizes(3, 1),
            **bench.masks(8 * 3),
            write_base=0x200,
            one_dimension=1 << 8,
            layer_control=0xB20 | (1 << 13 if quadrant == 0 else 0),
            layer_control_2=bench.across(8 * 3),
            enable=processors | processors << 16,
        )
        bench.count(1, quadrant)
    bench.start(quadrants=2)
    assert np.array_equal(bench.output(4, 3, 0x200), np.maximum(rounded(kernels @ data), 0))


def test_a_wide_output_is_the_sum_itself(bench: Bench) -> None:
    data = np.array([[100], [-3]])
    kernels = np.array([[127, 5], [-128, 9]])
    for channel in range(2):
        bench.weights(channel, kernels[:, channel].reshape(2, 1), 1)
    bench.pixels(data)
    bench.layer(
        0,
        **bench.sizes(1, 1),
        **bench.masks(8),
        write_base=0x10,
        one_dimension=1 << 8,
        layer_control=0x920 | 1 << 16,
        layer_control_2=bench.across(8),
        enable=3 | 3 << 16,
    )
    bench.count(1)
    bench.start()
    at = bench.base() + bench.layout.data_offset + 4 * 0x10
    words = [bench.model.read(at + 4 * channel, 4) for channel in range(2)]
    assert [(word ^ 1 << 31) - (1 << 31) for word in words] == (kernels @ data)[:, 0].tolist()


@pytest.mark.parametrize("kind", ["max", "average"])
def test_pooling_alone_keeps_the_channels(bench: Bench, kind: str) -> None:
    random = np.random.default_rng(5)
    data = random.integers(-128, 128, (6, 4, 4))
    bench.pixels(data.reshape(6, -1))
    sizes = {"rows": 3, "columns": 3, "stride": 1}
    if bench.part == "MAX78002":
        sizes = {"rows": 2 | 2 << 16, "columns": 2 | 2 << 16, "stride": 1 | 2 << 4}
    bench.layer(
        0,
        **sizes,
        pool_rows=1,
        pool_columns=1,
        write_base=0x300,
        one_dimension=1 << 8 | 1,
        layer_control=0x820 | 0x80 | (0x100 if kind == "max" else 0),
        enable=0x3F,
        post=3 << 24,
    )
    bench.count(1)
    bench.start()
    blocks = data.reshape(6, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(6, 4, 4)
    expected = blocks.max(axis=2) if kind == "max" else np.trunc(blocks.mean(axis=2))
    assert np.array_equal(bench.output(6, 4, 0x300), expected.astype(np.int64))


def test_a_sum_of_two_inputs_saturates(bench: Bench) -> None:
    first, second = np.array([[100, -100, 3]]), np.array([[60, -60, 4]])
    both = np.stack([first, second], axis=2).reshape(1, -1)  # operands lie side by side
    bench.pixels(both)
    sizes = bench.sizes(1, 3) | ({"stride": 2 << 4} if bench.part == "MAX78002" else {})
    bench.layer(
        0,
        **sizes,
        write_base=0x300,
        one_dimension=1 << 13 | 1 << 14 | 1 << 18,
        layer_control=0x920,
        enable=1,
        post=1 << 24,
    )
    bench.count(1)
    bench.start()
    assert bench.output(1, 3, 0x300).tolist() == [[127, -128, 7]]


def test_depthwise_on_the_max78002() -> None:
    bench = Bench("MAX78002")
    random = np.random.default_rng(9)
    data = random.integers(-128, 128, (8, 3, 3))
    kernels, bias = random.integers(-128, 128, (8, 3, 3)), random.integers(-100, 100, 8)
    for channel in range(8):
        bench.weights(channel, kernels[channel].reshape(1, 9), 9)
    places = np.zeros(16, dtype=np.int64)
    for channel in range(8):  # four are read at once
        places[channel % 4 * 4 + channel // 4] = bias[channel]
    bench.biases(places)
    bench.pixels(data.reshape(8, -1))
    bench.layer(
        0,
        **bench.sizes(3, 3),
        **bench.masks(0),
        write_base=0x300,
        layer_control=0x920 | 1 << 29 | 2 << 22 | 2 << 18,
        layer_control_2=bench.across(7 * 8),
        enable=0xFF | 0xFF << 16,
        post=1 << 12 | 1 << 30 | 1 << 24,
    )
    bench.count(1)
    bench.start()
    sums = (data * kernels).sum(axis=(1, 2)) + 128 * bias
    assert bench.output(8, 1, 0x300)[:, 0].tolist() == rounded(sums).tolist()


def test_weights_in_the_express_mode_are_those_written_one_by_one(bench: Bench) -> None:
    data = bytes(range(1, 37))
    bench.store(0x0, 1 << 20 | 1 << 3)
    at = bench.base() + bench.layout.weight_offset
    bench.model.write(at + 4 * 5 | 1, 1, 1)  # from word 5 on
    for first in range(0, 36, 4):
        bench.model.write(at, 4, int.from_bytes(data[first : first + 4], "big"))
    assert bench.model.weights.bytes[0, 5:9].tobytes() == data
    assert bench.model.read(at + 16 * 6 + 4, 4) == int.from_bytes(data[10:14], "big")


def test_what_the_model_does_not_know_is_named_and_not_run() -> None:
    one = Accelerator("MAX78000")
    base = one.layout.device.control_base
    one.write(base + 0x1FF0, 4, 7)
    with pytest.raises(AcceleratorStopped, match="0x50101ff0"):
        one.write(base, 4, POWER_ON)
    two = Accelerator("MAX78000")
    first, _ = two.layout.layer_registers["stride"]
    two.write(base + first, 4, 0x4000)
    with pytest.raises(AcceleratorStopped, match=r"stride = 0x00004000 has bits 0x4000"):
        two.write(base, 4, POWER_ON)
    three = Accelerator("MAX78000")
    with pytest.raises(AcceleratorStopped, match="mlator"):
        three.write(base, 4, POWER_ON | 1 << 16)


def test_a_quadrant_without_power_forgets_and_does_not_answer() -> None:
    one = Accelerator("MAX78000")
    at = one.layout.device.data_base
    one.write(at, 4, 0x12345678)
    one.answers = 0b1110
    assert one.read(at, 4) == 0
    one.answers = 0b1111
    assert one.read(at, 4) == 0x12345678
    one.power_off(0b0001)
    assert one.read(at, 4) == 0x6D6D6D6D
