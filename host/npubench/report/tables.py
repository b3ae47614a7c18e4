"""The report as text: the same order of thought in a terminal's 80 columns, Markdown, LaTeX, CSV
and JSON."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from npubench.core import format as fmt
from npubench.report.grid import Cell, Column, Grid
from npubench.report.library import Library, library
from npubench.report.sections import sections
from npubench.report.selection import NetworkRuns
from npubench.report.views.answer import Answer, Group, answer
from npubench.runs.store import StoredRun

WIDTH = 80
BAR = 24
EIGHTHS = " ▏▎▍▌▋▊▉█"
SHOWN = ("npu", "stages", "where", "layers", "energy", "memory", "accuracy", "correctness")
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "µ": r"\textmu{}", "±": r"$\pm$", "×": r"$\times$", "–": "--", "<": r"\textless{}",
    ">": r"\textgreater{}",
}  # fmt: skip


def text(runs: Sequence[StoredRun]) -> str:
    """For a terminal: the answer of each network, then a bar for each target."""
    shown = library(runs)
    lines: list[str] = []
    for network in shown.networks:
        found = answer(network, shown)
        lines += [network.name, "=" * len(network.name), ""]
        lines += textwrap.wrap(found.headline, WIDTH)
        lines += textwrap.wrap(found.sure, WIDTH)
        for group in found.groups:
            lines += ["", f"{group.stage_words}, {fmt.UNIT_NAME[group.unit]} ({group.evidence})"]
            lines += _lines(group)
        for run, reason, _ in found.left_out:
            lines += textwrap.wrap(f"{run.target} is not ranked: {reason}", WIDTH)
        if found.where:
            lines += ["", f"where the time of {found.where_target} goes"]
            width = max(len(piece.name) for piece in found.where)
            lines += [
                f"  {piece.name:<{width}}  {bar(piece.share, BAR)}  {fmt.percent(piece.share):>7}"
                for piece in found.where
            ]
        lines.append("")
    return _plain("\n".join(lines)) + "\n"


def _lines(group: Group) -> list[str]:
    width = min(30, max(len(line.run.target) for line in group.lines))
    found = []
    for line in group.lines:
        share = sum(piece.share for piece in line.pieces)
        name = fmt.printable(line.run.target, width)
        value = line.value.partition(" (")[0]
        best = f" {line.times}x" if group.ranks and not line.best else ""
        found.append(f"  {name:<{width}}  {bar(share, BAR)}  {value:>16}{best}")
    return found


def bar(share: float, width: int) -> str:
    """A bar of block characters, in eighths of a column."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def _plain(words: str) -> str:
    return words.replace(fmt.GROUP, " ").replace("\u00a0", " ")


def grids(network: NetworkRuns, shown: Library) -> Iterator[tuple[str, Grid]]:
    """The tables of a network that go into a text, each with its section's title."""
    for section in sections("network", network, shown):
        if section.name in SHOWN:
            for grid in section.view.grids:
                yield section.title, grid


def markdown(runs: Sequence[StoredRun]) -> str:
    """Answers and tables as Markdown."""
    shown = library(runs)
    lines: list[str] = []
    for network, found in _answers(shown):
        lines += [f"## {fmt.for_markdown(network.name)}", "", fmt.for_markdown(found.headline)]
        lines += ["", fmt.for_markdown(found.sure), ""]
        lines += [
            f"- {fmt.for_markdown(run.target)} is not ranked: {fmt.for_markdown(reason)}"
            for run, reason, _ in found.left_out
        ]
        title = ""
        for section, grid in grids(network, shown):
            if section != title:
                title = section
                lines += ["", f"### {title}"]
            if grid.caption:
                lines += ["", fmt.for_markdown(grid.caption)]
            heads = [fmt.for_markdown(_head(column)) for column in grid.columns]
            lines += ["", _row(heads)]
            lines.append(_row(["--:" if column.number else "---" for column in grid.columns]))
            lines += [_row([fmt.for_markdown(_words(cell)) for cell in row]) for row in grid.rows]
        lines.append("")
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def latex(runs: Sequence[StoredRun]) -> str:
    """Tables as LaTeX with booktabs, a ``table`` for each."""
    shown = library(runs)
    lines = ["% needs \\usepackage{booktabs}"]
    for network, found in _answers(shown):
        lines += ["", f"% {network.name}: {found.headline}"]
        for section, grid in grids(network, shown):
            spec = "".join("r" if column.number else "l" for column in grid.columns)
            caption = f"{network.name}: {section}" + (f", {grid.caption}" if grid.caption else "")
            lines += [
                "\\begin{table}",
                f"\\caption{{{_tex(caption)}}}",
                f"\\begin{{tabular}}{{{spec}}}",
                "\\toprule",
                " & ".join(_tex(_head(column)) for column in grid.columns) + " \\\\",
                "\\midrule",
                *(" & ".join(_tex(_words(cell)) for cell in row) + " \\\\" for row in grid.rows),
                "\\bottomrule",
                "\\end{tabular}",
                "\\end{table}",
            ]
    return "\n".join(lines) + "\n"


def _tex(words: str) -> str:
    return "".join(LATEX.get(char, char) for char in _plain(fmt.printable(words, 400)))


def comma_separated(runs: Sequence[StoredRun]) -> str:
    """Every cell of every table as a line of CSV: long form, values as numbers where they are."""
    shown = library(runs)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("network", "section", "table", "row", "column", "unit", "value", "text"))
    for network in shown.networks:
        for section, grid in grids(network, shown):
            for row in grid.rows:
                for column, cell in zip(grid.columns[1:], row[1:], strict=True):
                    value = "" if cell.value is None else cell.value
                    writer.writerow(
                        (network.name, section, grid.name, row[0].text, column.title, column.unit,
                         value, _plain(_words(cell)))
                    )  # fmt: skip
    return out.getvalue()


def document(runs: Sequence[StoredRun]) -> dict[str, Any]:
    """Answers and tables as JSON values."""
    shown = library(runs)
    return {
        "networks": [
            {
                "name": network.name,
                "network_sha256": network.network_sha256,
                "answer": found.headline,
                "trust": found.sure,
                "targets": [
                    {
                        "target": line.run.target,
                        "run_id": line.run.run_id,
                        "evidence": group.evidence,
                        "unit": group.unit,
                        "value": line.value,
                        "best": line.best,
                        "times": line.times,
                    }
                    for group in found.groups
                    for line in group.lines
                ],
                "left_out": [
                    {"target": run.target, "run_id": run.run_id, "reason": reason}
                    for run, reason, _ in found.left_out
                ],
                "tables": [
                    {
                        "section": section,
                        "name": grid.name,
                        "columns": [{"title": c.title, "unit": c.unit} for c in grid.columns],
                        "rows": [[_value(cell) for cell in row] for row in grid.rows],
                    }
                    for section, grid in grids(network, shown)
                ],
            }
            for network, found in _answers(shown)
        ]
    }


def _answers(shown: Library) -> Iterator[tuple[NetworkRuns, Answer]]:
    return ((network, answer(network, shown)) for network in shown.networks)


def _head(column: Column) -> str:
    return f"{column.title}, {column.unit}" if column.unit else column.title


def _words(cell: Cell) -> str:
    return f"{cell.text} ({cell.under})" if cell.under else cell.text


def _value(cell: Cell) -> Any:
    return cell.text if cell.value is None else cell.value


FORMS: Mapping[str, Callable[[Sequence[StoredRun]], str]] = {
    "text": text,
    "md": markdown,
    "latex": latex,
    "csv": comma_separated,
}
