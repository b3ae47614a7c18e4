"""Promise: average precision and perplexity are what their definitions say, by cases by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from npubench.stats.boxes import cell_boxes, overlap
from npubench.stats.perplexity import perplexity, surprise
from npubench.stats.precision import (
    average_precision,
    box_precision,
    drawn_interval,
    label_precision,
    matched,
)


def test_average_precision_by_hand() -> None:
    """Found right, wrong, right of three: precision 1 to recall 1/3, then 2/3 to 2/3, then 0."""
    scores, right = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
    assert average_precision(scores, right, 3) == pytest.approx((1 + 2 / 3) / 3)
    assert average_precision(scores, np.array([True] * 3), 3) == 1.0
    assert average_precision(scores, np.array([False] * 3), 1) == 0.0


def test_labels_that_never_occur_do_not_count() -> None:
    scores = np.array([[0.9, 0.1, 0.5], [0.2, 0.8, 0.5]])
    labels = np.array([[1, 0, 0], [0, 1, 0]])
    assert label_precision(scores, labels) == 1.0
    assert label_precision(scores, labels[::-1]) == 0.5


def test_overlap_by_hand() -> None:
    a, b = np.array([0.0, 0.0, 0.2, 0.2]), np.array([0.1, 0.0, 0.3, 0.2])
    assert overlap(a, b) == pytest.approx(1 / 3)
    assert overlap(a, a) == pytest.approx(1.0)
    assert overlap(a, a + 0.5) == 0.0


def test_an_object_is_found_once() -> None:
    truth = np.array([[1, 0.0, 0.0, 0.5, 0.5]])
    box = np.array([1, 0.9, 0.0, 0.0, 0.5, 0.5])
    twice = np.stack([box, box * [1, 0.5, 1, 1, 1, 1]])
    assert matched(twice, truth).tolist() == [True, False]
    other = np.stack([box * [0, 1, 1, 1, 1, 1]])
    assert matched(other, truth).tolist() == [False]
    empty = np.zeros((0, 6))
    assert box_precision([(twice, truth), (empty, np.zeros((0, 5)))]) == 1.0
    assert box_precision([(empty, truth)]) == 0.0


def test_cells_become_boxes() -> None:
    """Cell (1, 2) of 4 x 4: a box in its middle, a quarter of the picture wide, half as high."""
    cells = np.zeros((4, 4, 12))
    cells[1, 2] = [0.5, 0.5, 0.25, 0.5, 0.8, 0.5, 0.5, 0.25, 0.5, 0.6, 0.1, 0.5]
    (box,) = cell_boxes(cells, 2)  # the second is the same box with less confidence
    assert box.tolist() == pytest.approx([1, 0.4, 0.5, 0.125, 0.75, 0.625])
    with pytest.raises(ValueError, match="no class"):
        cell_boxes(np.zeros((2, 2, 10)), 2)


def test_perplexity_of_probabilities_and_of_logits() -> None:
    even = np.full((6, 8), 1 / 8)
    tokens = np.arange(6)
    assert perplexity(surprise(even, tokens, 1 / 512)) == pytest.approx(8.0)
    logits = np.log(np.array([[0.7, 0.2, 0.1]])) + 3.0
    assert surprise(logits, np.array([1]), 0.0)[0] == pytest.approx(-math.log(0.2))
    never = np.array([[1.0, 0.0]])
    assert surprise(never, np.array([1]), 1 / 512)[0] == pytest.approx(math.log(512))


def test_the_interval_holds_the_value_and_draws_anew_where_nothing_was_drawn() -> None:
    values = np.random.RandomState(3).uniform(size=60)
    low, high = drawn_interval(60, lambda drawn: float(values[drawn].mean()))
    assert low < values.mean() < high
    rare = np.arange(5) == 0
    low, high = drawn_interval(5, lambda drawn: 1.0 if rare[drawn].any() else None)
    assert (low, high) == (1.0, 1.0)
