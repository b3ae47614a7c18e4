"""What a set of repetitions says: median, spread, interval, outliers. numpy only.

The bench itself summarises, so that neither pandas nor scipy may be needed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Number = int | float

MIN_FOR_INTERVAL = 6
"""Fewer values cannot carry a 95 % interval of the median: even the whole range of five values
covers it with only 1 - 2 * 0.5**5 = 93.75 %."""
OUTLIER_SCORE = 3.5
BOOTSTRAP_DRAWS = 10_000
BOOTSTRAP_SEED = 20_260_101


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A sample in a few numbers, all in the sample's own unit; nothing was dropped.

    ``mad``: median absolute deviation. ``deterministic``: all values are one value; None for a
    single value, which cannot tell. ``ci95_low``/``ci95_high``: within-session bootstrap interval
    of the median, None for fewer than ``MIN_FOR_INTERVAL`` values or when deterministic.
    ``outliers``: positions of values that the rule labels. Whole values stay ``int``.
    """

    n: int
    median: Number
    min: Number
    max: Number
    mad: Number
    deterministic: bool | None
    ci95_low: Number | None
    ci95_high: Number | None
    outliers: tuple[int, ...]


def summarize(values: Sequence[Number]) -> Summary:
    """Summarise one or more finite values. Raises ValueError for none, or for NaN or infinity."""
    import numpy as np

    if not values:
        raise ValueError("there is nothing to summarise")
    whole = all(isinstance(value, int) for value in values)
    array = np.asarray(values, dtype=np.int64 if whole else np.float64)
    if not np.all(np.isfinite(array)):
        raise ValueError("a value is not finite")
    ordered = sorted(values)
    middle = _median(ordered)
    spread = ordered[-1] != ordered[0]
    low, high = (None, None)
    if spread and len(values) >= MIN_FOR_INTERVAL:
        low, high = _bootstrap_interval(ordered)
    return Summary(
        n=len(values),
        median=middle,
        min=_exact(ordered[0]),
        max=_exact(ordered[-1]),
        mad=_median(sorted(_exact(abs(value - middle)) for value in values)),
        deterministic=None if len(values) == 1 else not spread,
        ci95_low=low,
        ci95_high=high,
        outliers=outlier_positions(values) if spread else (),
    )


def outlier_positions(values: Sequence[Number]) -> tuple[int, ...]:
    """Positions whose modified z-score exceeds 3.5.

    The score is 0.6745 * |x - median| / MAD (Iglewicz and Hoaglin, "How to Detect and Handle
    Outliers", 1993); where more than half of the values are equal and the MAD is zero, it is
    |x - median| / (1.2533 * mean absolute deviation).
    """
    middle = _median(sorted(values))
    distances = [abs(value - middle) for value in values]
    mad = _median(sorted(distances))
    scale = mad / 0.6745 if mad > 0 else 1.253314 * sum(distances) / len(distances)
    if scale == 0:
        return ()
    return tuple(
        position for position, distance in enumerate(distances) if distance / scale > OUTLIER_SCORE
    )


def _median(ordered: Sequence[Number]) -> Number:
    half = len(ordered) // 2
    if len(ordered) % 2:
        return _exact(ordered[half])
    return (
        _exact((ordered[half - 1] + ordered[half]) / 2)
        if (ordered[half - 1] != ordered[half])
        else _exact(ordered[half])
    )


def _exact(value: Number) -> Number:
    """An int stays an int and a float that is whole because ints made it so becomes one."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _bootstrap_interval(ordered: Sequence[Number]) -> tuple[Number, Number]:
    """The 95 % percentile interval of the resampled medians."""
    import numpy as np

    low, high = np.quantile(bootstrap_medians(ordered), [0.025, 0.975], method="nearest")
    return _exact(float(low)), _exact(float(high))


def bootstrap_medians(ordered: Sequence[Number]) -> NDArray[np.float64]:
    """Medians of resamples of a sorted sample, float64 [BOOTSTRAP_DRAWS], in time independent of n.

    A resample draws n ranks uniformly; its k-th smallest is the value at rank ceil(n * U), where U
    is the k-th of n uniform order statistics, a Beta(k, n - k + 1) variate. Drawing these is
    drawing the resampled medians themselves, exactly.
    """
    import numpy as np

    n = len(ordered)
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    values = np.asarray(ordered, dtype=np.float64)
    upper_rank = n // 2 + 1
    upper = generator.beta(upper_rank, n - upper_rank + 1, size=BOOTSTRAP_DRAWS)
    medians = values[np.minimum((upper * n).astype(np.int64), n - 1)]
    if n % 2 == 0:
        lower = upper * generator.beta(upper_rank - 1, 1, size=BOOTSTRAP_DRAWS)
        medians = (medians + values[np.minimum((lower * n).astype(np.int64), n - 1)]) / 2
    return medians
