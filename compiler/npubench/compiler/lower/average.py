"""AVERAGE_POOL_2D with the DSP extension or Helium: several channels of one load at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from npubench.compiler.lower.site import Choice, Lowering, Site
from npubench.compiler.plan import KernelCall

_MOST_PLACES = 255  # sums of int8 stay within 16 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolKernel:
    """A kernel that takes ``channels`` at a time; ``each`` instructions per value that it reads,
    ``base`` per one that it writes, as counted on kws and vww."""

    flavour: str
    channels: int
    each: float
    base: int


DSP = PoolKernel(flavour="dsp", channels=4, each=2.0, base=14)
MVE = PoolKernel(flavour="mve", channels=8, each=0.7, base=24)


def average_pool(
    site: Site, portable: KernelCall, kernel: PoolKernel, window: tuple[int, int]
) -> Lowering | str:
    """The call of ``kernel`` with the portable one's parameters, or why it does not serve."""
    places = window[0] * window[1]
    if site.output().shape[3] % kernel.channels:
        return f"channels are no multiple of {kernel.channels}"
    if places > _MOST_PLACES:
        return f"a window of more than {_MOST_PLACES} places"
    call = replace(
        portable,
        kernel=f"nb_{kernel.flavour}_average_pool_s8",
        source=f"pool_{kernel.flavour}_s8.c",
        flavour=kernel.flavour,
        choice=Choice(
            reason=f"{kernel.channels} channels of a load at a time",
            instructions=round(site.output().count * (kernel.each * places + kernel.base)),
        ),
    )
    return call, ()
