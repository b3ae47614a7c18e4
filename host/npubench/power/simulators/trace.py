"""A current over time, exactly: piecewise constant, with marker levels and a voltage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A current and a marker level that hold for a while."""

    seconds: float
    current_ua: float
    level: int = 0


class Trace:
    """Pieces after each other from time 0 on. What comes before and after is like the ends."""

    def __init__(self, pieces: Sequence[Piece], *, supply_mv: float = 3000.0) -> None:
        kept = [piece for piece in pieces if piece.seconds > 0]
        lengths = np.array([piece.seconds for piece in kept], float)
        self.edges_s: NDArray[np.float64] = np.concatenate(([0.0], np.cumsum(lengths)))
        self.current_ua: NDArray[np.float64] = np.array([piece.current_ua for piece in kept], float)
        self.levels: NDArray[np.uint8] = np.array([piece.level for piece in kept], np.uint8)
        self.supply_mv = supply_mv
        self._charge_uc = np.concatenate(([0.0], np.cumsum(lengths * self.current_ua)))

    @property
    def seconds(self) -> float:
        """How long it is."""
        return float(self.edges_s[-1])

    def charge_uc(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """The charge that flowed from 0 to each time, in microcoulombs; exact."""
        inside = np.interp(time_s, self.edges_s, self._charge_uc)
        before = np.minimum(time_s, 0.0) * self.current_ua[0]
        after = np.maximum(time_s - self.seconds, 0.0) * self.current_ua[-1]
        return np.asarray(inside + before + after)

    def level_at(self, time_s: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The marker level at each time."""
        place = np.searchsorted(self.edges_s, time_s, side="right") - 1
        outside = (place < 0) | (place >= len(self.levels))
        levels = self.levels[np.clip(place, 0, len(self.levels) - 1)]
        return np.where(outside, np.uint8(0), levels)

    def energy_uj(self, begin_s: float, end_s: float) -> float:
        """The true energy between two times, in microjoules."""
        charge = self.charge_uc(np.array([begin_s, end_s]))
        return float(charge[1] - charge[0]) * self.supply_mv / 1000.0
