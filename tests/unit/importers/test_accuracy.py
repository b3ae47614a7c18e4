"""Promise: an accuracy is the share that was right, with an interval that says how sure it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from npubench.cli.main import run
from npubench.stats.proportion import area_interval, area_under_curve, wilson


def test_wilson_against_published_values() -> None:
    """Newcombe (Statistics in Medicine 17, 1998), table I: 81/263, 15/148, 0/20, 1/29."""
    for successes, count, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(successes, count) == pytest.approx((low, high), abs=5e-5)


def test_area_under_the_curve() -> None:
    positive = np.array([False, False, True, True])
    assert area_under_curve(np.array([0.1, 0.4, 0.35, 0.8]), positive) == 0.75
    assert area_under_curve(np.zeros(4), positive) == 0.5
    random = np.random.RandomState(1)
    many = random.uniform(size=200) > 0.5
    scores = random.normal(size=200) + many
    low, high = area_interval(scores, many)
    assert low < area_under_curve(scores, many) < high


def test_digits_answer_as_their_description_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The zoo's own test set of digits: 98.06 % as int8, by model.toml."""
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")
    digits = datasets.load_digits()
    images = (digits.images[..., np.newaxis] / 16.0).astype(np.float32)[::5]
    labels = digits.target[::5]
    path = tmp_path / "test.npz"
    np.savez(path, input=images, labels=labels)
    assert run(["accuracy", "digits", "--data", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (score,) = document["scores"]
    assert score["samples"] == 360
    assert score["value"] == pytest.approx(0.98056, abs=0.006)
    assert score["low"] < score["value"] < score["high"]
    np.savez(path, input=images, labels=labels + 5)
    assert run(["accuracy", "digits", "--data", str(path)]) == 2
    np.savez(path, input=images)
    assert run(["accuracy", "digits", "--data", str(path)]) == 2
    assert "no array 'labels'" in capsys.readouterr().err
