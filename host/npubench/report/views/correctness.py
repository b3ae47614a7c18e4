"""Correct before fast: what each target's outputs were compared with, and how it went."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.report.grid import Cell, Grid, columns, number, text
from npubench.report.library import Library, run_page
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun

TITLE = "Correctness"
ORDER = 70

REFERENCES = {
    "tflm": "TensorFlow Lite Micro's own reference kernels, run on this computer with the same "
    "input",
    "portable": "the native build of our portable kernels, because TensorFlow Lite Micro's package "
    "does not exist for this computer; the tests hold the two equal",
    "vendor": "the vendor's own reference, because this backend quantizes in its own way",
    "float": "the network on real numbers",
    "second-opinion": "TFLM, LiteRT and the float truth, operator by operator: the board is right "
    "and TFLM is not",
    "none": "nothing: the outputs were not compared",
}


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """One line for each target."""
    return _view(network.runs, library)


def of_run(stored: StoredRun, library: Library) -> View | None:
    """One run's check."""
    return _view([stored.record], library)


def _view(runs: Sequence[RunRecord], library: Library) -> View:
    used = {run.golden.reference for run in runs}
    return View(
        lead="The outputs of every run are compared with a golden answer, bit by bit; those of an "
        "NPU with another arithmetic are judged by a rule. A result that differs, or falls short, "
        "is shown as failed, not as fast.",
        grids=(
            Grid(
                name="correctness",
                columns=columns(
                    "Target",
                    "Result",
                    "Reference",
                    "#Tensors",
                    "#Differ",
                    "First to differ",
                    "#Elements",
                    "#Largest step",
                    "Input",
                    "Answer",
                ),
                rows=tuple(_row(run, library) for run in runs),
            ).without_empty(),
        ),
        notes=tuple(
            [f"{run.target}: {remark(run)}" for run in runs if remark(run)]
            + [f"{name}: {words}." for name, words in REFERENCES.items() if name in used]
        ),
    )


def verdict(run: RunRecord) -> Cell:
    """Match, mismatch, unchecked, or why the run is none."""
    if run.golden.status == "mismatch":
        return Cell(text="mismatch", badge="bad")
    if run.status in ("failed", "refused"):
        return Cell(text=run.status, badge="bad")
    if run.golden.status == "unavailable":
        return Cell(text="unchecked", badge="warn", hint=run.golden.reason or "")
    if run.status == "partial":
        return Cell(text="partial", badge="warn")
    return Cell(text=run.golden.status, badge="good")


def _row(run: RunRecord, library: Library) -> tuple[Cell, ...]:
    golden = run.golden
    return (
        Cell(text=run.target, page=library.page(run_page(run.run_id))),
        verdict(run),
        text(golden.reference),
        number(golden.tensors),
        number(golden.mismatches),
        text(fmt.printable(golden.first_mismatch or "", 60)),
        number(golden.elements_differ),
        number(golden.max_abs_diff),
        text("given" if golden.input_seed is None else f"seed {golden.input_seed}"),
        text(answer(run)),
    )


def answer(run: RunRecord) -> str:
    """The answer as the board gave it: integers on the wire, thousandths named ``milli``."""
    found = run.answer or {}
    if "index" in found and "milli" in found:
        if found["index"] < 0:  # no classes: the error of a reconstruction
            return f"mean squared error {found['milli'] / 1000:.3f}"
        return f"class {found['index']}, score {found['milli'] / 1000:.3f}"
    if "boxes" in found and "milli" in found:
        return f"{found['boxes']} boxes, best {found['milli'] / 1000:.3f}"
    return ", ".join(f"{key} {value}" for key, value in found.items())


def remark(run: RunRecord) -> str:
    """Why there is no answer, or who is off where two differ."""
    second = run.golden.second_opinion
    return run.golden.reason or ("" if second is None else second.text)
