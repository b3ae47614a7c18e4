"""The accelerator's configurations: MACs per cycle, SHRAM, micro-blocks, register identity."""

from __future__ import annotations

from dataclasses import dataclass

from npubench.core.errors import UsageError

PRODUCT_U55, PRODUCT_U65 = 0, 1
STREAM_VERSION = 0
ARCH_ID = 0x10066001


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One Ethos-U55 or U65. ``ublock``: OFM micro-block height, width, depth of a core, and
    ``ifm_ublock_depth``. ``cores`` share the work and ``shram_kb`` by output channel;
    ``axi_bytes``: width of a port.
    """

    name: str
    macs: int
    shram_kb: int
    ublock: tuple[int, int, int]
    ifm_ublock_depth: int = 8
    product: int = PRODUCT_U55
    cores: int = 1
    axi_bytes: int = 8

    @property
    def core_shram_bytes(self) -> int:
        """SHRAM of one core, as the stream addresses it; lookup tables end with it."""
        return self.shram_kb * 1024 // self.cores

    @property
    def config_register(self) -> int:
        """CONFIG: macs_per_cc (log2, bits 0-3), stream version (4-7), SHRAM KB (8-15), product."""
        return (
            (self.macs.bit_length() - 1)
            | STREAM_VERSION << 4
            | self.shram_kb << 8
            | self.product << 28
        )


ACCELERATORS = {
    accelerator.name: accelerator
    for accelerator in (
        Accelerator(name="ethos-u55-32", macs=32, shram_kb=16, ublock=(1, 1, 4)),
        Accelerator(name="ethos-u55-64", macs=64, shram_kb=16, ublock=(1, 1, 8)),
        Accelerator(name="ethos-u55-128", macs=128, shram_kb=24, ublock=(1, 2, 8)),
        Accelerator(name="ethos-u55-256", macs=256, shram_kb=48, ublock=(2, 2, 8)),
        Accelerator(
            name="ethos-u65-256",
            macs=256,
            shram_kb=48,
            ublock=(2, 2, 8),
            product=PRODUCT_U65,
            axi_bytes=16,
        ),
        Accelerator(
            name="ethos-u65-512",
            macs=512,
            shram_kb=96,
            ublock=(2, 2, 8),
            product=PRODUCT_U65,
            cores=2,
            axi_bytes=16,
        ),
    )
}


def accelerator(name: str) -> Accelerator:
    """The configuration called ``name``, as Vela spells it. Raises UsageError."""
    try:
        return ACCELERATORS[name]
    except KeyError:
        raise UsageError(
            f"there is no model of accelerator {name!r}", hint=f"known: {', '.join(ACCELERATORS)}"
        ) from None
