"""Where marker levels change in a capture, between which samples, and what they change to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npubench.power.source.interface import Block

# A level that lasts fewer samples than this is pins that did not change at the same time.
SHORTEST_LEVEL_SAMPLES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Which inputs carry what. ``codes``: the inputs of the stage-code pins, lowest bit first;
    ``busy``: the input of the timestamp pin, low while a stage runs, where there is only one."""

    codes: tuple[int, ...] = (0, 1, 2)
    busy: int | None = None

    @property
    def knows_codes(self) -> bool:
        """Whether an edge says which stage it belongs to."""
        return len(self.codes) == 3

    def code_of(self, markers: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The stage code of each sample; with one input 1 while any stage runs."""
        if not self.knows_codes:
            bit = self.busy if self.busy is not None else 0
            return (((markers >> bit) & 1) ^ 1).astype(np.uint8)
        code = np.zeros(len(markers), np.uint8)
        for place, bit in enumerate(self.codes):
            code |= ((markers >> bit) & 1) << place
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A change of the level. ``place`` in samples: half way between the last sample of the old
    level and the first of the new one."""

    place: float
    before: int
    after: int


class EdgeFinder:
    """Collects the edges of a capture that is fed block by block."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._level: int | None = None
        self._edges: list[Edge] = []

    def feed(self, block: Block) -> None:
        """Take the next block."""
        if not len(block):
            return
        codes = self._wiring.code_of(block.markers)
        if self._level is None:
            self._level = int(codes[0])
        before = np.concatenate((np.array([self._level], np.uint8), codes[:-1]))
        for at in np.flatnonzero(codes != before):
            self._edges.append(
                Edge(
                    place=block.first + int(at) - 0.5,
                    before=int(before[at]),
                    after=int(codes[at]),
                )
            )
        self._level = int(codes[-1])

    def edges(self) -> tuple[Edge, ...]:
        """All edges so far, levels that were too short to be meant left out."""
        kept: list[Edge] = []
        for edge in self._edges:
            if kept and edge.place - kept[-1].place < SHORTEST_LEVEL_SAMPLES:
                previous = kept.pop()
                if previous.before != edge.after:
                    kept.append(
                        Edge(place=previous.place, before=previous.before, after=edge.after)
                    )
                continue
            kept.append(edge)
        return tuple(kept)
