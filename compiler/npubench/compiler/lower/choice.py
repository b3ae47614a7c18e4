"""Which kernel serves a layer: of those that compute it exactly the one with the fewest
instructions, by the kernels' own predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from npubench.compiler.lower.site import Choice, Lowering, Site
from npubench.compiler.plan import KernelCall

Offer = Callable[[], Lowering | str]


def fastest(site: Site, offers: Mapping[str, Offer], portable: Lowering) -> Lowering:
    """The fastest lowering among those flavours that the core can run; ``portable`` where none
    serves, with the reasons that the offers give instead."""
    made: list[Lowering] = []
    refusals = []
    for flavour in site.flavours:
        if flavour not in offers:
            continue
        offer = offers[flavour]()
        if isinstance(offer, str):
            refusals.append(f"{flavour}: {offer}")
        else:
            made.append(offer)
    if not made:
        return _explained(portable, "; ".join(refusals) or "no other kernel for this core")
    return min(made, key=_instructions)


def _choice(lowering: Lowering) -> Choice:
    call, _ = lowering
    assert isinstance(call, KernelCall)
    assert call.choice is not None
    return call.choice


def _instructions(lowering: Lowering) -> int:
    return _choice(lowering).instructions or 0


def _explained(portable: Lowering, reason: str) -> Lowering:
    call, constants = portable
    assert isinstance(call, KernelCall)
    given = call.choice or Choice(reason="")
    return replace(call, choice=replace(given, reason=reason)), constants
