"""Where the time goes, also when it is not the NPU: shares of one inference, end to end."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.charts import fixed, stack
from npubench.report.figure import Figure, Row
from npubench.report.grid import Cell, Column, Grid
from npubench.report.library import Library, run_page
from npubench.report.selection import END_TO_END, NetworkRuns, rankings
from npubench.report.speedup import detail, where_time_goes
from npubench.report.view import View
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun

TITLE = "Where the time goes"
ORDER = 30

LEAST_SHARE = 0.01
"""Kinds of operators below it are told together."""
OTHER_OPERATORS = "other operators"
COLOURS = {
    "NPU": "var(--c1)",
    "CONV_2D": "var(--c7)",
    "DEPTHWISE_CONV_2D": "var(--c4)",
    "FULLY_CONNECTED": "var(--c8)",
    "load": "var(--c2)",
    "unload": "var(--c3)",
    "post": "var(--c6)",
    OTHER_OPERATORS: "var(--c5)",
}
SPARE = ("var(--c1)", "var(--c3)", "var(--c6)", "var(--c2)")
NPU_COLOURS = ("var(--c1)", "var(--c2)", "var(--c3)", "var(--c5)")

Parts = tuple[tuple[str, float], ...]


def parts(run: RunRecord) -> Parts:
    """Shares of the end-to-end cost by what it was spent on, largest first; they add up to 1.

    The NPU's share of a modelled time is its cycles at its clock; operators on the CPU are counted
    in a pass of their own and scaled to the inference.
    """
    values = {stage: _median(run, stage) for stage in END_TO_END}
    total = sum(values.values())
    if not total:
        return ()
    found: dict[str, float] = {
        str(stage): values[stage] for stage in END_TO_END if stage is not Stage.INFER
    }
    npu = min(_npu_us(run), values[Stage.INFER])
    if npu:
        found["NPU"] = npu
    found |= _operators(run, values[Stage.INFER] - npu)
    shares = {name: value / total for name, value in found.items() if value > 0}
    return tuple(sorted(shares.items(), key=lambda item: -item[1]))


def _median(run: RunRecord, stage: Stage) -> float:
    infer, record = run.stages.get(Stage.INFER), run.stages.get(stage)
    if infer is None or record is None or record.median is None or record.unit != infer.unit:
        return 0.0
    return float(record.median)


def _npu_us(run: RunRecord) -> float:
    """The NPU's part of a modelled inference, in the middle of its range, µs."""
    infer, hz = run.stages.get(Stage.INFER), detail(run, "npu_hz")
    if infer is None or infer.unit != "us_modelled" or not infer.npu_cycles or not hz:
        return 0.0
    ratio = detail(run, "npu_cycles_high_ratio") or 1.0
    return infer.npu_cycles * 1e6 / hz * (1 + ratio) / 2


def _operators(run: RunRecord, rest: float) -> dict[str, float]:
    """``rest``, the CPU's part of an inference, by kind of operator."""
    kinds: dict[str, float] = {}
    for layer in run.layers:
        if layer.engine == "cpu" and layer.value:
            kinds[layer.op] = kinds.get(layer.op, 0.0) + float(layer.value)
    total = sum(kinds.values())
    if not total:
        return {OTHER_OPERATORS: rest} if rest > 0 else {}
    found: dict[str, float] = {}
    for name, value in kinds.items():
        told = name if value >= LEAST_SHARE * total else OTHER_OPERATORS
        found[told] = found.get(told, 0.0) + rest * value / total
    return found


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each part: the same for the same thing in every figure."""
    spare = iter(SPARE * 8)
    known = {name: COLOURS.get(name) or next(spare) for name in names}
    order = {name: at for at, name in enumerate(COLOURS)}
    return dict(sorted(known.items(), key=lambda item: order.get(item[0], 3)))


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """Every valid target's shares, and what an NPU does with its cycles."""
    runs = [run for ranking in rankings(network.runs) for run in ranking.runs]
    split = [(run, parts(run)) for run in runs]
    split = [(run, shares) for run, shares in split if shares]
    if not split:
        return None
    figures = [_figure([(run.target, shares) for run, shares in split])]
    cycles = [(run, where_time_goes(run)) for run in runs]
    cycles = [(run, shares) for run, shares in cycles if shares]
    if cycles:
        figures.append(_npu_figure([(run.target, shares) for run, shares in cycles]))
    return View(
        claim=" ".join(_sentence(run, shares) for run, shares in split if run.npu is not None),
        lead="Shares of one inference from end to end: the NPU at its clock, operators on the CPU "
        "by their kind, and the ways in and out. An NPU that is fast enough leaves the rest to "
        "matter.",
        figures=tuple(figures),
        grids=(_grid(split, library),),
    )


