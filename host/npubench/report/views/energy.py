"""Energy by stage with its intervals, mean power with idle between, and a battery's life."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.charts import bars, course
from npubench.report.figure import Figure, Row
from npubench.report.grid import Cell, Column, Grid, number
from npubench.report.library import Library, run_page
from npubench.report.power_hint import hint_lines, power_hint
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.runs.compare_energy import RATES_PER_SECOND, break_even, duty_uw
from npubench.runs.energy_record import EnergyRecord, EnergyStageRecord
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun

TITLE = "Energy"
ORDER = 50

STAGES = ("load", "infer", "unload", "post", "end_to_end", "init_warm")
CELLS = {"CR2032 coin cell (225 mAh, 3 V)": 225.0 * 3.0 * 3.6,
         "two AA alkaline cells (2500 mAh, 3 V)": 2500.0 * 3.0 * 3.6,
         "lithium cell (500 mAh, 3.7 V)": 500.0 * 3.7 * 3.6}  # fmt: skip
"""Cells by name: their energy in joules, mAh times volts times 3.6. Nominal capacities as printed
on such cells; a real one gives less to a load that is heavy or cold."""
PER_HOUR = tuple(10 ** (power / 4) for power in range(17))
DAY_S = 86_400.0
HOUR_S = 3_600.0


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """Every target with a capture."""
    found = [(run, run.energy) for run in network.runs if run.energy is not None]
    if not found:
        return _none_yet(network.runs)
    able = [(run, energy) for run, energy in found if _whole(energy) is not None]
    duty = _duty(able)
    return View(
        claim=_claim(able),
        lead="Energy of one repetition of each stage, in µJ: gross, and net of what idle would "
        "have taken meanwhile. Intervals are k = 2 and include the instrument's stated accuracy; "
        "without a source for it there is none.",
        figures=tuple(filter(None, (_figure(able), _battery(able)))),
        grids=tuple(filter(None, (_grid(found, library), duty))),
        notes=(*_refusals(found), *_break_even(able)),
        template="views/battery.html.j2" if _lives(able) else "",
        values={"targets": _lives(able), "cells": list(CELLS.items())},
    )


def of_run(stored: StoredRun, library: Library) -> View | None:
    """One run's energy."""
    energy = stored.record.energy
    if energy is None:
        return _none_yet([stored.record])
    instrument = energy.instrument
    voltage = (
        f" at {energy.voltage_mv:.0f} mV ({energy.voltage_source})" if energy.voltage_mv else ""
    )
    rate = fmt.si(instrument.rate_hz, "S/s") if instrument.rate_hz else ""
    words = [
        f"{instrument.model}{voltage}: {energy.verdict}",
        f"{rate}, {fmt.count(energy.samples_received)} samples, "
        f"{fmt.count(energy.samples_lost)} lost",
    ]
    if instrument.simulated:
        words.append("a simulated instrument, so that the figures are modelled at most")
    return View(
        lead="; ".join(words) + ".",
        figures=tuple(filter(None, (_figure([(stored.record, energy)]),)))
        if _whole(energy) is not None
        else (),
        grids=tuple(filter(None, (_stages(energy),))),
        notes=tuple(_refusals([(stored.record, energy)])),
    )


def _none_yet(runs: Sequence[RunRecord]) -> View | None:
    """Where no power was captured: the commands that capture it, and why others have none."""
    hints = [(run, hint) for run in runs if (hint := power_hint(run)) is not None]
    if not hints:
        return None
    commands = hint_lines(runs)
    reasons: dict[str, list[str]] = {}
    for run, hint in hints:
        if hint.reason:
            reasons.setdefault(hint.reason, []).append(run.target)
    lead = "No power was captured."
    if any(run.npu is not None and _modelled(run) for run, _ in hints):
        lead += " Energies under NPU against CPU are modelled time by published power."
    if commands:
        lead += " A simulated instrument needs no hardware; what it shows is modelled."
    return View(
        lead=lead,
        template="views/energy_hint.html.j2" if commands else "",
        values={"commands": commands},
        notes=tuple(f"{', '.join(of)}: {reason}." for reason, of in reasons.items()),
    )


def _modelled(run: RunRecord) -> bool:
    stage = run.stages.get(Stage.END_TO_END)
    return stage is not None and stage.energy_uj is not None


