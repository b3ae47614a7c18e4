"""Which kernel serves a layer: of those that serve exactly the best for the goal.

``speed``: the fewest instructions by the kernels' own predictions. ``size``: the fewest bytes of
constants. ``ram``: the least scratch memory, and what can work in place first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from npubench.compiler.lower.site import Choice, Lowering, Site
from npubench.compiler.plan import KernelCall

Offer = Callable[[], Lowering | str]


def fastest(site: Site, offers: Mapping[str, Offer], portable: Lowering) -> Lowering:
    """The best lowering for the site's goal among those flavours that the core can run.

    ``portable`` is taken where none serves, with the reasons that the offers give instead, and
    where it is the best by size or memory.
    """
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
    if site.goal == "speed":
        return min(made, key=_instructions)
    key = _size if site.goal == "size" else _memory
    best = min((*made, portable), key=lambda lowering: (key(lowering), _instructions(lowering)))
    if best is portable:
        return _explained(portable, f"chosen for {site.goal}")
    return best


def _choice(lowering: Lowering) -> Choice:
    call, _ = lowering
    assert isinstance(call, KernelCall)
    assert call.choice is not None
    return call.choice


def _instructions(lowering: Lowering) -> int:
    return _choice(lowering).instructions or 0


def _size(lowering: Lowering) -> int:
    return sum(len(constant.data) for constant in lowering[1])


def _memory(lowering: Lowering) -> int:
    call, _ = lowering
    assert isinstance(call, KernelCall)
    return call.scratch_bytes


def _explained(portable: Lowering, reason: str) -> Lowering:
    call, constants = portable
    assert isinstance(call, KernelCall)
    given = call.choice or Choice(reason="")
    return replace(call, choice=replace(given, reason=reason)), constants
