"""The law of growth: several forms are fitted, evidence names the better one (AICc).

Residuals are relative (differences of logarithms), so that small and large networks count alike.
AICc: Hurvich and Tsai, Biometrika 76 (1989) 297.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npubench.core.format import count as shown_count

Array = NDArray[np.float64]

EXACT: Final = 1e-5
"""Relative errors below this are no evidence for one form against another: counts are whole
numbers, and a law that is this near is the law."""
MIN_POINTS: Final = 5
_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A coefficient with its 95 % interval, and what it is multiplied with."""

    per: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One form, fitted. ``predicted``: for each point; ``aicc``: lower is better."""

    form: str
    terms: tuple[Term, ...]
    predicted: tuple[float, ...]
    error_ratio: float
    aicc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """The better form, and how all others did."""

    best: Fit
    aicc: Mapping[str, float]


def fit_law(
    costs: Sequence[float],
    *,
    macs: Sequence[float],
    moved: Sequence[float],
    size: Sequence[float] | None,
    levels: Sequence[Sequence[float]] = (),
) -> Law | None:
    """The law of costs above zero; None for fewer points than MIN_POINTS: AICc cannot tell forms of
    two terms apart there.

    ``moved``: bytes; ``size``: the one axis that is varied, where it is one. ``levels``: for each
    known step, 1 from it on and 0 before; each gets a factor of its own in every form.
    """
    y = np.asarray(costs, dtype=np.float64)
    if len(y) < MIN_POINTS or np.any(y <= 0):
        return None
    columns: dict[str, dict[str, Sequence[float]]] = {
        "macs": {"MAC": macs},
        "bytes": {"byte": moved},
        "macs+bytes": {"MAC": macs, "byte": moved},
    }
    if size is not None:
        columns["size"] = {"step of size": size}
        columns["size2"] = {"step of size": size, "size²": [value * value for value in size]}
    steady = min(macs) == max(macs) and min(moved) == max(moved)
    if steady:  # the target is varied, not the network: between steps cost stands still
        columns = {}
    factors = [np.asarray(level, dtype=np.float64) for level in levels]
    fits: dict[str, Fit] = {}
    constant = _fit_sum("constant", y, {}, factors)
    if constant is not None:
        fits["constant"] = constant
    for form, named in columns.items():
        arrays = {name: np.asarray(values, dtype=np.float64) for name, values in named.items()}
        if any(np.ptp(values) == 0 for values in arrays.values()):
            continue
        fit = _fit_sum(form, y, arrays, factors)
        if fit is not None:
            fits[form] = fit
    if size is not None and min(size) > 0 and len(set(size)) > 1 and not steady:
        power = _fit_power(y, np.asarray(size, dtype=np.float64), factors)
        if power is not None:
            fits["power"] = power
    if not fits:
        return None
    best = min(fits.values(), key=lambda fit: (fit.aicc, len(fit.terms)))
    return Law(best=best, aicc={name: round(fit.aicc, 3) for name, fit in fits.items()})


def _fit_sum(
    form: str, y: Array, named: Mapping[str, Array], levels: Sequence[Array], *, rest: bool = True
) -> Fit | None:
    """Weighted least squares of ``a + b·x + ...`` times the levels' factors, errors relative to the
    fitted value; the weights follow in rounds. No coefficient of work is below zero, nor is what is
    left without work (``rest``)."""
    names = [*([""] if rest else []), *named]
    base = np.column_stack([*([np.ones_like(y)] if rest else []), *named.values()])
    if len(y) < base.shape[1] + len(levels) + 2:
        return None
    factor = np.ones_like(y)
    weights = 1 / y
    solution = np.zeros(base.shape[1])
    covariance: Array = np.zeros((base.shape[1], base.shape[1]))
    freedom = len(y) - base.shape[1] - len(levels)
    for _ in range(_ROUNDS):
        scaled = base * (factor * weights)[:, None]
        norms = np.linalg.norm(scaled, axis=0)
        if np.any(norms == 0):
            return None
        unit = scaled / norms
        solution = np.linalg.lstsq(unit, y * weights, rcond=None)[0] / norms
        fitted = base @ solution
        if np.any(fitted <= 0):
            break
        if levels:
            factor = np.exp(_steps(np.log(y / fitted), levels))
        weights = 1 / (fitted * factor)
        residual = (y - fitted * factor) * weights
        normal = unit.T @ unit
        if np.linalg.cond(normal) > 1e12:
            return None
        covariance = (
            np.linalg.inv(normal) / np.outer(norms, norms) * float(residual @ residual) / freedom
        )
    if form not in ("size", "size2"):
        if rest and named and solution[0] < 0:
            return _fit_sum(form, y, named, levels, rest=False)
        if np.any(solution < 0):
            return None
    if np.any(base @ solution <= 0):
        return None
    spread = _quantile(freedom) * np.sqrt(np.maximum(np.diag(covariance), 0))
    terms = tuple(
        Term(per=name, value=float(value), low=float(value - width), high=float(value + width))
        for name, value, width in zip(names, solution, spread, strict=True)
    )
    return _judged(form, terms, y, base @ solution * factor, base.shape[1] + len(levels))


def _fit_power(y: Array, size: Array, levels: Sequence[Array]) -> Fit | None:
    """``a · size^k``: a straight line in logarithms."""
    if len(y) < 2 + len(levels) + 2:
        return None
    base = np.column_stack([np.ones_like(y), np.log(size), *levels])
    solution = np.linalg.lstsq(base, np.log(y), rcond=None)[0]
    residual = np.log(y) - base @ solution
    freedom = len(y) - base.shape[1]
    normal = base.T @ base
    if np.linalg.cond(normal) > 1e12:
        return None
    covariance = np.linalg.inv(normal) * float(residual @ residual) / freedom
    spread = _quantile(freedom) * np.sqrt(np.maximum(np.diag(covariance), 0))
    factor, exponent = float(np.exp(solution[0])), float(solution[1])
    terms = (
        Term(
            per="",
            value=factor,
            low=factor * math.exp(-spread[0]),
            high=factor * math.exp(spread[0]),
        ),
        Term(
            per="exponent",
            value=exponent,
            low=exponent - float(spread[1]),
            high=exponent + float(spread[1]),
        ),
    )
    return _judged("power", terms, y, np.exp(base @ solution), base.shape[1])


def _steps(residual: Array, levels: Sequence[Array]) -> Array:
    """What the levels explain of logarithms of ratios."""
    base = np.column_stack([np.ones_like(residual), *levels])
    solution = np.linalg.lstsq(base, residual, rcond=None)[0]
    explained: Array = base[:, 1:] @ solution[1:]
    return explained


def _judged(form: str, terms: tuple[Term, ...], y: Array, predicted: Array, parameters: int) -> Fit:
    error = np.log(y) - np.log(predicted)
    n, k = len(y), parameters + 1  # the spread is estimated, too
    mean_square = max(float(error @ error) / n, EXACT**2)
    correction = 2 * k * (k + 1) / (n - k - 1) if n - k - 1 > 0 else math.inf
    return Fit(
        form=form,
        terms=terms,
        predicted=tuple(float(value) for value in predicted),
        error_ratio=float(np.sqrt(np.mean(error**2))),
        aicc=n * math.log(mean_square) + 2 * k + correction,
    )


def _quantile(freedom: int) -> float:
    """97.5 % of Student's t."""
    from scipy.stats import t

    value: Any = t.ppf(0.975, freedom)
    return float(value)


def law_text(fit: Fit, unit: str, axis: str | None) -> str:
    """The law in one line, e.g. ``3.21 instr per MAC [3.19, 3.24] + 52 000 instr``."""
    if fit.form == "power":
        exponent = fit.terms[1]
        return f"grows with {axis}^{exponent.value:.3g} [{exponent.low:.3g}, {exponent.high:.3g}]"
    parts = [
        f"{_figure(term.value)} {unit} per {axis if term.per == 'step of size' else term.per}"
        f" [{_figure(term.low)}, {_figure(term.high)}]"
        for term in fit.terms
        if term.per
    ]
    rest = fit.terms[0].value if not fit.terms[0].per else 0.0
    if not parts:
        return f"constant, {_figure(rest)} {unit}"
    if not rest:
        return " + ".join(parts)
    sign = "+" if rest >= 0 else "−"
    return f"{' + '.join(parts)} {sign} {_figure(abs(rest))} {unit}"


def _figure(value: float) -> str:
    if value != 0 and abs(value) < 1000:
        return f"{value:.3g}"
    return shown_count(round(value))
