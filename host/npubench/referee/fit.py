"""Fits a part's weights from the counts of published images and their published cycles, and says
how wrong the fit is on images that it has not seen.

Everything follows from ``cycles/data/images.json``; equal images give equal weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from npubench.cycles.images import Image
from npubench.cycles.terms import CANDIDATES, count_of, prior_cycles
from npubench.cycles.weights import Energy, Model, PartWeights

if TYPE_CHECKING:
    import numpy as np

MAX_TERMS = 2
IMAGES_PER_TERM = 4
ALIKE_PCT = 1.5
"""A model whose held-out error is within this of the best cannot be told from it."""
MAX_MODELS = 6
FLOOR_PCT = 1.0
SMALL = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Images of one part as arrays: published cycles, documented cycles, counts by term, and the
    group (engine or benchmark) and benchmark of each."""

    core: str
    published: np.ndarray[Any, Any]
    prior: np.ndarray[Any, Any]
    counts: dict[str, np.ndarray[Any, Any]]
    groups: np.ndarray[Any, Any]
    benchmarks: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One choice of terms, fitted on all images; relative errors of the held-out predictions."""

    terms: tuple[str, ...]
    weights: tuple[float, ...]
    errors: np.ndarray[Any, Any]
    benchmark_errors: np.ndarray[Any, Any]


def samples_of(images: Sequence[Image]) -> Samples:
    """Arrays of images of one core."""
    import numpy as np

    core = images[0].core
    engines = [image.engine for image in images]
    benchmarks = [image.benchmark for image in images]
    return Samples(
        core=core,
        published=np.array([image.published_cycles for image in images]),
        prior=np.array([prior_cycles(core, image.counts) for image in images]),
        counts={
            term: np.array([count_of(image.counts, term) for image in images])
            for term in CANDIDATES[core]
        },
        groups=np.array(engines if len(set(engines)) > 1 else benchmarks),
        benchmarks=np.array(benchmarks),
    )


def fit_terms(samples: Samples, terms: Sequence[str], chosen: Any) -> tuple[float, ...]:
    """Non-negative weights that minimise the relative error over the chosen images."""
    import numpy as np
    from scipy.optimize import nnls

    if not terms:
        return ()
    published = samples.published[chosen]
    matrix = np.array([samples.counts[term][chosen] / published for term in terms]).T
    return tuple(float(w) for w in nnls(matrix, 1 - samples.prior[chosen] / published)[0])


def predict(samples: Samples, terms: Sequence[str], weights: Sequence[float]) -> Any:
    """Cycles of every image."""
    total = samples.prior.copy()
    for term, weight in zip(terms, weights, strict=True):
        total = total + weight * samples.counts[term]
    return total


def held_out(samples: Samples, terms: Sequence[str], groups: Any, among: Any) -> Any:
    """Relative errors of the images ``among``, each predicted without its group."""
    import numpy as np

    errors = np.zeros(len(samples.published))
    for group in sorted(set(groups[among])):
        others = among & (groups != group)
        mine = among & (groups == group)
        weights = fit_terms(samples, terms, others)
        errors[mine] = (predict(samples, terms, weights) / samples.published - 1)[mine]
    return errors[among]


def choices(core: str, images: int) -> Iterable[tuple[str, ...]]:
    """Every choice of terms that a fit of so many images may make."""
    for size in range(1, min(MAX_TERMS, max(1, images // IMAGES_PER_TERM)) + 1):
        yield from combinations(CANDIDATES[core], size)


def candidates(samples: Samples, among: Any) -> list[Candidate]:
    """Fits of every choice in which each term has a part, best held-out error first."""
    import numpy as np

    found = []
    for terms in choices(samples.core, int(among.sum())):
        weights = fit_terms(samples, terms, among)
        if min(weights) <= SMALL:
            continue
        inside = samples.groups if len(set(samples.groups[among])) > 1 else samples.benchmarks
        found.append(
            Candidate(
                terms=terms,
                weights=weights,
                errors=held_out(samples, terms, inside, among),
                benchmark_errors=held_out(samples, terms, samples.benchmarks, among),
            )
        )
    found.sort(key=lambda item: (_score(item), item.terms))
    if not found:
        raise ValueError(f"no term of {samples.core} explains anything")
    del np
    return found


def _score(candidate: Candidate) -> float:
    """Root mean square of the held-out errors, both ways of leaving out."""
    both = [*candidate.errors, *candidate.benchmark_errors]
    return float((sum(error * error for error in both) / len(both)) ** 0.5)


def nested_errors(samples: Samples) -> Any:
    """Held-out errors with the terms chosen anew without the group that is predicted."""
    import numpy as np

    errors = np.zeros(len(samples.published))
    everything = np.ones(len(errors), dtype=bool)
    for group in sorted(set(samples.groups)):
        others = everything & (samples.groups != group)
        best = candidates(samples, others)[0]
        mine = samples.groups == group
        errors[mine] = (predict(samples, best.terms, best.weights) / samples.published - 1)[mine]
    return errors


def ratio_error(samples: Samples) -> float:
    """How far the ratio of two images of one benchmark is off at worst, where the model knows
    nothing of that benchmark: what it has wrong of both cancels."""
    worst = 0.0
    for benchmark in sorted(set(samples.benchmarks)):
        mine = samples.benchmarks == benchmark
        best = candidates(samples, ~mine)[0]
        values = (predict(samples, best.terms, best.weights) / samples.published)[mine]
        worst = max(worst, float(max(values) / min(values) - 1))
    return worst


def fit_part(part: str, images: Sequence[Image]) -> PartWeights:
    """The weights of one part from its images (those that ``is_fitted``)."""
    import numpy as np

    samples = samples_of(images)
    everything = np.ones(len(images), dtype=bool)
    ranked = candidates(samples, everything)
    best = _score(ranked[0])
    alike = [item for item in ranked if 100 * (_score(item) - best) <= ALIKE_PCT][:MAX_MODELS]
    nested = nested_errors(samples)
    engines = tuple(sorted({image.engine for image in images}))
    inside = predict(samples, ranked[0].terms, ranked[0].weights) / samples.published - 1
    told = np.concatenate([nested, ranked[0].errors, inside])
    return PartWeights(
        part=part,
        core=samples.core,
        hz=images[0].hz,
        images=len(images),
        engines=engines,
        held_out="engine" if len(engines) > 1 else "benchmark",
        models=tuple(
            Model(
                terms={t: round(w, 4) for t, w in zip(item.terms, item.weights, strict=True)},
                held_out_mean_pct=_pct(np.mean(np.abs(item.errors))),
                held_out_worst_pct=_pct(np.max(np.abs(item.errors))),
            )
            for item in alike
        ),
        nested_mean_pct=_pct(np.mean(np.abs(nested))),
        nested_worst_pct=_pct(np.max(np.abs(nested))),
        over_pct=max(FLOOR_PCT, _pct(max(0.0, float(np.max(told))))),
        under_pct=max(FLOOR_PCT, _pct(max(0.0, -float(np.min(told))))),
        ratio_pct=max(FLOOR_PCT, _pct(ratio_error(samples))),
        energy=tuple(fit_energy(images)),
    )


def fit_energy(images: Sequence[Image]) -> Iterable[Energy]:
    """Energy per cycle of each configuration with three published energies or more."""
    groups: dict[tuple[str, str, float], list[Image]] = {}
    for image in images:
        if image.published_energy_uj is not None and image.voltage_mv is not None:
            key = (image.engine, image.release, image.voltage_mv)
            groups.setdefault(key, []).append(image)
    for (engine, release, voltage_mv), members in sorted(groups.items()):
        rates = [1e3 * (i.published_energy_uj or 0.0) / i.published_cycles for i in members]
        if len(rates) < 3:
            continue
        worst = 0.0
        for index, rate in enumerate(rates):
            others = rates[:index] + rates[index + 1 :]
            worst = max(worst, abs(sum(others) / len(others) / rate - 1))
        yield Energy(
            configuration=f"{release}, {voltage_mv / 1000:g} V, {members[0].hz / 1e6:g} MHz",
            submitter=engine,
            voltage_mv=voltage_mv,
            hz=members[0].hz,
            nj_per_cycle=round(sum(rates) / len(rates), 4),
            error_pct=_pct(worst),
            images=len(rates),
        )


def fit_all(images: Sequence[Image]) -> list[PartWeights]:
    """Weights of every part with enough images, in the order of their names."""
    by_part: dict[str, list[Image]] = {}
    for image in images:
        if image.is_fitted:
            by_part.setdefault(image.part, []).append(image)
    return [
        fit_part(part, members)
        for part, members in sorted(by_part.items())
        if len(members) >= 4 and len({m.benchmark for m in members}) >= 3
    ]


def _pct(ratio: Any) -> float:
    return round(100 * float(ratio), 2)