def of_run(stored: StoredRun, library: Library) -> View | None:
    """The same of one run."""
    run = stored.record
    shares = parts(run) if run.valid else ()
    if not shares:
        return None
    figures = [_figure([(run.target, shares)])]
    cycles = where_time_goes(run)
    if cycles:
        figures.append(_npu_figure([(run.target, cycles)]))
    return View(claim=_sentence(run, shares), figures=tuple(figures))


def _sentence(run: RunRecord, shares: Parts) -> str:
    name, share = shares[0]
    return f"{run.target} spends {fmt.percent(share)} of an inference in {_words(name)}."


def _words(name: str) -> str:
    return "the NPU" if name == "NPU" else name


def _figure(split: Sequence[tuple[str, Parts]]) -> Figure:
    names = list(dict.fromkeys(name for _, shares in split for name, _ in shares))
    domain, colours = fixed(colours_of(names), names)
    return _stacked(
        split,
        domain,
        colours,
        name="where",
        title="Where an inference spends its time",
        axis="share of one inference, end to end",
        told=4,
    )


def _npu_figure(split: Sequence[tuple[str, Parts]]) -> Figure:
    return _stacked(
        split,
        [name for name, _ in split[0][1]],
        NPU_COLOURS,
        name="npu-cycles",
        title="What the NPU does with its cycles",
        axis="share of the NPU's cycles, modelled",
        note="All else: elementwise work, output, start and end of blocks.",
    )


def _stacked(
    split: Sequence[tuple[str, Parts]],
    parts: Sequence[str],
    colours: Sequence[str],
    *,
    name: str,
    title: str,
    axis: str,
    told: int | None = None,
    note: str = "",
) -> Figure:
    """A bar a target, of shares in the order of ``parts``; the words tell the first ``told``."""
    rows: list[Row] = [
        {
            "target": target,
            "part": part,
            "share": share,
            "order": parts.index(part),
            "text": fmt.percent(share),
        }
        for target, shares in split
        for part, share in shares
    ]
    return Figure(
        name=name,
        title=title,
        words="; ".join(
            f"{target}: "
            + ", ".join(f"{part} {fmt.percent(share)}" for part, share in shares[:told])
            for target, shares in split
        ),
        rows=tuple(rows),
        spec=stack(
            category="target",
            part="part",
            value="share",
            title=axis,
            parts=parts,
            colours=colours,
            share=True,
        ),
        note=note,
    )


def _grid(split: Sequence[tuple[RunRecord, Parts]], library: Library) -> Grid:
    totals: dict[str, float] = {}
    for _, shares in split:
        for name, share in shares:
            totals[name] = totals.get(name, 0.0) + share
    names = sorted(totals, key=lambda name: -totals[name])
    return Grid(
        name="where",
        columns=(Column(title="Target"), *(Column(title=name, number=True) for name in names)),
        rows=tuple(
            (
                Cell(text=run.target, page=library.page(run_page(run.run_id))),
                *(
                    Cell(text=fmt.percent(dict(shares).get(name)), value=dict(shares).get(name))
                    for name in names
                ),
            )
            for run, shares in split
        ),
    )
