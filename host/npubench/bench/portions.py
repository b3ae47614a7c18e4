"""How a vendor's simulator is asked: how far it is gets told, and a slow one is asked for no more
inputs than the verdict needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from npubench.bench.scheme import FIRST_SAMPLES, Array
from npubench.compiler.vendor.simulation import Simulation
from npubench.core.progress import Event, Reporter

PACE_S = 10.0
"""No more often than this is told how far a simulator is."""


class Pace:
    """Tells how far a simulator is, with the time to go, every few seconds."""

    def __init__(
        self,
        reporter: Reporter,
        job: str,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reporter, self._job, self._name, self._clock = reporter, job, name, clock
        self._begin = self._told = clock()
        self._asked = 0
        self.prefix = ""

    def begin(self, prefix: str = "") -> None:
        """A new question: the time to go is counted from here."""
        self._begin, self._asked, self.prefix = self._clock(), 0, prefix

    def heard(self, done: int, count: int, words: str) -> None:
        """See vendor.simulation.Heard."""
        now = self._clock()
        if count != self._asked or not done:  # the time before the first input is the compiler's
            self._asked, self._begin = count, now
        if now - self._told < PACE_S:
            return
        self._told = now
        text = self.prefix
        if count > 1 or not words:
            text += f"{done} of {count} inputs"
            if done and now > self._begin:
                text += f", about {span((now - self._begin) / done * (count - done))} to go"
            if words:
                text += ", "
        self._reporter.event(
            Event(job=self._job, step=self._name, state="note", detail=text + words)
        )


def span(seconds: float) -> str:
    """Seconds or minutes, rounded as a guess deserves."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """``simulation``: its outputs are the answers to the first ``samples`` of the inputs; ``more``:
    those to the further ones."""

    simulation: Simulation
    samples: int
    more: tuple[Array, ...]


def answered(
    ask: Callable[[tuple[Array, ...]], Simulation],
    codes: tuple[Array, ...],
    further: tuple[Array, ...] | None,
    *,
    is_slow: bool,
    is_enough: Callable[[tuple[Array, ...]], bool],
) -> Answered:
    """Ask for ``codes``, and for ``further`` inputs whatever those gave; ``ask`` runs some of them.
    A slow simulator is asked for the first ones alone, and for the rest where ``is_enough`` says no
    to their answers."""
    count = len(codes[0])
    if not is_slow or count <= FIRST_SAMPLES:
        whole = ask(codes if further is None else _joined(codes, further))
        return _split(whole, count)
    first = ask(tuple(array[:FIRST_SAMPLES] for array in codes))
    if is_enough(first.outputs):
        count = FIRST_SAMPLES
        left = further
    else:
        rest = tuple(array[FIRST_SAMPLES:] for array in codes)
        left = rest if further is None else _joined(rest, further)
    if left is None:
        return _split(first, count)
    second = ask(left)
    return _split(_with(first, _joined(first.outputs, second.outputs)), count)


def _joined(one: tuple[Array, ...], other: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(np.concatenate(pair) for pair in zip(one, other, strict=True))


def _with(simulation: Simulation, outputs: tuple[Array, ...]) -> Simulation:
    return replace(simulation, outputs=outputs)


def _split(simulation: Simulation, count: int) -> Answered:
    return Answered(
        simulation=_with(simulation, tuple(array[:count] for array in simulation.outputs)),
        samples=count,
        more=tuple(array[count:] for array in simulation.outputs),
    )
