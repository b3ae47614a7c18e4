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
    layer that only pools may have more than 64 channels."""

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

    @property
    def half_bytes(self) -> int:
        return self.memory_bytes // 2


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
)
DEVICES = {device.name: device for device in (MAX78000, MAX78002)}
