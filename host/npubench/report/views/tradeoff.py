"""What is paid for what: time against memory, energy and accuracy, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.charts import points
from npubench.report.figure import Figure, Row
from npubench.report.library import Library
from npubench.report.selection import NetworkRuns, Ranking, rankings
from npubench.report.view import View
from npubench.report.views.stages import unit_of
from npubench.runs.schema import RunRecord

TITLE = "Trade-offs"
ORDER = 65

FEWEST = 3
Item = tuple[str, str, float, float, str]
"""Series, label, x, y, text."""


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """Targets of one network that may be set against each other: three or more."""
    figures = []
    for group in rankings(network.runs):
        if len(group.runs) >= FEWEST and group.unit != "instructions":
            figures += _of_group(group)
    return _view(figures)


def of_all(subject: None, library: Library) -> View | None:
    """Accuracy of several networks against what each costs, where runs tell it."""
    grouped: dict[tuple[str, str, str], list[tuple[str, RunRecord, float]]] = {}
    for network, run in library.shown():
        infer = run.stages.get(Stage.INFER)
        if not run.valid or infer is None or infer.median is None:
            continue
        for accuracy in run.accuracy:
            if accuracy.form != "float":
                key = (accuracy.metric, accuracy.data, infer.unit)
                grouped.setdefault(key, []).append((network.name, run, accuracy.value))
                break
    figures = []
    for (metric, data, unit), found in grouped.items():
        if len(found) < 2:
            continue
        figures.append(_accuracy(metric, data, unit, found))
    return _view(figures)


def _view(figures: Sequence[Figure]) -> View | None:
    if not figures:
        return None
    return View(
        lead="On the line nothing else is better in both respects; what lies off it is beaten by "
        "something on it.",
        figures=tuple(figures),
    )


def _of_group(group: Ranking) -> list[Figure]:
    factor, words = unit_of(group.unit, max(float(group.value(run)) for run in group.runs))
    figures = []
    for name, title, value, unit in (
        ("flash", "flash, KiB", _flash, "KiB"),
        ("energy", "energy of one inference, µJ", _energy, "µJ"),
    ):
        items = [
            (
                run.target,
                run.target,
                float(group.value(run)) / factor,
                y,
                f"{fmt.stage(group.value(run), group.unit)}, {y:.3g} {unit}",
            )
            for run in group.runs
            if (y := value(run)) is not None
        ]
        if len(items) >= FEWEST:
            figures.append(
                _figure(f"tradeoff-{name}", f"Time and {name}", items, words, title, low=True)
            )
    return figures


def _flash(run: RunRecord) -> float | None:
    return None if run.memory is None else run.memory.flash_bytes / fmt.KIB


def _energy(run: RunRecord) -> float | None:
    if run.energy is None or run.energy.verdict == "refused":
        return None
    whole = run.energy.stages.get(Stage.END_TO_END)
    return None if whole is None else whole.gross_uj


def _accuracy(
    metric: str, data: str, unit: str, found: Sequence[tuple[str, RunRecord, float]]
) -> Figure:
    costs = [float(run.stages[Stage.INFER].median or 0) for _, run, _ in found]
    factor, words = unit_of(unit, max(costs))
    items = [
        (name, run.target, cost / factor, value, f"{metric} {value:.3g}, {fmt.stage(cost, unit)}")
        for (name, run, value), cost in zip(found, costs, strict=True)
    ]
    title = f"{metric} on {fmt.printable(data, 40)} against time"
    return _figure(f"accuracy-{unit}", title, items, words, metric, low=False)


def _figure(
    name: str, title: str, items: Sequence[Item], x_title: str, y_title: str, *, low: bool
) -> Figure:
    best = front([(x, y if low else -y) for _, _, x, y, _ in items])
    rows: list[Row] = [
        {
            "series": series,
            "label": label,
            "x": x,
            "y": y,
            "front": "yes" if at in best else "no",
            "text": text,
        }
        for at, (series, label, x, y, text) in enumerate(items)
    ]
    return Figure(
        name=name,
        title=title,
        words="On the front: " + "; ".join(f"{items[at][1]} ({items[at][4]})" for at in best),
        rows=tuple(rows),
        spec=points(
            x="x",
            y="y",
            x_title=f"one inference, {x_title}",
            y_title=y_title,
            colour="series",
            names=[series for series, *_ in items],
            label="label",
            front=True,
        ),
    )


def front(items: Sequence[tuple[float, float]]) -> list[int]:
    """Those that nothing else is lower than in both respects (equal counts as lower once), by x."""
    best: list[int] = []
    lowest = float("inf")
    for at in sorted(range(len(items)), key=lambda at: items[at]):
        if items[at][1] < lowest:
            best.append(at)
            lowest = items[at][1]
    return best
