"""Published software built again here: an engine that no weights were fitted on, held out once.

Its code is public and so are its latencies, but no image of it: it was compiled here, ran on a
part's board model, and its cycles were predicted by the weights of that day. Figures alone.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from npubench.cycles.images import Predicted

FILE = "rebuilt.json"


class Rebuilt(BaseModel):
    """One benchmark of a release. ``weights``: of the part, or of the core where the part has none.
    ``outputs``: TensorFlow Lite Micro's for the benchmark's network, or not compared, since the
    release quantizes that network in a way of its own. ``counts`` of one inference;
    ``predicted`` by the weights of the day; ``again_cycles``: the same software on the same board,
    published by another submitter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    release: str
    repository: str
    path: str
    engine: str
    part: str
    weights: str
    benchmark: str
    hz: int
    published_latency_us: float
    published_cycles: float
    again_cycles: float | None = None
    outputs: Literal["equal", "not compared"]
    instructions: int
    counts: dict[str, int] = Field(default_factory=dict)
    predicted: Predicted


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: int = Field(alias="schema")
    built: str
    rows: tuple[Rebuilt, ...]


@cache
def load_rebuilt() -> tuple[Rebuilt, ...]:
    """Every rebuilt release, in the order of the file."""
    return _file().rows


def how_built() -> str:
    """With what it was compiled, and how that differs from the publication's own build."""
    return _file().built


@cache
def _file() -> _File:
    text = files("npubench.cycles").joinpath("data", FILE).read_text(encoding="utf-8")
    return _File.model_validate(json.loads(text))
