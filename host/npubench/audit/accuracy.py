"""The accuracy run, scored again: which file gave which answer, Top-1, area under the ROC curve.

Answers are printed with three decimals, so that classes can tie which did not on the device:
Top-1 has a lower end (no tie was right) and an upper one (each was).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from npubench.audit.labels import FILE_COUNTS, Labels

TARGETS = {"kws": 90.0, "vww": 80.0, "ic": 85.0, "ic02": 91.0, "ad": 0.85}
"""Closed division: percent Top-1, for AD the area under the curve (MLPerf Tiny's rules)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the device said to one input. ``name``: the input's file, empty where the log does not
    say it; ``label``: the class that the runner wrote beside it."""

    name: str
    scores: tuple[float, ...]
    label: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """``counted``: percent of the files as the runners count, who take the first of classes that
    tie, or for AD the area under the curve; None where a label is missing. ``low`` and ``high``: if
    no tie was right, and if each was. ``inferences``: answers; ``files``: distinct files (an answer
    to an unknown file counts as one), ``repeated`` of them answered more often than others;
    ``unlabelled``: files whose class nothing tells; ``relabelled``: files whose class the runner
    wrote otherwise."""

    benchmark: str
    inferences: int
    files: int
    repeated: int = 0
    unlabelled: int = 0
    relabelled: int = 0
    counted: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def right_count_of_files(self) -> bool:
        """Whether there are as many files as the benchmark has."""
        return self.files in FILE_COUNTS.get(self.benchmark, (self.files,))


def score(benchmark: str, answers: Sequence[Answer], labels: Labels) -> Accuracy | None:
    """Accuracy of a run; None without an answer. An AD file's score is the mean over its windows,
    the classes of any other are those of its mean answer, as both runners take them."""
    by_file: dict[str, list[Answer]] = {}
    for answer in answers:
        if answer.name:
            by_file.setdefault(answer.name, []).append(answer)
    if not answers:
        return None
    unnamed = len(answers) - sum(map(len, by_file.values()))
    counts = [len(items) for items in by_file.values()]
    usual = Counter(counts).most_common(1)[0][0] if counts else 0
    known: dict[str, int] = {}
    relabelled = 0
    for name, items in by_file.items():
        label, written = labels.of(benchmark, name), items[0].label
        relabelled += label is not None and written is not None and label != written
        if label is None:
            label = written
        if label is not None:
            known[name] = label
    counted = low = high = None
    if by_file and len(known) == len(by_file):
        pairs = [(_mean(items), known[name]) for name, items in by_file.items()]
        if benchmark == "ad":
            counted = low = high = area_under_curve([(scores[0], label) for scores, label in pairs])
        else:
            counted, low, high = _top_1(pairs, unnamed)
    return Accuracy(
        benchmark=benchmark,
        inferences=len(answers),
        files=len(by_file) + unnamed,
        repeated=0 if benchmark == "ad" else sum(count > 1 for count in counts if usual == 1),
        unlabelled=len(by_file) - len(known) + unnamed,
        relabelled=relabelled,
        counted=counted,
        low=low,
        high=high,
    )


def _mean(items: Sequence[Answer]) -> tuple[float, ...]:
    width = min(len(item.scores) for item in items)
    return tuple(sum(item.scores[at] for item in items) / len(items) for at in range(width))


def _top_1(
    pairs: Sequence[tuple[tuple[float, ...], int]], unnamed: int
) -> tuple[float, float, float]:
    """Percent by the first of classes that tie; if no tie and no answer to an unknown file was
    right; if each was."""
    first = won = tied = 0
    for scores, label in pairs:
        best = [at for at, value in enumerate(scores) if value == max(scores)]
        first += best[0] == label
        won += best == [label]
        tied += len(best) > 1 and label in best
    count = len(pairs) + unnamed
    return 100.0 * first / count, 100.0 * won / count, 100.0 * (won + tied + unnamed) / count


def area_under_curve(pairs: Sequence[tuple[float, int]]) -> float | None:
    """How often an anomaly scores above a normal file, ties as halves (Mann and Whitney's U over
    the number of pairs). None where one of the two classes is missing."""
    ordered = sorted(pairs)
    positives = sum(label == 1 for _, label in ordered)
    negatives = len(ordered) - positives
    if not positives or not negatives:
        return None
    rank_sum = 0.0
    at = 0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end][0] == ordered[at][0]:
            end += 1
        mean_rank = (at + 1 + end) / 2
        rank_sum += mean_rank * sum(label == 1 for _, label in ordered[at:end])
        at = end
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)
