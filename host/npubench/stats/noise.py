"""Where noise comes in, among steps that take what others give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def noisiest(noise: Mapping[int, float], sources: Mapping[int, Sequence[int]]) -> int | None:
    """The step that adds most noise beside its signal; None where none adds any.

    ``noise``: after each step that was looked at, the ratio of the powers of noise and signal (in
    decibels the first step would be named, before which there is none); ``sources``: of every step,
    in their order, those before it. A step that was not looked at hands on what came in: the next
    one that was stands for it.
    """
    worst, most = None, 0.0
    after: dict[int, float] = {}
    for step, before in sources.items():
        came = max((after.get(source, 0.0) for source in before), default=0.0)
        after[step] = noise.get(step, came)
        if after[step] - came > most:
            worst, most = step, after[step] - came
    return worst
