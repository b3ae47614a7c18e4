"""What kind of knowledge a number is: derived from how it was obtained, never set by hand."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Evidence(StrEnum):
    """How a number was obtained, strongest first. See docs/numbers.md."""

    MEASURED = "measured"
    COUNTED = "counted"
    STATIC = "static"
    MODELLED = "modelled"
    PREDICTED = "predicted"
    PUBLISHED = "published"
    UNAVAILABLE = "unavailable"


_ORDER = {evidence: rank for rank, evidence in enumerate(Evidence)}

MEANING: dict[Evidence, str] = {
    Evidence.MEASURED: "read from a physical board or instrument",
    Evidence.COUNTED: "instructions retired in an emulator: repeatable, not cycles, not time",
    Evidence.STATIC: "read from the ELF and its link map",
    Evidence.MODELLED: "output of a documented model, not an observation",
    Evidence.PREDICTED: "calculated from the network alone; nothing was run",
    Evidence.PUBLISHED: "quoted from a publication",
    Evidence.UNAVAILABLE: "cannot be had here; the record says why",
}


def weakest(kinds: Iterable[Evidence]) -> Evidence:
    """The weakest evidence among ``kinds``; UNAVAILABLE when there is none."""
    return max(kinds, key=_ORDER.__getitem__, default=Evidence.UNAVAILABLE)
