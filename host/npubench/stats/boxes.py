"""Boxes of a detector whose picture is a grid of cells (YOLO v1), and how far two boxes are one.
numpy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

IOU = 0.5
"""Two boxes are one object where they overlap by half of what both cover: PASCAL VOC's limit."""
BOX = 5


def overlap(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Intersection over union of x0, y0, x1, y1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = float(width * height)
    return both / float((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def cell_boxes(cells: NDArray[Any], per_cell: int, *, least: float = 0.01) -> NDArray[Any]:
    """Boxes of a picture, best first: (n, 6) class, score, x0, y0, x1, y1 in shares of its sides.

    ``cells``: (rows, columns, 5 * per_cell + classes) real numbers: for each box x, y within the
    cell, width and height in shares of the picture, confidence; then a score per class (Redmon et
    al., "You Only Look Once", 2016, 2). A box's score is its confidence times the best class's;
    below ``least`` it is none, and of two of one class that overlap by IOU the better one stays.
    """
    import numpy as np

    rows, columns, channels = cells.shape
    classes = channels - BOX * per_cell
    if classes < 1:
        raise ValueError(f"{channels} channels hold no class beside {per_cell} boxes of {BOX}")
    scores = cells[..., BOX * per_cell :]
    best = scores.argmax(axis=-1)
    found = []
    for row, column in np.ndindex(rows, columns):
        for box in range(per_cell):
            x, y, width, height, sure = cells[row, column, BOX * box : BOX * (box + 1)]
            score = float(sure * scores[row, column, best[row, column]])
            if score < least or width <= 0 or height <= 0:
                continue
            middle_x, middle_y = (column + x) / columns, (row + y) / rows
            found.append(
                (
                    best[row, column],
                    score,
                    middle_x - width / 2,
                    middle_y - height / 2,
                    middle_x + width / 2,
                    middle_y + height / 2,
                )
            )
    found.sort(key=lambda item: -item[1])
    kept: list[NDArray[Any]] = []
    for item in (np.asarray(values, dtype=np.float64) for values in found):
        if all(item[0] != other[0] or overlap(item[2:], other[2:]) < IOU for other in kept):
            kept.append(item)
    return np.stack(kept) if kept else np.zeros((0, 6))
