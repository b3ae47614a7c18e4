"""Fits a part's weights from the counts of published images and their published cycles, and says
how wrong they are on images that they have not seen.

Each form of the core's terms is fitted with its weights drawn to what documents let one expect, the
less the more the images say; the part's model is the mean of all forms. So nothing is chosen by
the data, and held-out errors are what they look like. Everything follows from
``cycles/data/images.json``; equal images give equal weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import TYPE_CHECKING, Any

from npubench.cycles.images import Image
from npubench.cycles.rebuilt import Rebuilt
from npubench.cycles.terms import count_of, expected, forms, prior_cycles
from npubench.cycles.weights import Energy, Model, PartWeights, model_cycles

if TYPE_CHECKING:
    import numpy as np

NOISE = 0.03
"""Relative error that even the right form would have: alignment, contention, printing."""
ALIKE_PCT = 1.5
"""A form whose held-out error is within this of the best cannot be told from it."""
FLOOR_PCT = 1.0
LATENCY_MASK = 0xF

Array = Any
Unseen = Image | Rebuilt


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Images of one part as arrays: published cycles, documented cycles, counts by term, and the
    group (engine or benchmark) and benchmark of each. ``part``: whose flash it is, empty for a
    core's images from any part."""

    core: str
    part: str
    wait_states: int
    published: np.ndarray[Any, Any]
    prior: np.ndarray[Any, Any]
    counts: dict[str, np.ndarray[Any, Any]]
    groups: np.ndarray[Any, Any]
    benchmarks: np.ndarray[Any, Any]

    @property
    def forms(self) -> list[tuple[str, ...]]:
        """The forms that all images were counted for."""
        return [
            form
            for form in forms(self.core, self.part)
            if all(term in self.counts for term in form)
        ]


def samples_of(images: Sequence[Image], *, as_core: bool = False) -> Samples:
    """Arrays of images of one part; ``as_core``: of any parts of a core."""
    import numpy as np

    core = images[0].core
    engines = [image.engine for image in images]
    benchmarks = [image.benchmark for image in images]
    part = "" if as_core else images[0].part
    terms = sorted({term for form in forms(core, part) for term in form})
    return Samples(
        core=core,
        part=part,
        wait_states=wait_states(images),
        published=np.array([image.published_cycles for image in images]),
        prior=np.array([prior_cycles(core, image.counts) for image in images]),
        counts={
            term: np.array([count_of(image.counts, term) for image in images])
            for term in terms
            if all({"n": "alu", "issues": "pair_any"}.get(term, term) in i.counts for i in images)
        },
        groups=np.array(engines if len(set(engines)) > 1 else benchmarks),
        benchmarks=np.array(benchmarks),
    )


def wait_states(images: Sequence[Image]) -> int:
    """The flash's wait states as the images wrote them (STM32: FLASH_ACR, LATENCY; PSoC 6:
    FLASH_CTL, MAIN_WS)."""
    written = (
        image.registers.get("flash_acr", image.registers.get("flash_ctl", 0)) for image in images
    )
    return max(1, median_low(value & LATENCY_MASK for value in written))


def fit_form(samples: Samples, form: Sequence[str], among: Array) -> Array:
    """Non-negative weights: least squares of relative errors over the images ``among``, in units of
    their noise, and of the distance to what is expected, in units of its deviation."""
    import numpy as np
    from scipy.optimize import nnls

    published = samples.published[among]
    matrix = np.array([samples.counts[term][among] / published for term in form]).T / NOISE
    wanted = (1 - samples.prior[among] / published) / NOISE
    beliefs = [expected(samples.core, term, samples.wait_states) for term in form]
    pull = np.diag([1 / belief.deviation for belief in beliefs])
    drawn = np.array([belief.mean / belief.deviation for belief in beliefs])
    return nnls(np.vstack([matrix, pull]), np.concatenate([wanted, drawn]))[0]


def predict(samples: Samples, form: Sequence[str], weights: Array) -> Array:
    """Cycles of every image over the published ones."""
    total = samples.prior + sum(
        weight * samples.counts[term] for term, weight in zip(form, weights, strict=True)
    )
    return total / samples.published


def predict_all(samples: Samples, among: Array) -> Array:
    """Every form fitted on ``among``: forms x images, over the published cycles."""
    import numpy as np

    return np.array(
        [predict(samples, form, fit_form(samples, form, among)) for form in samples.forms]
    )


def held_out(samples: Samples, groups: Array, among: Array) -> Array:
    """Relative errors of every form on images that its fit has not seen: forms x images ``among``,
    each predicted without its group."""
    import numpy as np

    errors = np.zeros((len(samples.forms), len(samples.published)))
    for group in sorted(set(groups[among])):
        mine = groups == group
        errors[:, mine] = predict_all(samples, among & ~mine)[:, mine] - 1
    return errors[:, among]