def _whole(energy: EnergyRecord) -> EnergyStageRecord | None:
    return None if energy.verdict == "refused" else energy.stages.get(Stage.END_TO_END)


def _claim(found: Sequence[tuple[RunRecord, EnergyRecord]]) -> str:
    words = []
    for run, energy in found:
        whole = _whole(energy)
        if whole is not None and whole.gross_uj:
            words.append(
                f"{run.target}: {micro(whole.gross_uj)} an inference, "
                f"{digits(1e6 / whole.gross_uj, 3)} inferences per joule."
            )
    return " ".join(words)


def micro(value_uj: float) -> str:
    """Microjoules with their prefix."""
    return fmt.micro(value_uj, "J")


def digits(value: float, count: int = 4) -> str:
    """Significant digits, thousands apart, no exponent for usual sizes."""
    if value == 0:
        return "0"
    places = max(0, count - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 8)}f}".replace(",", fmt.GROUP)


def known(value: float, low: float | None, high: float | None) -> str:
    """As many digits as the interval leaves: its half has two."""
    if low is None or high is None or high <= low:
        return digits(value, 3)
    half = (high - low) / 2
    places = max(0, 1 - math.floor(math.log10(half)))
    return f"{value:,.{min(places, 8)}f}".replace(",", fmt.GROUP)


def interval(value: float, low: float | None, high: float | None) -> str:
    """``± half`` of an interval about its middle, else its ends; empty without one."""
    if low is None or high is None:
        return ""
    half = (high - low) / 2
    if abs(low + half - value) < 1e-3 * half:
        return f"± {digits(half, 2)}"
    return f"{known(low, low, high)} to {known(high, low, high)}"


def _figure(found: Sequence[tuple[RunRecord, EnergyRecord]]) -> Figure | None:
    rows: list[Row] = []
    for run, energy in found:
        whole = _whole(energy)
        if whole is None:
            continue
        rows.append(
            {
                "target": run.target,
                "value": whole.gross_uj,
                "low": whole.gross_low_uj,
                "high": whole.gross_high_uj,
                "text": f"{micro(whole.gross_uj)} gross "
                f"{interval(whole.gross_uj, whole.gross_low_uj, whole.gross_high_uj)}",
            }
        )
    if not rows:
        return None
    kinds = sorted({str(energy.evidence) for _, energy in found})
    return Figure(
        name="energy",
        title="Energy of one inference, end to end",
        words="; ".join(f"{row['target']}: {row['text']}" for row in rows),
        rows=tuple(rows),
        spec=bars(
            category="target",
            value="value",
            title=f"gross, µJ ({', '.join(kinds)})",
            ranges=any(row["low"] is not None for row in rows),
        ),
    )


def _grid(found: Sequence[tuple[RunRecord, EnergyRecord]], library: Library) -> Grid:
    rows = []
    for run, energy in found:
        cells = [
            _cell(
                None if energy.verdict == "refused" else energy.stages.get(name),
                net=name == Stage.END_TO_END,
            )
            for name in STAGES
        ]
        rows.append(
            (
                Cell(text=run.target, page=library.page(run_page(run.run_id))),
                Cell(text=energy.verdict, badge="bad" if energy.verdict == "refused" else ""),
                *cells,
                number(energy.idle_uw, lambda value: digits(float(value or 0), 3)),
                Cell(text=str(energy.evidence), badge=str(energy.evidence)),
            )
        )
    return Grid(
        name="energy",
        caption="Energy by stage, µJ",
        columns=(
            Column(title="Target"),
            Column(title="Capture"),
            *(Column(title=name.replace("_", " "), number=True) for name in STAGES),
            Column(title="Idle, µW", number=True),
            Column(title="Evidence"),
        ),
        rows=tuple(rows),
    ).without_empty()


def _cell(stage: EnergyStageRecord | None, *, net: bool = True) -> Cell:
    if stage is None:
        return Cell(text=fmt.NONE, hint="no figure")
    under = interval(stage.gross_uj, stage.gross_low_uj, stage.gross_high_uj)
    if stage.net_uj is not None and net:
        under += f"{', ' if under else ''}net {digits(stage.net_uj, 3)}"
    return Cell(
        text=known(stage.gross_uj, stage.gross_low_uj, stage.gross_high_uj),
        value=stage.gross_uj,
        under=under,
        hint=f"{stage.repeats} repetitions in each of {stage.windows} windows, "
        f"{stage.samples} samples",
    )


