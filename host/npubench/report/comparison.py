"""A comparison of two runs as Rich tables: what else differs comes before the numbers."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from npubench.core import format as fmt
from npubench.core.format import printable
from npubench.report.accuracy import comparison_view
from npubench.report.part_time import range_words
from npubench.report.table import cell, heading, name, new_table, number
from npubench.runs.compare import Comparison, StageComparison
from npubench.runs.compare_energy import EnergyComparison
from npubench.runs.gap import Gap
from npubench.stats.compare import Verdict

_VERDICT_STYLE = {Verdict.TOO_FEW: "yellow", Verdict.UNDECIDED: "yellow"}


def compare_view(comparison: Comparison) -> RenderableType:
    """What differs in provenance first, then stages, energy and memory."""
    a, b = comparison.a.record, comparison.b.record
    parts: list[RenderableType] = [
        Text.assemble(
            ("a  ", "bold"),
            f"{a.run_id}\n",
            ("b  ", "bold"),
            f"{b.run_id}\n",
            f"network {printable(a.model.name, 60)} {fmt.short_hash(a.model.network_sha256)}",
        )
    ]
    if comparison.mixed:
        parts.append(
            Text(
                f"Different evidence, on request: {a.evidence} and {b.evidence}. No claim is "
                "made across them.",
                style="yellow",
            )
        )
    parts.append(heading("What differs besides the results"))
    if comparison.provenance:
        table = new_table()
        for title in ("", "a", "b"):
            table.add_column(title, overflow="fold")
        for item in comparison.provenance:
            table.add_row(
                cell(item.what), cell(item.a or fmt.NONE, 400), cell(item.b or fmt.NONE, 400)
            )
        parts.append(table)
    else:
        parts.append(Text("nothing"))
    if comparison.accuracy is not None:
        parts += [heading("Answers, b against a"), *comparison_view(comparison.accuracy)]
    parts += [heading("Stages, b against a"), _comparison_table(comparison)]
    if comparison.parts:
        parts += [heading("Modelled time and energy, b against a"), _part_comparison(comparison)]
    if comparison.gap is not None and comparison.gap.amount:
        parts += [heading("Where the difference of one inference comes from")]
        parts += _gap(comparison.gap)
    if comparison.energy is not None:
        parts += [heading("Energy, b against a"), *_energy_comparison(comparison.energy)]
    if comparison.memory:
        parts += [heading("Memory"), _memory_comparison(comparison)]
    return Group(*parts)


def _comparison_table(comparison: Comparison) -> RenderableType:
    table = new_table()
    table.add_column("Stage", no_wrap=True)
    for title in ("a", "b", "b against a"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Verdict", overflow="fold")
    reasons: dict[str, list[str]] = {}
    for stage in comparison.stages:
        verdict = Text("not compared", style="dim")
        if stage.verdict is not None:
            verdict = Text(stage.verdict, style=_VERDICT_STYLE.get(stage.verdict, "bold"))
        table.add_row(
            name(stage.stage),
            number(fmt.stage(stage.median_a, stage.unit_a or "")),
            number(fmt.stage(stage.median_b, stage.unit_b or "")),
            number(_change(stage)),
            verdict,
        )
        reasons.setdefault(stage.reason, []).append(stage.stage)
    return Group(
        table,
        *(
            Text(f"{', '.join(stages)}: {printable(reason, 400)}", style="dim")
            for reason, stages in reasons.items()
            if reason
        ),
    )


def _part_comparison(comparison: Comparison) -> RenderableType:
    table = new_table()
    table.add_column("Stage", no_wrap=True)
    for title in ("a", "b", "b / a"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Verdict", overflow="fold")
    reasons: dict[str, list[str]] = {}
    for item in comparison.parts:
        unit = "s" if item.quantity == "time_us" else "J"
        table.add_row(
            name(item.stage),
            number(range_words(item.a, unit)),
            number(range_words(item.b, unit)),
            number(f"{item.ratio_low:.2f} to {item.ratio_high:.2f}"),
            Text(item.verdict, style=_VERDICT_STYLE.get(item.verdict, "bold")),
        )
        what = f"{item.stage} {'time' if unit == 's' else 'energy'}"
        reasons.setdefault(item.reason, []).append(what)
    models = dict.fromkeys(
        side.model for item in comparison.parts for side in (item.a, item.b) if side.model
    )
    return Group(
        table,
        *(Text(f"{', '.join(which)}: {reason}", style="dim") for reason, which in reasons.items()),
        *(Text(printable(model, 400), style="dim") for model in models),
    )


def _gap(gap: Gap) -> list[RenderableType]:
    """The gap's parts by weight, then what was set up and what else differs."""
    table = new_table()
    table.add_column("Cause", overflow="fold")
    for title in ("b − a", "Share"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("What, and its evidence: a and b", overflow="fold")
    for part in gap.parts:
        table.add_row(
            Text(part.cause),
            number(fmt.signed(fmt.quantity(round(part.amount), gap.unit), part.amount)),
            number(fmt.percent(part.share_ratio)),
            cell(f"{part.what}: {part.evidence}" if part.evidence else part.what, 300),
        )
    explained = fmt.percent(gap.explained_ratio)
    lines: list[RenderableType] = [
        table,
        Text(
            f"{fmt.quantity(round(gap.a), gap.unit)} and {fmt.quantity(round(gap.b), gap.unit)} "
            f"for one inference; {explained} of the difference has a cause."
        ),
    ]
    if gap.setup_a != gap.setup_b and gap.setup_a is not None and gap.setup_b is not None:
        lines.append(
            Text(
                f"Set-up, once: {fmt.quantity(gap.setup_a, gap.unit)} and "
                f"{fmt.quantity(gap.setup_b, gap.unit)}."
            )
        )
    lines += [
        Text(f"In every part may be: {printable(item, 300)}.", style="dim") for item in gap.beside
    ]
    return lines


def _energy_comparison(energy: EnergyComparison) -> list[RenderableType]:
    table = new_table()
    table.add_column("Stage", no_wrap=True)
    for title in ("a", "b", "b against a", "net of idle: a", "b"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Verdict", overflow="fold")
    reasons: dict[str, list[str]] = {}
    for stage in energy.stages:
        table.add_row(
            name(stage.stage),
            number(fmt.micro(stage.gross_a_uj, "J")),
            number(fmt.micro(stage.gross_b_uj, "J")),
            number(fmt.change(stage.ratio, "uj")),
            number(fmt.micro(stage.net_a_uj, "J")),
            number(fmt.micro(stage.net_b_uj, "J")),
            Text(stage.verdict, style=_VERDICT_STYLE.get(stage.verdict, "bold")),
        )
        reasons.setdefault(stage.reason, []).append(stage.stage)
    power = new_table()
    power.add_column("Mean power with idle between inferences")
    for title in ("a", "b"):
        power.add_column(title, justify="right", no_wrap=True)
    power.add_row(
        "idle", number(fmt.micro(energy.idle_a_uw, "W")), number(fmt.micro(energy.idle_b_uw, "W"))
    )
    for duty in energy.duty:
        power.add_row(
            f"{duty.per_second:g} per second",
            number("too slow" if duty.a_uw is None else fmt.micro(duty.a_uw, "W")),
            number("too slow" if duty.b_uw is None else fmt.micro(duty.b_uw, "W")),
        )
    even = (
        f"Break-even: {energy.break_even}."
        if energy.break_even_per_second is None
        else f"Break-even at {energy.break_even_per_second:.3g} inferences per second."
    )
    return [
        table,
        *(
            Text(f"{', '.join(stages)}: {reason}", style="dim")
            for reason, stages in reasons.items()
            if reason
        ),
        Text(""),
        power,
        Text(even),
    ]


def _change(stage: StageComparison) -> str:
    """What b is against a; a difference too small for a tenth of a percent is shown as such."""
    a, b = stage.median_a, stage.median_b
    if (
        stage.ratio is None
        or a is None
        or b is None
        or a == b
        or not 0.9995 <= stage.ratio < 1.0005
    ):
        return fmt.change(stage.ratio, stage.unit_b or "")
    return fmt.signed(fmt.quantity(b - a, stage.unit_b or ""), b - a)


def _memory_comparison(comparison: Comparison) -> Table:
    table = new_table()
    table.add_column("")
    for title in ("a", "b", "b − a"):
        table.add_column(title, justify="right", no_wrap=True)
    for line in comparison.memory:
        difference = line.difference_bytes
        change = fmt.NONE
        if difference is not None:
            change = fmt.signed(fmt.size(difference), difference)
        table.add_row(
            cell(line.name.replace("_", " ")),
            number(fmt.size(line.a_bytes)),
            number(fmt.size(line.b_bytes)),
            number(change),
        )
    return table
