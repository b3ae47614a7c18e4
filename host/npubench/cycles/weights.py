"""Weights of parts, with the errors that held-out images gave; and what follows for a tally."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from npubench.cycles.terms import count_of, prior_cycles

FILE = "weights.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Model(_Part):
    """One form: documented costs of the core plus these terms, cycles per count. ``alike``: its
    held-out error cannot be told from the best form's."""

    terms: dict[str, Annotated[float, Field(ge=0)]]
    held_out_rms_pct: float
    alike: bool


class Energy(_Part):
    """Energy per cycle in one configuration. ``error_pct``: at worst, leaving a benchmark out."""

    configuration: str
    submitter: str
    voltage_mv: float
    hz: int
    nj_per_cycle: float
    error_pct: float
    images: int


class PartWeights(_Part):
    """A part's models: every form that its core may have. Their mean is the part's model.

    ``held_out`` says what was left out; ``mean_pct``, ``worst_pct``: errors of the mean of all
    forms on what was left out. ``chosen_*``: the same with one form chosen inside each fold, which
    is worse. ``over_pct``/``under_pct``: how much was predicted too much and too little at worst.
    ``ratio_pct``: how far the ratio of two images of one benchmark was off at worst, with that
    benchmark left out. ``wait_states`` of the flash, as the images set them. ``parts``: a core's
    weights, from all of them, with one whole part left out; it has no clock of its own (``hz`` 0).
    """

    part: str
    core: str
    hz: int
    wait_states: int
    images: int
    engines: tuple[str, ...]
    parts: tuple[str, ...] = ()
    held_out: Literal["engine", "benchmark", "part"]
    models: tuple[Model, ...]
    mean_pct: float
    worst_pct: float
    chosen_mean_pct: float
    chosen_worst_pct: float
    over_pct: float
    under_pct: float
    ratio_pct: float
    energy: tuple[Energy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A modelled value with its bounds."""

    low: float
    mid: float
    high: float

    def times(self, factor: float, *, over_pct: float = 0.0, under_pct: float = 0.0) -> Range:
        """Scaled, and widened where the factor itself has an error."""
        return Range(
            low=self.low * factor / (1 + over_pct / 100),
            mid=self.mid * factor,
            high=self.high * factor * (1 + under_pct / 100),
        )


@cache
def load_weights() -> Mapping[str, PartWeights]:
    """Weights by part, as ``board.part`` names it."""
    text = files("npubench.cycles").joinpath("data", FILE).read_text(encoding="utf-8")
    found = (PartWeights.model_validate(item) for item in json.loads(text)["parts"])
    return {weights.part: weights for weights in found}


@cache
def load_cores() -> Mapping[str, PartWeights]:
    """Weights of cores, for parts without images of their own."""
    text = files("npubench.cycles").joinpath("data", FILE).read_text(encoding="utf-8")
    found = (PartWeights.model_validate(item) for item in json.loads(text)["cores"])
    return {weights.core: weights for weights in found}


def weights_of(part: str) -> PartWeights | None:
    """The weights of a board's part (its ordering code may be longer), None where there are none:
    then there are no cycles for it."""
    for name, weights in load_weights().items():
        if part.startswith(name):
            return weights
    return None


def model_cycles(model: Model, core: str, counts: Mapping[str, float]) -> float:
    """Cycles by one model."""
    return prior_cycles(core, counts) + sum(
        weight * count_of(counts, term) for term, weight in model.terms.items()
    )


def cycles_by_model(weights: PartWeights, counts: Mapping[str, float]) -> tuple[float, ...]:
    """Cycles by the mean of all forms, then by each that cannot be told from the best."""
    values = [model_cycles(model, weights.core, counts) for model in weights.models]
    alike = [v for v, model in zip(values, weights.models, strict=True) if model.alike]
    return (sum(values) / len(values), *alike)


def cycles_range(weights: PartWeights, counts: Mapping[str, float]) -> Range:
    """Modelled cycles of a tally: the mean of all forms; as low and as high as the worst held-out
    error, or as a form that the images cannot tell from the best, whichever is farther."""
    mid, *alike = cycles_by_model(weights, counts)
    return Range(
        low=min(mid / (1 + weights.over_pct / 100), *alike),
        mid=mid,
        high=max(mid / (1 - weights.under_pct / 100), *alike),
    )


def sentence(weights: PartWeights) -> str:
    """Where a range comes from, in a line."""
    if weights.parts:
        return (
            f"modelled for a {weights.core} by {' and '.join(weights.parts)}, {weights.images} "
            f"images, leave-one-part-out mean {weights.mean_pct:.1f} %, worst "
            f"{weights.worst_pct:.1f} %"
        )
    count = len(weights.engines)
    engines = {1: "one engine", 2: "two engines"}.get(count, f"{count} engines")
    return (
        f"modelled for the {weights.part}; {engines}, {weights.images} images, "
        f"leave-one-{weights.held_out}-out mean {weights.mean_pct:.1f} %, worst "
        f"{weights.worst_pct:.1f} %"
    )