def scores(samples: Samples, among: Array) -> Array:
    """Root mean square of each form's held-out errors, both ways of leaving out."""
    import numpy as np

    ways = [samples.benchmarks]
    if len(set(samples.groups[among])) > 1 and set(samples.groups) != set(samples.benchmarks):
        ways.append(samples.groups)
    errors = np.concatenate([held_out(samples, way, among) for way in ways], axis=1)
    return np.sqrt(np.mean(np.square(errors), axis=1))


def chosen_errors(samples: Samples) -> Array:
    """Held-out errors with one form chosen without the group that is predicted."""
    import numpy as np

    errors = np.zeros(len(samples.published))
    for group in sorted(set(samples.groups)):
        mine = samples.groups == group
        best = int(np.argmin(scores(samples, ~mine)))
        errors[mine] = predict_all(samples, ~mine)[best, mine] - 1
    return errors


def ratio_error(samples: Samples) -> float:
    """How far the ratio of two images of one benchmark is off at worst, where the model knows
    nothing of that benchmark: what it has wrong of both cancels."""
    worst = 0.0
    for benchmark in sorted(set(samples.benchmarks)):
        mine = samples.benchmarks == benchmark
        values = predict_all(samples, ~mine).mean(axis=0)[mine]
        worst = max(worst, float(max(values) / min(values) - 1))
    return worst


def fit_part(part: str, images: Sequence[Image], unseen: Sequence[Unseen] = ()) -> PartWeights:
    """The weights of one part from its images (those that ``is_fitted``). ``unseen``: images that
    were kept back, and software that was built again; they are in no fit, but a displayed range
    covers their errors."""
    import numpy as np

    samples = samples_of(images)
    everything = np.ones(len(images), dtype=bool)
    scored = scores(samples, everything)
    engines = tuple(sorted({image.engine for image in images}))
    errors = held_out(samples, samples.groups, everything).mean(axis=0)
    others = held_out(samples, samples.benchmarks, everything).mean(axis=0)
    chosen = chosen_errors(samples)
    models = [
        Model(
            terms={
                term: round(float(weight), 4)
                for term, weight in zip(form, fit_form(samples, form, everything), strict=True)
            },
            held_out_rms_pct=_pct(score),
            alike=bool(100 * (score - min(scored)) <= ALIKE_PCT),
        )
        for form, score in zip(samples.forms, scored, strict=True)
    ]
    told = np.concatenate(
        [
            errors,
            others,
            predict_all(samples, everything).mean(axis=0) - 1,
            off_by(unseen, models, samples.core),
        ]
    )
    return PartWeights(
        part=part,
        core=samples.core,
        hz=images[0].hz,
        wait_states=samples.wait_states,
        images=len(images),
        engines=engines,
        held_out="engine" if len(engines) > 1 else "benchmark",
        models=tuple(sorted(models, key=lambda model: (model.held_out_rms_pct, *model.terms))),
        mean_pct=_pct(np.mean(np.abs(errors))),
        worst_pct=_pct(np.max(np.abs(errors))),
        chosen_mean_pct=_pct(np.mean(np.abs(chosen))),
        chosen_worst_pct=_pct(np.max(np.abs(chosen))),
        over_pct=max(FLOOR_PCT, up_pct(float(np.max(told)))),
        under_pct=max(FLOOR_PCT, up_pct(-float(np.min(told)))),
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


def unseen_of(name: str, images: Sequence[Image], rebuilt: Sequence[Rebuilt]) -> list[Unseen]:
    """What no fit has seen of a part, or is told by a core's weights."""
    kept = [i for i in images if i.predicted is not None and i.counts and i.part == name]
    return [*kept, *(row for row in rebuilt if row.weights == name)]


def fit_all(images: Sequence[Image], rebuilt: Sequence[Rebuilt] = ()) -> list[PartWeights]:
    """Weights of every part with enough images, in the order of their names."""
    by_part: dict[str, list[Image]] = {}
    for image in images:
        if image.is_fitted:
            by_part.setdefault(image.part, []).append(image)
    return [
        fit_part(part, members, unseen_of(part, images, rebuilt))
        for part, members in sorted(by_part.items())
        if len(members) >= 4 and len({m.benchmark for m in members}) >= 3
    ]


def off_by(unseen: Sequence[Unseen], models: Sequence[Model], core: str) -> list[float]:
    """Relative errors of the mean of all forms on images that no fit has seen."""
    return [
        sum(model_cycles(model, core, item.counts) for model in models)
        / len(models)
        / item.published_cycles
        - 1
        for item in unseen
    ]


def _pct(ratio: Any) -> float:
    return round(100 * float(ratio), 2)


def up_pct(ratio: float) -> float:
    """Rounded up, so that a range holds the image that it was made for."""
    return max(0.0, math.ceil(1e4 * ratio) / 100)
