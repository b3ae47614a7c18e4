"""Whose result a folder holds: round, division, submitter, system, benchmark, by its path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROUND = re.compile(r"(?:[\w.-]*[_-])?v(\d+\.\d+)(?:-[\w.-]+)?")
BENCHMARKS = {
    "kws": ("kws", "kws01", "keyword_spotting"),
    "vww": ("vww", "vww01", "visual_wake_words", "visual_wake_word", "person_detection"),
    "ic": ("ic", "ic01", "image_classification"),
    "ic02": ("ic02",),
    "ad": ("ad", "ad01", "anomaly_detection"),
    "sww": ("sww", "strww", "sww01", "strww01", "streaming_wakeword", "streaming"),
}
DIVISIONS = ("closed", "open", "preview")
_BY_NAME = {name: key for key, names in BENCHMARKS.items() for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Empty where neither path nor log says it. ``variant`` is a level that a submitter put between
    the benchmark and the mode, such as the name of a network."""

    round: str = ""
    division: str = ""
    submitter: str = ""
    system: str = ""
    benchmark: str = ""
    variant: str = ""


def benchmark_of(name: str) -> str:
    """The benchmark's short name for a folder's or a model's name, else empty."""
    return _BY_NAME.get(name.strip().lower(), "")


def identify(path: Path, *, has_own_mode: bool, model: str = "") -> Identity:
    """By MLCommons' layout: ROUND/DIVISION/SUBMITTER/results/SYSTEM/BENCHMARK/MODE/. ``model`` is
    the device's own word for the benchmark, which serves where the path has none."""
    parts = path.resolve().parts
    places = [
        at
        for at, part in enumerate(parts)
        if part == "results" and at >= 2 and parts[at - 2].lower() in DIVISIONS
    ]
    place = places[-1] if places else None
    # A system may be called BOARD_V1.0: the round stands above the division.
    above = parts if place is None else parts[: place - 2]
    rounds = [found.group(1) for part in above if (found := ROUND.fullmatch(part))]
    below = list(parts[place + 1 :] if place is not None else parts)
    if has_own_mode:
        below = below[:-1]
    named = [at for at, part in enumerate(below) if benchmark_of(part)]
    at = named[-1] if named else len(below)
    benchmark = benchmark_of(below[at]) if named else benchmark_of(model)
    system, variant = "", ""
    if place is not None:
        system, variant = "/".join(below[:at]), "/".join(below[at + 1 :])
    return Identity(
        round=f"v{rounds[-1]}" if rounds else "",
        division=parts[place - 2].lower() if place is not None else "",
        submitter=parts[place - 1] if place is not None else "",
        system=system,
        benchmark=benchmark,
        variant=variant,
    )
