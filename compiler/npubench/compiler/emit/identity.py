"""How an emitted firmware presents itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Our id of the model, and MLPerf Tiny's where the model is one of theirs.

    ``mlperf_input``: how ``db`` uploads the input; ``mlperf_result``: scores, or the mean squared
    error between input and output. ``version`` is npubench's. ``boxes``: of each cell, where the
    network is a detector whose answer is decoded in ``post``; 0 elsewhere.
    """

    model_id: str
    mlperf_id: str | None
    mlperf_input: Literal["int8", "u8", "f32le"]
    mlperf_result: Literal["scores", "mse"]
    version: str
    boxes: int = 0
