"""The two parts with this accelerator: where its memories lie and what they hold.

Source: ai8x-synthesis, izer/tornadocnn.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """``memory_bytes`` is what one data memory holds, ``instance_bytes`` the way to the next;
    ``kernels``: 9 bytes each, of the smallest of a processor's weight memories; ``pll``: the
    accelerator's clock is the PLL; ``pads_in_passes``: Conv1d may pad over several passes;
    ``has_latency_model``: ADI publishes one; ``layers``, ``biases`` (of a layer) and ``side`` (of
    an image): at most so many; ``depthwise``: it has such convolutions; ``pools_in_passes``: a
    layer that only pools may have more than 64 channels; ``bus_ns``: how long the processor waits
    for a word of the accelerator's memories, at least and at most (BUS_NS)."""

    name: str
    control_base: int
    data_base: int
    quadrant_bytes: int
    instance_bytes: int
    memory_bytes: int
    kernels: int
    clock_hz: int
    pll: bool
    pads_in_passes: bool
    has_latency_model: bool
    layers: int
    biases: int
    side: int
    depthwise: bool
    pools_in_passes: bool
    bus_ns: tuple[int, int]

    @property
    def half_bytes(self) -> int:
        return self.memory_bytes // 2


# Application note 7664, table 4 (MAX78002, processor at 120 MHz, accelerator loaded at 50): loading
# takes 0.27 to 0.29 us a word, of inputs and of kernels, with ADI's loop, of which eight cycles of
# the processor are taken off at most. (The two networks with 48 input channels are printed with
# less than a third of that, for which no reason is known: they are left out.) That a load takes as
# long as a store is an assumption. Of the MAX78000 nothing was published: none, or as many cycles
# of its bus, which has 50 MHz where the other's has 60.
BUS_NS = {"MAX78000": (0, 350), "MAX78002": (200, 290)}

MAX78000 = Device(
    name="MAX78000",
    control_base=0x50100000,
    data_base=0x50400000,
    quadrant_bytes=0x400000,
    instance_bytes=0x8000,
    memory_bytes=0x8000,
    kernels=768,
    clock_hz=50_000_000,
    pll=False,
    pads_in_passes=True,
    has_latency_model=True,
    layers=32,
    biases=512,
    side=1023,
    depthwise=False,
    pools_in_passes=False,
    bus_ns=BUS_NS["MAX78000"],
)
MAX78002 = Device(
    name="MAX78002",
    control_base=0x51000000,
    data_base=0x51800000,
    quadrant_bytes=0x1000000,
    instance_bytes=0x20000,
    memory_bytes=0x14000,
    kernels=4096,
    clock_hz=200_000_000,
    pll=True,
    pads_in_passes=False,
    has_latency_model=False,
    layers=128,
    biases=2048,
    side=2047,
    depthwise=True,
    pools_in_passes=True,
    bus_ns=BUS_NS["MAX78002"],
)
DEVICES = {device.name: device for device in (MAX78000, MAX78002)}
