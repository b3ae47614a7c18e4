"""The first page: an answer for each network, then every run, to be searched and filtered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.glance import glance
from npubench.report.grid import Cell
from npubench.report.library import (
    Library,
    backend_page,
    board_of,
    board_page,
    model_page,
    run_page,
    sweep_page,
)
from npubench.report.page import Page
from npubench.report.sections import sections
from npubench.report.views.answer import answer
from npubench.report.views.correctness import verdict
from npubench.report.views.results import cost
from npubench.runs.schema import RunRecord
from npubench.runs.store import short_id

ORDER = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run in the list, with what it can be filtered by."""

    record: RunRecord
    page: str
    model_page: str
    latest: bool
    short: str
    made: str
    verdict: Cell
    infer: Cell
    whole: Cell


def pages(library: Library) -> Iterator[Page]:
    """The one index."""
    lines = _lines(library)
    answers = [answer(network, library) for network in library.asked]
    yield Page(
        path="index",
        kind="index",
        title=title(library),
        key="overview",
        sections=sections("all", None, library),
        values={
            "facts": facts(library),
            "glance": glance(answers) if len(answers) > 1 else None,
            "answers": answers,
            "lines": lines,
            "earlier": sum(not line.latest for line in lines),
            "filters": _filters(lines),
            "sweeps": [
                (
                    f"{sweep.model} over {', '.join(sweep.axes)}",
                    sweep_page(sweep.id),
                    f"{len(sweep.points)} points",
                )
                for sweep in library.sweeps
            ],
            "boards": [
                (name, library.page(board_page(name)), _board_words(name))
                for name in library.boards
            ],
            "backends": [
                (name, library.page(backend_page(name)), _backend_words(name, library))
                for name in library.backends
            ],
        },
    )


def title(library: Library) -> str:
    """Which networks, on how much."""
    names = [network.name for network in library.asked or library.networks]
    if not names:
        return "no runs"
    boards = sorted({run.board for _, run in library.shown()})
    return f"{_listing(names, 'networks', 4)} on {_listing(boards, 'boards', 2)}"


def facts(library: Library) -> str:
    """How many targets, how many valid results, how new."""
    shown = [run for _, run in library.shown()]
    if not shown:
        return "nothing has been run yet"
    targets = len({run.target for run in shown})
    latest = max(run.record.created for run in library.runs)
    return " · ".join(
        (
            f"{targets} target{'' if targets == 1 else 's'}",
            f"{sum(run.valid for run in shown)} of {len(shown)} results valid",
            f"latest run {latest.replace('T', ' ').removesuffix('Z')} UTC",
        )
    )


def _listing(words: Sequence[str], noun: str, most: int) -> str:
    if len(words) > most:
        return f"{len(words)} {noun}"
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _lines(library: Library) -> list[RunLine]:
    """Every run: by network and target, the latest first."""
    ordered = sorted(library.runs, key=lambda run: run.record.created, reverse=True)
    ordered.sort(key=lambda run: (run.record.model.name, run.record.target))
    lines = []
    for stored in ordered:
        run = stored.record
        path = model_page(fmt.printable(run.model.name, 60), run.model.network_sha256)
        lines.append(
            RunLine(
                record=run,
                page=library.page(run_page(run.run_id)),
                model_page=library.page(path),
                latest=run.run_id in library.latest,
                short=short_id(run.run_id),
                made=run.created.replace("T", " ")[:16],
                verdict=verdict(run),
                infer=cost(run, Stage.INFER),
                whole=cost(run, Stage.END_TO_END),
            )
        )
    return lines


def _filters(lines: Sequence[RunLine]) -> list[tuple[str, str, list[str]]]:
    """Name, label and values of each filter that has a choice."""
    found = []
    for name, label, values in (
        ("model", "Network", {line.record.model.name for line in lines}),
        ("board", "Board", {line.record.board for line in lines}),
        ("backend", "Backend", {line.record.backend for line in lines}),
        ("evidence", "Evidence", {str(line.record.evidence) for line in lines}),
        ("status", "Result", {line.verdict.text for line in lines}),
    ):
        if len(values) > 1:
            found.append((name, label, sorted(values)))
    return found


def _board_words(name: str) -> str:
    board = board_of(name)
    return "" if board is None else board.name


def _backend_words(name: str, library: Library) -> str:
    count = len({run.record.model.network_sha256 for run in library.runs
                 if run.record.backend == name})  # fmt: skip
    return f"{count} network{'' if count == 1 else 's'}"
