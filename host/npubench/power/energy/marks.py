"""Marks as the device recorded them, in seconds of its own clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npubench.wire.answers import Burst

IDLE, PAUSE = 6, 7
STAGE_OF_CODE = {1: "init_warm", 2: "load", 3: "infer", 4: "unload", 5: "post", IDLE: "idle"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One marked window: the level ``code`` from ``up_s`` to ``down_s``, the work within it.

    ``slept``: the device slept in it, so that its clock may have stood still meanwhile.
    """

    code: int
    repeats: int
    up_s: float
    begin_s: float
    end_s: float
    down_s: float
    slept: bool = False


def marks_of(bursts: Sequence[Burst], hz: float) -> tuple[Mark, ...]:
    """Bursts in seconds after the first one's level, for a counter of ``hz``.

    A sleep in which the counter stood still is filled in with its nominal length, so that the
    marks stay in order; the fit of clocks finds the true one.
    """
    marks: list[Mark] = []
    origin = bursts[0].up if bursts else 0
    shift_s = 0.0
    for burst in bursts:
        up, begin, end, down = (
            (count - origin) / hz + shift_s
            for count in (burst.up, burst.begin, burst.end, burst.down)
        )
        if burst.slept and end - begin < burst.repeats / 2000:
            missing_s = burst.repeats / 1000 - (end - begin)
            end, down, shift_s = end + missing_s, down + missing_s, shift_s + missing_s
        marks.append(
            Mark(
                code=burst.code,
                repeats=burst.repeats,
                slept=burst.slept,
                up_s=up,
                begin_s=begin,
                end_s=end,
                down_s=down,
            )
        )
    return tuple(marks)
