"""Where the accelerator's registers lie and what their bits mean, for each of the two parts.

Sources: ai8x-synthesis, izer/tornadocnn.py (addresses, widths) and izer/backend/max7800x.py (what
each field is made of). Bits that neither names are unknown to the model, and it says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from npubench.npu.max7800x.device import MAX78000, MAX78002, Device

QUADRANTS: Final = 4
PER_QUADRANT: Final = 16
"""Processors of a quadrant; four share a data memory (an instance)."""
SHARED: Final = 4
PROCESSORS: Final = QUADRANTS * PER_QUADRANT
INSTANCES: Final = PROCESSORS // SHARED
TAPS: Final = 9
"""Bytes of a word of weight memory."""
CONTROL: Final = "control"
DONE: Final = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The registers of one part. Offsets are in bytes from a quadrant's base.

    ``layer_registers``: name to (offset of layer 0, way to the next layer); ``stream_registers``
    likewise, of the first ``stream_layers``. ``known``: the bits of each register that have a
    meaning here. ``kernels``: words of weight memory of a quadrant's first processor, then of the
    others. ``clears``: bits of the memory test register that clear something, what, and the bits
    that say that it is done.
    """

    device: Device
    global_registers: dict[int, str]
    layer_registers: dict[str, tuple[int, int]]
    stream_registers: dict[str, tuple[int, int]]
    known: dict[str, int]
    layers: int
    stream_layers: int
    bias_offset: int
    bias_count: int
    scratch_offset: int
    scratch_bytes: int
    weight_offset: int
    weight_bytes: int
    kernels: tuple[int, int]
    data_offset: int
    fifo_base: int
    fast_fifo_base: int
    pointer_bits: int
    counts_have_stops: bool
    clears: tuple[tuple[int, str, int], ...]

    @property
    def register_bytes(self) -> int:
        """From a quadrant's base to the end of its registers."""
        return 0x120000 if self.counts_have_stops else 0x2000

    @property
    def memory_words(self) -> int:
        """Of one instance of the data memory."""
        return self.device.memory_bytes // 4


def _layer_registers(
    names: tuple[str, ...], *, base: int, by_layer: bool, layers: int
) -> dict[str, tuple[int, int]]:
    """Names in the order of their numbers; "" leaves a number out."""
    if by_layer:
        return {name: (base + 4 * n, 0x100) for n, name in enumerate(names) if name}
    return {name: (base + 4 * layers * n, 4) for n, name in enumerate(names) if name}


_COMMON = {
    "write_timeslot": 0x1FFFFF,
    "write_mask": 0x1FFFFF,
    "write_channel": 0x1FFFFF,
    "read_base": 0x1FFFFF,
    "enable": 0xFFFFFFFF,
    "tram_pointer": 0xFFFFFFFF,
    "stream_start": 0x2007FFF,
    "frame_words": 0x3FFFFF,
    "sram": 0xFFFFFFFF,
    "test": 0xFFFFFFFF,
    "layer_count": 0xFFFF,
}

LAYOUT_78000: Final = Layout(
    device=MAX78000,
    global_registers={
        0x0: CONTROL, 0x4: "sram", 0x8: "layer_count", 0xC: "test", 0x990: "frame_words",
    },
    layer_registers=_layer_registers(
        (
            "rows", "columns", "one_dimension", "pool_rows", "pool_columns", "stride",
            "write_base", "write_timeslot", "write_mask", "write_channel", "read_base",
            "layer_control", "mask", "tram_pointer", "enable", "post", "stream_start",
            "stream_delta", "rollover", "", "layer_control_2",
        ),
        base=0x10, by_layer=False, layers=32,
    ),
    stream_registers={},
    known=_COMMON
    | {
        CONTROL: 0xC0FFFFFF,
        "rows": 0x303FF, "columns": 0x303FF, "one_dimension": 0x3FFFFF,
        "pool_rows": 0xF, "pool_columns": 0xF, "stride": 0xF,
        "write_base": 0x1FFFF, "layer_control": 0x1FBE0, "layer_control_2": 0x1FFFF,
        "mask": 0xFFFFFFFF, "post": 0x1FFFFFFF, "stream_delta": 0xFFF01FF,
        "rollover": 0x1FFFF,
    },
    layers=32,
    stream_layers=32,
    bias_offset=0x8000,
    bias_count=512,
    scratch_offset=0x10000,
    scratch_bytes=0x40000,
    weight_offset=0x80000,
    weight_bytes=0x4000,
    kernels=(768, 768),
    data_offset=0x300000,
    fifo_base=0x50000000,
    fast_fifo_base=0x400C0400,
    pointer_bits=13,
    counts_have_stops=False,
    clears=(
        (1 << 0, "data", 1 << 27 | 1 << 18),
        (1 << 2, "weights", 1 << 27 | 1 << 19),
        (1 << 4, "scratch", 1 << 27 | 1 << 20),
        (1 << 6, "bias", 1 << 27 | 1 << 21),
    ),
)  # fmt: skip

LAYOUT_78002: Final = Layout(
    device=MAX78002,
    global_registers={
        0x0: CONTROL, 0x4: "sram", 0x8: "layer_count", 0xC: "test", 0x108060: "frame_words",
    },
    layer_registers=_layer_registers(
        (
            "next_layer", "rows", "columns", "one_dimension", "pool_rows", "pool_columns",
            "stride", "write_base", "write_timeslot", "write_mask", "write_channel", "read_base",
            "layer_control", "layer_control_2", "mask_end", "mask_start", "output_channels",
            "tram_pointer", "enable", "post",
        ),
        base=0x100000, by_layer=True, layers=128,
    ),
    stream_registers={
        "stream_start": (0x108000, 4), "stream_delta": (0x108020, 4), "rollover": (0x108040, 4),
    },
    known=_COMMON
    | {
        CONTROL: 0xC0FFFFFF,
        "next_layer": 0x1FF,
        "rows": 0xFFFFE7FF, "columns": 0xFFFFE7FF, "one_dimension": 0x3FFFFF,
        "pool_rows": 0xFF, "pool_columns": 0xFF, "stride": 0xFFFFFFFF,
        "write_base": 0x1FFFFF, "layer_control": 0x7FFFFBE0, "layer_control_2": 0x3FFFFF,
        "mask_end": 0x7FFFF, "mask_start": 0x7FFFF, "output_channels": 0xFFFF,
        "post": 0xDFFFFFFF, "stream_delta": 0x3FFF01FF, "rollover": 0x3FFFF,
    },
    layers=128,
    stream_layers=8,
    bias_offset=0x180000,
    bias_count=2048,
    scratch_offset=0x200000,
    scratch_bytes=0x100000,
    weight_offset=0x400000,
    weight_bytes=0x20000,
    kernels=(5120, 4096),
    data_offset=0x800000,
    fifo_base=0x50000000,
    fast_fifo_base=0x400C0400,
    pointer_bits=15,
    counts_have_stops=True,
    clears=(
        (1 << 7, "registers", 1 << 25),
        (1 << 10, "bias", 1 << 25),
        (1 << 0, "data", 1 << 18),
        (1 << 2, "weights", 1 << 19),
        (1 << 4, "scratch", 1 << 20),
        (1 << 6, "bias", 1 << 21),
    ),
)  # fmt: skip

LAYOUTS: Final = {layout.device.name: layout for layout in (LAYOUT_78000, LAYOUT_78002)}
