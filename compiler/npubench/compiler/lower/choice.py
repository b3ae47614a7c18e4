"""Which kernel serves a layer: by its own prediction the cheapest of those that serve exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from npubench.compiler.lower.site import Choice, Lowering, Site
from npubench.compiler.plan import KernelCall

Offer = Callable[[], Lowering | str]


def fastest(site: Site, offers: Mapping[str, Offer], portable: Lowering) -> Lowering:
    """The lowering with the fewest predicted instructions among those flavours that the core can
    run; ``portable`` where none serves, with the reasons that the offers give instead."""
    best: Lowering | None = None
    refusals = []
    for flavour in site.flavours:
        if flavour not in offers:
            continue
        offer = offers[flavour]()
        if isinstance(offer, str):
            refusals.append(f"{flavour}: {offer}")
        elif best is None or _cost(offer) < _cost(best):
            best = offer
    return best if best is not None else _explained(portable, refusals)


def _cost(lowering: Lowering) -> int:
    call, _ = lowering
    assert isinstance(call, KernelCall)
    assert call.choice is not None
    return call.choice.instructions or 0


def _explained(portable: Lowering, refusals: list[str]) -> Lowering:
    call, constants = portable
    assert isinstance(call, KernelCall)
    given = call.choice or Choice(reason="")
    reason = "; ".join(refusals) or "no other kernel for this core"
    return replace(call, choice=replace(given, reason=reason)), constants
