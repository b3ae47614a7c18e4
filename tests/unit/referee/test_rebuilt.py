"""Promise: what was rebuilt and predicted says so with its own figures, and no fit has seen it."""

from __future__ import annotations

import pytest

from npubench.cycles.images import load_images
from npubench.cycles.rebuilt import Rebuilt, how_built, load_rebuilt
from npubench.cycles.terms import instructions
from npubench.cycles.weights import load_cores, load_weights

ROWS = load_rebuilt()


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.part}-{row.benchmark}" for row in ROWS])
def test_a_row_is_whole(row: Rebuilt) -> None:
    assert (row.outputs == "equal") == (row.benchmark != "ad")
    assert row.weights in load_weights() or row.weights in load_cores()
    assert row.published_cycles == pytest.approx(row.published_latency_us * row.hz / 1e6, rel=1e-6)
    # Counts are of the window; its own cost is off the instructions.
    assert 0 <= instructions(row.counts) - row.instructions < 100
    predicted = row.predicted
    assert predicted.low <= predicted.mid <= predicted.high


def test_the_engine_is_in_no_fit() -> None:
    fitted = {image.engine for image in load_images() if image.is_fitted}
    assert fitted.isdisjoint(row.engine for row in ROWS)
    assert "GCC" in how_built()
