"""Published images as numbers: what each executes for one inference, and what silicon took for it.

No byte of an image is here; ``path`` says where the public repository keeps it.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

FILE = "images.json"


class Predicted(BaseModel):
    """Cycles as they were predicted before the published ones were looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    mid: float
    high: float


class Image(BaseModel):
    """One image. ``engine``: whose inference code; ``release``: round and folder. ``counts`` of
    one inference (empty where it was not counted, then ``reason`` says why). ``excluded``: why it
    takes no part in a fit; ``same_as``: the image with the same counts and the same published
    latency, which counts for both; ``predicted``: of an image that was kept back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: int
    repository: str
    path: str
    part: str
    core: str
    engine: str
    release: str
    benchmark: str
    mode: str
    hz: int
    published_latency_us: float
    published_cycles: float
    published_energy_uj: float | None = None
    voltage_mv: float | None = None
    bounded_by: str | None = None
    instructions: int | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    registers: dict[str, int] = Field(default_factory=dict)
    same_as: str | None = None
    excluded: str | None = None
    predicted: Predicted | None = None
    reason: str | None = None

    @property
    def is_fitted(self) -> bool:
        """Whether a fit uses it."""
        return bool(self.counts) and self.excluded is None and self.same_as is None


@cache
def load_images() -> tuple[Image, ...]:
    """Every published image that is known, in the order of the file."""
    text = files("npubench.cycles").joinpath("data", FILE).read_text(encoding="utf-8")
    return tuple(Image.model_validate(item) for item in json.loads(text)["images"])


def image_of(sha256: str) -> Image | None:
    """The known image with this hash, if there is one."""
    return next((image for image in load_images() if image.sha256 == sha256), None)