def _stages(energy: EnergyRecord) -> Grid | None:
    if energy.verdict == "refused" or not energy.stages:
        return None
    rows = []
    for name, stage in energy.stages.items():
        rows.append(
            (
                Cell(text=name.replace("_", " ")),
                _cell(stage),
                number(stage.mean_uw, lambda value: fmt.micro(value, "W")),
                number(stage.peak_uw, lambda value: fmt.micro(value, "W")),
                number(stage.charge_uc, lambda value: fmt.micro(value, "C")),
                number(stage.duration_us, lambda value: fmt.micro(value, "s")),
                Cell(text=f"{stage.windows} × {fmt.count(stage.repeats)}", value=stage.windows),
            )
        )
    titles = ("Mean", "Peak", "Charge", "Duration", "Windows × repeats")
    return Grid(
        name="energy-stages",
        columns=(
            Column(title="Stage"),
            Column(title="Energy", unit="µJ", number=True),
            *(Column(title=title, number=True) for title in titles),
        ),
        rows=tuple(rows),
    )


def _refusals(found: Sequence[tuple[RunRecord, EnergyRecord]]) -> list[str]:
    return [f"{run.target}: {reason}" for run, energy in found for reason in energy.reasons]


def _duty(found: Sequence[tuple[RunRecord, EnergyRecord]]) -> Grid | None:
    rows = []
    for run, energy in found:
        whole = _whole(energy)
        if whole is None or whole.net_uj is None:
            continue
        powers = [duty_uw(energy, rate) for rate in RATES_PER_SECOND]
        rows.append(
            (
                Cell(text=run.target),
                *(
                    Cell(text="too slow")
                    if power is None
                    else Cell(text=digits(power, 3), value=power)
                    for power in powers
                ),
            )
        )
    if not rows:
        return None
    return Grid(
        name="duty",
        caption="Mean power with idle between inferences, µW",
        columns=(
            Column(title="Target"),
            *(Column(title=f"{rate:g} per second", number=True) for rate in RATES_PER_SECOND),
        ),
        rows=tuple(rows),
    )


def _break_even(found: Sequence[tuple[RunRecord, EnergyRecord]]) -> list[str]:
    lines = []
    for (run, energy), (other_run, other) in combinations(found, 2):
        rate, why = break_even(energy, other)
        names = f"{run.target} and {other_run.target}"
        lines.append(
            f"{names}: no break-even: {why}."
            if rate is None
            else f"{names} break even at {digits(rate, 3)} inferences per second."
        )
    return lines


def _lives(found: Sequence[tuple[RunRecord, EnergyRecord]]) -> list[dict[str, float | str]]:
    """What the calculator of battery life needs of each target."""
    lives: list[dict[str, float | str]] = []
    for run, energy in found:
        whole = _whole(energy)
        if whole is not None and whole.net_uj is not None and energy.idle_uw is not None:
            lives.append(
                {
                    "target": run.target,
                    "idle_uw": energy.idle_uw,
                    "net_uj": whole.net_uj,
                    "duration_us": whole.duration_us,
                }
            )
    return lives


def _battery(found: Sequence[tuple[RunRecord, EnergyRecord]]) -> Figure | None:
    cell, joules = next(iter(CELLS.items()))
    rows: list[Row] = []
    for run, energy in found:
        for rate in PER_HOUR:
            power = duty_uw(energy, rate / HOUR_S)
            if power:
                days = joules * 1e6 / power / DAY_S
                rows.append(
                    {
                        "target": run.target,
                        "per_hour": rate,
                        "days": days,
                        "label": f"{digits(rate, 2)} an hour",
                        "text": f"{digits(days, 3)} days",
                    }
                )
    if not rows:
        return None
    return Figure(
        name="battery",
        title=f"Battery life on a {cell}",
        words="Days by inferences an hour, idle between them; self-discharge is left out.",
        rows=tuple(rows),
        spec=course(
            x="per_hour",
            y="days",
            x_title="inferences per hour",
            y_title="days",
            colour="target",
            names=[run.target for run, _ in found],
            x_log=True,
            y_log=True,
        ),
        note="Only what the supply gives to the board; self-discharge and converters are left out.",
    )
