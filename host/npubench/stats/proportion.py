"""Right answers out of many: shares and areas under curves, with their intervals. numpy only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

Z_95 = 1.959963984540054
BOOTSTRAP_DRAWS = 2_000
BOOTSTRAP_SEED = 20_260_101


def wilson(successes: int, count: int) -> tuple[float, float]:
    """95 % interval of a share by Wilson's score (JASA 22, 1927): holds for few samples and for
    shares near 0 and 1. ``count`` is at least 1."""
    share, z2 = successes / count, Z_95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z_95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def clopper_pearson_low(successes: int, count: int, *, confidence_ratio: float) -> float:
    """The share that is at least there, with the given confidence (one-sided; Clopper and Pearson,
    Biometrika 26, 1934): exact, never too high. ``count`` is at least 1."""
    if not successes:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        tail = sum(
            math.comb(count, right) * middle**right * (1 - middle) ** (count - right)
            for right in range(successes, count + 1)
        )
        low, high = (middle, high) if tail < 1 - confidence_ratio else (low, middle)
    return low


def area_under_curve(scores: NDArray[Any], positive: NDArray[Any]) -> float:
    """Area under the ROC curve: how often a positive sample scores above a negative one, ties half
    (Mann-Whitney). ``scores`` (n,), ``positive`` (n,) bool with both kinds."""
    import numpy as np

    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores), dtype=np.float64)
    ranks[order] = np.arange(1, len(scores) + 1)
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=ranks)
    ranks = (sums / counts)[inverse]
    hits = int(positive.sum())
    misses = len(scores) - hits
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def area_interval(scores: NDArray[Any], positive: NDArray[Any]) -> tuple[float, float]:
    """95 % percentile bootstrap of the area: positives and negatives are drawn apart."""
    import numpy as np

    random = np.random.RandomState(BOOTSTRAP_SEED)
    hits, misses = np.flatnonzero(positive), np.flatnonzero(~positive)
    areas = []
    for _ in range(BOOTSTRAP_DRAWS):
        drawn = np.concatenate([random.choice(hits, len(hits)), random.choice(misses, len(misses))])
        areas.append(area_under_curve(scores[drawn], positive[drawn]))
    low, high = np.percentile(areas, [2.5, 97.5])
    return float(low), float(high)
