"""Average precision: of scores by label, and of boxes found in pictures. numpy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from npubench.stats.boxes import IOU, overlap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BOOTSTRAP_DRAWS = 500
BOOTSTRAP_SEED = 20_260_102


def average_precision(scores: NDArray[Any], positive: NDArray[Any], found: int) -> float:
    """Area under the precision envelope over recall, as PASCAL VOC has computed it since 2010.

    ``scores`` (n,) of what was found, ``positive`` (n,) whether it was right, ``found``: how many
    right ones there are in all, at least 1.
    """
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    precision = hits / np.arange(1, len(order) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * positive[order]).sum() / found)


def label_precision(scores: NDArray[Any], labels: NDArray[Any]) -> float:
    """Mean of the average precision of every label that occurs; both (samples, labels), labels 0
    and 1."""
    import numpy as np

    return float(
        np.mean(
            [
                average_precision(scores[:, label], labels[:, label] == 1, int(count))
                for label, count in enumerate((labels == 1).sum(axis=0))
                if count
            ]
        )
    )


def matched(boxes: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
    """Which boxes of one picture are right: each object is found once, by its best box.

    ``boxes``: (n, 6) class, score, x0, y0, x1, y1, best score first; ``truth``: (m, 5) class, x0,
    y0, x1, y1.
    """
    import numpy as np

    right = np.zeros(len(boxes), dtype=bool)
    taken = np.zeros(len(truth), dtype=bool)
    for index, box in enumerate(boxes):
        overlaps = np.array([overlap(box[2:], item[1:]) for item in truth])
        fits = np.flatnonzero((truth[:, 0] == box[0]) & (overlaps >= IOU) & ~taken)
        if len(fits):
            taken[fits[overlaps[fits].argmax()]] = True
            right[index] = True
    return right


def box_precision(pictures: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """Mean average precision over the classes of the true boxes; ``pictures``: boxes found and true
    boxes, as ``matched`` has them."""
    import numpy as np

    rows = [
        np.column_stack([boxes[:, :2], matched(boxes, truth)])
        for boxes, truth in pictures
        if len(boxes)
    ]
    found = np.concatenate(rows) if rows else np.zeros((0, 3))
    truths = np.concatenate([truth[:, 0] for _, truth in pictures])
    classes, counts = np.unique(truths, return_counts=True)
    values = []
    for kind, count in zip(classes, counts, strict=True):
        own = found[found[:, 0] == kind]
        values.append(average_precision(own[:, 1], own[:, 2] == 1, int(count)))
    return float(np.mean(values)) if values else 0.0


def drawn_interval(count: int, value: Any) -> tuple[float, float]:
    """95 % percentile bootstrap: ``value`` of so many indices of samples, drawn with replacement.
    A draw in which nothing can be found (``value`` gives None) is drawn again."""
    import numpy as np

    random = np.random.RandomState(BOOTSTRAP_SEED)
    found: list[float] = []
    for _ in range(4 * BOOTSTRAP_DRAWS):
        drawn = value(random.randint(0, count, size=count))
        if drawn is not None:
            found.append(drawn)
        if len(found) == BOOTSTRAP_DRAWS:
            break
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)
