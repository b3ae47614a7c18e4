"""The law of growth: the form that made the costs is named, with coefficients that hold."""

from __future__ import annotations

import numpy as np
import pytest

from npubench.sweep.law import fit_law, law_text

SIZES = np.arange(8.0, 40.0, 2.0)
MACS = 9 * 16 * SIZES**2 * (1 + 0.3 * (SIZES % 4 == 0))
MOVED = 40 * SIZES**2 + 5000 * (SIZES % 6 == 0) + 900


def noisy(costs: object, seed: int, part: float = 0.004) -> list[float]:
    values = np.asarray(costs)
    rng = np.random.default_rng(seed)
    return [float(v) for v in values * (1 + part * rng.uniform(-1, 1, len(values)))]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("form", "costs", "slope"),
    [
        ("macs", 5000 + 1.7 * MACS, 1.7),
        ("bytes", 3000 + 0.9 * MOVED, 0.9),
        ("power", 3.0 * SIZES**2.6, 2.6),
        ("size", 700 + 90 * SIZES, 90),
    ],
    ids=["macs", "bytes", "power", "size"],
)
def test_the_form_that_made_the_costs_is_named(
    form: str, costs: object, slope: float, seed: int
) -> None:
    law = fit_law(noisy(costs, seed), macs=list(MACS), moved=list(MOVED), size=list(SIZES))
    assert law is not None
    if law.best.form != form:  # another form with one term more may be as good, never better by far
        assert law.aicc[form] - law.best.aicc < 4
        return
    term = law.best.terms[-1]
    width = term.high - term.low
    assert term.low - width <= slope <= term.high + width
    assert law.best.error_ratio < 0.006


def test_a_step_beside_the_law_leaves_its_slope() -> None:
    costs = 5000 + 1.7 * MACS
    costs[9:] *= 1.2
    levels = [[0.0] * 9 + [1.0] * (len(SIZES) - 9)]
    law = fit_law(
        noisy(costs, 1), macs=list(MACS), moved=list(MOVED), size=list(SIZES), levels=levels
    )
    assert law is not None
    assert law.best.form == "macs"
    assert law.best.terms[1].value == pytest.approx(1.7, rel=0.02)


def test_a_cost_that_stands_still_is_constant() -> None:
    law = fit_law([7.0] * 8, macs=[5.0] * 8, moved=[3.0] * 8, size=[float(n) for n in range(1, 9)])
    assert law is not None
    assert law_text(law.best, "instr", "arena_cache") == "constant, 7 instr"


def test_too_few_points_have_no_law() -> None:
    assert fit_law([1.0, 2.0, 3.0, 4.0], macs=[1, 2, 3, 4], moved=[1, 2, 3, 4], size=None) is None


def test_the_law_in_words() -> None:
    law = fit_law(list(5000 + 1.7 * MACS), macs=list(MACS), moved=list(MOVED), size=None)
    assert law is not None
    assert law_text(law.best, "instr", None).startswith("1.7 instr per MAC [1.7, 1.7] + 5")
