"""A scorecard per target, by the six metrics of Sze, Chen, Yang and Emer ("How to evaluate deep
neural network processors", IEEE Solid-State Circuits Magazine, 2020). No sum without weights of the
reader's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.grid import Cell, Column, Grid
from npubench.report.library import Library
from npubench.report.power_hint import power_hint
from npubench.report.selection import NetworkRuns, rankings
from npubench.report.view import View
from npubench.runs.schema import RunRecord

TITLE = "Scorecard"
ORDER = 80

WEIGHTS = ("time", "energy", "flash", "RAM")


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """A column for each valid target."""
    runs = [run for run in network.runs if run.valid]
    if len(runs) < 2:
        return None
    return View(
        lead="Six questions about a target instead of one number. What is not known is named; what "
        "may not be set against each other is not.",
        grids=(
            Grid(
                name="scorecard",
                columns=(
                    Column(title="Metric"),
                    *(Column(title=run.target, wide=True) for run in runs),
                ),
                rows=tuple(
                    (Cell(text=metric), *(Cell(text=tell(run, library)) for run in runs))
                    for metric, tell in METRICS.items()
                ),
            ),
        ),
        template="views/scorecard.html.j2",
        values={"groups": _groups(network), "weights": WEIGHTS},
    )


def _accuracy(run: RunRecord, library: Library) -> str:
    told = [
        f"{item.metric} {item.value:.3g} ({item.form}, {fmt.count(item.samples)} samples)"
        for item in run.accuracy
        if item.form != "float"
    ]
    same = "answers as the reference, bit by bit" if run.golden.status == "match" else "unchecked"
    return "; ".join([*told, same]) if told else f"{same}; how often it is right was not measured"


def _latency(run: RunRecord, library: Library) -> str:
    stage = run.stages.get(Stage.END_TO_END)
    if stage is None or stage.median is None:
        return "not timed"
    words = fmt.stage(stage.median, stage.unit, low=stage.low, high=stage.high)
    if stage.unit in ("us", "us_modelled") and stage.median:
        words += f"; {fmt.si(1e6 / stage.median, '').strip()} inferences per second"
    return f"{words} ({stage.evidence})"


def _energy(run: RunRecord, library: Library) -> str:
    if run.energy is None:
        modelled = run.stages.get(Stage.INFER)
        if modelled is not None and modelled.energy_uj is not None:
            value = modelled.energy_uj
            return f"{fmt.between(value.low, value.high, 'J')} (modelled)"
        hint = power_hint(run)
        if hint is None:
            return "no power was captured"
        if hint.command:
            return f"no power was captured; {hint.command}"
        return f"no power was captured: {hint.reason}"
    whole = run.energy.stages.get(Stage.END_TO_END)
    if run.energy.verdict == "refused" or whole is None:
        return "the capture was refused"
    return f"{fmt.micro(whole.gross_uj, 'J')} an inference ({run.energy.evidence})"


def _hardware(run: RunRecord, library: Library) -> str:
    if run.memory is None:
        return "no memory account"
    return f"{fmt.size(run.memory.flash_bytes)} of flash, {fmt.size(run.memory.ram_bytes)} of RAM"


def _flexibility(run: RunRecord, library: Library) -> str:
    tried = {
        network.network_sha256: other.valid
        for network, other in library.shown()
        if other.target == run.target
    }
    words = f"{sum(tried.values())} of {len(tried)} networks ran right"
    if run.npu is not None:
        words += f"; {fmt.percent(run.npu.macs_share)} of the MACs on the NPU"
    return words


def _scalability(run: RunRecord, library: Library) -> str:
    found = sorted(
        other.npu.mac_utilization_ratio
        for _, other in library.shown()
        if other.target == run.target
        and other.npu is not None
        and other.npu.mac_utilization_ratio is not None
    )
    if len(found) < 2:
        return "not known from one network"
    return f"uses {fmt.percent(found[0])} to {fmt.percent(found[-1])} of its MACs over networks"


def _groups(network: NetworkRuns) -> list[dict[str, Any]]:
    """Targets that may be weighed together, with what a weight may be given to."""
    return [
        {
            "name": f"{group.evidence}, {fmt.UNIT_NAME.get(group.unit, group.unit)}",
            "targets": [_figures(run, group.value(run)) for run in group.runs],
        }
        for group in rankings(network.runs)
        if group.ranks
    ]


def _figures(run: RunRecord, time: float) -> dict[str, str | float | None]:
    whole = None if run.energy is None or run.energy.verdict == "refused" else (
        run.energy.stages.get(Stage.END_TO_END)
    )  # fmt: skip
    values: Sequence[float | None] = (
        time,
        None if whole is None else whole.gross_uj,
        None if run.memory is None else run.memory.flash_bytes,
        None if run.memory is None else run.memory.ram_bytes,
    )
    return {"target": run.target, **dict(zip(WEIGHTS, values, strict=True))}


METRICS = {
    "Accuracy": _accuracy,
    "Throughput and latency": _latency,
    "Energy and power": _energy,
    "Hardware cost": _hardware,
    "Flexibility": _flexibility,
    "Scalability": _scalability,
}
