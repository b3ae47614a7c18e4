"""The words in which terminal and page tell of a result: its name, its figures."""

from __future__ import annotations

from npubench.audit.figures import Figure
from npubench.audit.verdict import Judged


def name_of(item: Judged) -> str:
    """Round, submitter, system, benchmark and mode, or the folder where its path has no layout."""
    who = item.result.identity
    parts = (who.round, who.division, who.submitter, who.system, who.benchmark, who.variant)
    if not who.submitter:
        return item.result.folder
    return " ".join(part for part in (*parts, item.result.mode) if part)


def figure_words(figure: Figure) -> str:
    """Published and computed, or what there is of the two."""
    unit = f" {figure.unit}" if figure.unit else ""
    said = "" if figure.published is None else f"{figure.published:.6g}{unit} published"
    if figure.computed is None:
        return f"{figure.name} {said}, not computed" if said else ""
    low, high = figure.span or (figure.computed, figure.computed)
    between = f" (between {low:.6g} and {high:.6g})" if low != high else ""
    if between and said:
        return f"{figure.name} {said}, {figure.computed:.6g} computed{between}"
    if not said:
        return f"{figure.name} {figure.computed:.6g}{unit} computed{between}, not published"
    off = f" ({figure.difference_pct:+.2f} %)" if figure.difference_pct is not None else ""
    return f"{figure.name} {said}, {figure.computed:.6g} computed{off}"


def figures_words(item: Judged) -> str:
    """All figures of a result."""
    return "; ".join(words for figure in item.figures if (words := figure_words(figure)))
