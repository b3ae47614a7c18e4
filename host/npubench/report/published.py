"""Published results as Rich tables: each row with its source, a run of ours beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from npubench.core import format as fmt
from npubench.published import Published, Source, sources
from npubench.report.table import cell, heading, name, new_table, number
from npubench.runs.against import Against, AgainstRow

SHOWN = 60
"""Rows that a terminal gets; ``--json`` has them all."""
NOTED = 4
"""With so many sources at most what each says of itself stands below a run's comparison."""


def published_view(rows: Sequence[Published], sources: Mapping[str, Source]) -> RenderableType:
    """The rows, fastest first within a network, and where they come from."""
    parts: list[RenderableType] = [_table(rows[:SHOWN])]
    if len(rows) > SHOWN:
        parts.append(
            Text(
                f"{SHOWN} of {len(rows)} results; narrow it with --model, --board, --source or "
                "--submitter, or take --json",
                style="dim",
            )
        )
    if not rows:
        parts.append(Text("nothing published fits all of that together", style="yellow"))
    parts += _sources({row.source for row in rows}, sources)
    return Group(*parts)


def against_view(view: Against) -> RenderableType:
    """Ours first, then each published result with the range of ours / theirs."""
    same = "the reference file" if view.same_weights else view.likeness
    if view.own is None:
        mine = f"no time: {view.reason}"
    else:
        own = view.own
        mine = f"infer {fmt.micro(own.us, 's')} ({own.evidence})"
        if own.low_us != own.high_us:
            mine += f", {fmt.micro(own.low_us, 's')} to {fmt.micro(own.high_us, 's')}"
    table = new_table()
    for title in ("Published", "Engine"):
        table.add_column(title, overflow="fold")
    for title in ("Clock", "Latency", "ours / theirs"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in view.rows[:SHOWN]:
        result = row.published.result
        table.add_row(
            cell(_who(row.published), 60),
            cell(result.engine, 40),
            number(_clock(row.published)),
            number(latency(row.published)),
            number(ratio(row)),
        )
    common = _common([row.differs for row in view.rows])
    parts: list[RenderableType] = [
        Text.assemble(("ours  ", "bold"), f"{view.run_id}: {view.network}, {same}\n      {mine}"),
        table,
    ]
    if len(view.rows) > SHOWN:
        parts.append(Text(f"{SHOWN} of {len(view.rows)} results; --json has all", style="dim"))
    if common:
        parts += [heading("What differs in every row"), *(Text(item) for item in common)]
    shown = view.rows[:SHOWN]
    doubts = dict.fromkeys(
        item for row in shown if row.published.other_latency_us is not None for item in row.differs
    )
    parts += [Text(item) for item in doubts if item not in common and "doubt" in item]
    named = {row.published.source for row in shown}
    if len(named) <= NOTED:
        parts += _sources(named, sources())
    return Group(*parts)


def _table(rows: Sequence[Published]) -> Table:
    table = new_table(tight=True)
    table.add_column("Network", no_wrap=True)
    for title in ("Published", "Board", "Engine"):
        table.add_column(title, overflow="fold")
    for title in ("Clock", "Latency", "Cycles", "Energy"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        result = row.result
        cycles = result.npu_cycles if result.npu_cycles is not None else row.cycles
        table.add_row(
            name(result.network),
            cell(_who(row), 40),
            cell(result.board, 30),
            cell(result.engine, 30),
            number(_clock(row)),
            number(latency(row)),
            number(fmt.si(cycles, "")),
            number(fmt.micro(result.energy_uj, "J")),
        )
    return table


def _sources(ids: set[str], sources: Mapping[str, Source]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for source in sorted(ids):
        about = sources[source]
        parts += [
            heading(source),
            Text(
                f"{about.citation}\n{about.url}\n{about.origin.capitalize()} there. {about.notes}"
            ),
        ]
    return parts


def _who(row: Published) -> str:
    result = row.result
    return " ".join(filter(None, (result.round, result.submitter, result.system)))


def latency(row: Published) -> str:
    """The latency; where its clock is in doubt both readings, the printed one first."""
    printed = fmt.micro(row.result.latency_us, "s")
    if row.other_latency_us is None:
        return printed
    return f"{printed} or {fmt.micro(row.other_latency_us, 's')}"


def ratio(row: AgainstRow) -> str:
    """Ours / theirs as a range; where their clock is in doubt for both readings."""
    words = _bounds(row.ratio_low, row.ratio_high)
    if row.other_ratio_low is None:
        return words
    return f"{words} or {_bounds(row.other_ratio_low, row.other_ratio_high)}"


def readings(row: AgainstRow) -> tuple[tuple[str, str], tuple[str, str]]:
    """Latency and ratio, each as it was printed and, where the clock is in doubt, the other
    reading with the word ``or`` before it, else empty."""
    item = row.published
    printed = fmt.micro(item.result.latency_us, "s"), _bounds(row.ratio_low, row.ratio_high)
    if item.other_latency_us is None:
        return (printed[0], ""), (printed[1], "")
    other = _bounds(row.other_ratio_low, row.other_ratio_high)
    return (printed[0], f"or {fmt.micro(item.other_latency_us, 's')}"), (printed[1], f"or {other}")


def _clock(row: Published) -> str:
    result = row.result
    if result.divided_by_mhz is not None:
        return f"{result.divided_by_mhz:.4g} or {result.other_clock_mhz:.4g}\u00a0MHz"
    return fmt.NONE if result.clock_mhz is None else f"{result.clock_mhz:.4g}\u00a0MHz"


def _bounds(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return fmt.NONE
    first, last = fmt.ratio(low), fmt.ratio(high)
    return first if first == last else f"{first} to {last}"


def _common(lists: Sequence[Sequence[str]]) -> list[str]:
    """What stands in every list, in the first one's order."""
    if not lists:
        return []
    return [item for item in lists[0] if all(item in other for other in lists)]
