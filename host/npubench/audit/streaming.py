"""The streaming test, scored again: detections against the words of the long file, duty cycle.

The runner counts a detection until two seconds after a word, though its documentation says one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

AS_COUNTED_S = 2.0
AS_DOCUMENTED_S = 1.0
DEBOUNCE_MS = 1000
MISSES_ALLOWED = 8
"""At most as many false negatives, and as many false positives (MLPerf Tiny's rules)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """Words that were heard, words that were missed, and words that were none."""

    true_positives: int
    false_negatives: int
    false_positives: int

    @property
    def meets_target(self) -> bool:
        """Within the limits of the benchmark."""
        return max(self.false_negatives, self.false_positives) <= MISSES_ALLOWED


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingRun:
    """What the interface board recorded: detections in milliseconds (the first marks the start),
    words in seconds, the duty cycle and the frames' period. ``rounding_ratio``: how far the log's
    digits leave duty cycle and throughput open; 0 where each frame's times are there."""

    detections_ms: tuple[int, ...] = ()
    words_s: tuple[tuple[float, float], ...] = ()
    duty_ratio: float | None = None
    period_s: float | None = None
    rounding_ratio: float = 0.0
    length_s: float | None = None

    @property
    def ips(self) -> float | None:
        """Inferences per second if one followed the other: the inverse of the time of one."""
        if not self.duty_ratio or not self.period_s:
            return None
        return 1.0 / (self.duty_ratio * self.period_s)

    def detections(self, late_s: float = AS_COUNTED_S) -> Detections | None:
        """Words heard until ``late_s`` after their end; what is left are false alarms, one for all
        within a second of it. None without detections or words."""
        if not self.detections_ms or not self.words_s:
            return None
        left = [time - self.detections_ms[0] for time in self.detections_ms[1:]]
        heard = 0
        for begin_s, end_s in self.words_s:
            rest = [time for time in left if not begin_s <= time / 1000 <= end_s + late_s]
            heard += len(rest) < len(left)
            left = rest
        false_alarms, last = 0, None
        for time in left:
            if last is None or not last < time <= last + DEBOUNCE_MS:
                false_alarms, last = false_alarms + 1, time
        return Detections(
            true_positives=heard,
            false_negatives=len(self.words_s) - heard,
            false_positives=false_alarms,
        )


def duty(begins_s: Sequence[float], ends_s: Sequence[float]) -> tuple[float, float] | None:
    """Duty cycle and mean period of frames by their beginnings and ends; None for fewer than two
    frames or for times that do not go on."""
    count = min(len(begins_s), len(ends_s))
    if count < 2:
        return None
    period_s = (begins_s[count - 1] - begins_s[0]) / (count - 1)
    busy_s = sum(end - begin for begin, end in zip(begins_s, ends_s, strict=False)) / count
    return (busy_s / period_s, period_s) if period_s > 0 and busy_s > 0 else None
