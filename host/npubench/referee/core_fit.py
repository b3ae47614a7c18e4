"""What a part without images may expect: a core's weights from all of its parts, with the error
that leaving one whole part out gives: the largest, since memory systems differ between parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from npubench.cycles.images import Image
from npubench.cycles.rebuilt import Rebuilt
from npubench.cycles.weights import Model, PartWeights
from npubench.referee.fit import (
    ALIKE_PCT,
    FLOOR_PCT,
    Samples,
    Unseen,
    fit_form,
    off_by,
    predict,
    samples_of,
    scores,
    unseen_of,
    up_pct,
)

Parts = Mapping[str, Sequence[Image]]


def fit_core(core: str, parts: Parts, unseen: Sequence[Unseen] = ()) -> PartWeights:
    """The weights of a core from the images of at least two of its parts. ``unseen``: software on
    further parts, in no fit, whose errors a displayed range covers."""
    import numpy as np

    samples = samples_of([image for name in sorted(parts) for image in parts[name]], as_core=True)
    everything = np.ones(len(samples.published), dtype=bool)
    means, chosen, ratio = [], [], 0.0
    for left_out in sorted(parts):
        others = samples_of(
            [i for name in sorted(parts) if name != left_out for i in parts[name]], as_core=True
        )
        mine = samples_of(parts[left_out], as_core=True)
        values = _by_form(others, mine)
        mean = values.mean(axis=0)
        means.append(mean - 1)
        best = int(np.argmin(scores(others, np.ones(len(others.published), dtype=bool))))
        chosen.append(values[best] - 1)
        for benchmark in sorted(set(mine.benchmarks)):
            of_one = mean[mine.benchmarks == benchmark]
            ratio = max(ratio, float(max(of_one) / min(of_one) - 1))
    errors, one = np.concatenate(means), np.concatenate(chosen)
    scored = scores(samples, everything)
    models = [
        Model(
            terms={
                term: round(float(weight), 4)
                for term, weight in zip(form, fit_form(samples, form, everything), strict=True)
            },
            held_out_rms_pct=round(100 * float(score), 2),
            alike=bool(100 * (score - min(scored)) <= ALIKE_PCT),
        )
        for form, score in zip(samples.forms, scored, strict=True)
    ]
    told = np.concatenate([errors, off_by(unseen, models, core)])
    images = [image for members in parts.values() for image in members]
    return PartWeights(
        part=core,
        core=core,
        hz=0,
        wait_states=samples.wait_states,
        images=len(images),
        engines=tuple(sorted({image.engine for image in images})),
        parts=tuple(sorted(parts)),
        held_out="part",
        models=tuple(sorted(models, key=lambda model: (model.held_out_rms_pct, *model.terms))),
        mean_pct=_pct(np.mean(np.abs(errors))),
        worst_pct=_pct(np.max(np.abs(errors))),
        chosen_mean_pct=_pct(np.mean(np.abs(one))),
        chosen_worst_pct=_pct(np.max(np.abs(one))),
        over_pct=max(FLOOR_PCT, up_pct(float(np.max(told)))),
        under_pct=max(FLOOR_PCT, up_pct(-float(np.min(told)))),
        ratio_pct=max(FLOOR_PCT, _pct(ratio)),
    )


def fit_cores(images: Sequence[Image], rebuilt: Sequence[Rebuilt] = ()) -> list[PartWeights]:
    """Weights of every core of which two parts have images of three benchmarks, by name."""
    by_core: dict[str, dict[str, list[Image]]] = {}
    for image in images:
        if image.is_fitted:
            by_core.setdefault(image.core, {}).setdefault(image.part, []).append(image)
    found = []
    for core, parts in sorted(by_core.items()):
        enough = {
            name: members
            for name, members in parts.items()
            if len({member.benchmark for member in members}) >= 3
        }
        if len(enough) > 1:
            found.append(fit_core(core, enough, unseen_of(core, (), rebuilt)))
    return found


def _by_form(others: Samples, mine: Samples) -> Any:
    """Forms x images of ``mine``, by weights fitted on ``others``, over the published cycles."""
    import numpy as np

    everything = np.ones(len(others.published), dtype=bool)
    return np.array(
        [predict(mine, form, fit_form(others, form, everything)) for form in others.forms]
    )


def _pct(ratio: Any) -> float:
    return round(100 * float(ratio), 2)
