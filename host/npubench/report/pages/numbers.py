"""How far to trust these numbers: the kinds of evidence in use, and what was checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from npubench.core import format as fmt
from npubench.core.evidence import MEANING, Evidence
from npubench.report.library import Library
from npubench.report.page import Page
from npubench.runs.schema import RunRecord

ORDER = 50

LONG = {
    Evidence.COUNTED: "Instructions are neither cycles nor time. How long each takes is decided by "
    "the memory and the pipeline of the real part, which an emulator does not have: between "
    "kernels on one core the count is a good guide, between cores it is a hint, not a speed-up.",
    Evidence.MEASURED: "Time on physical boards, from the board's own cycle counter and a clock "
    "that was checked against this computer.",
    Evidence.MODELLED: "The model and its configuration are named in the run. The range is the "
    "model's own; a difference is named only where it holds over the whole range.",
    Evidence.STATIC: "Flash and RAM by owner, from the sections of the linked image. The "
    "stack's high-water mark within the RAM is read from the running board.",
}


def pages(library: Library) -> Iterator[Page]:
    """One page."""
    shown = [run for _, run in library.shown()]
    yield Page(
        path="numbers",
        kind="numbers",
        title="What the numbers are worth",
        key="numbers",
        values={"kinds": kinds(shown), "checks": checks(shown)},
    )


def kinds(runs: Sequence[RunRecord]) -> list[tuple[str, str, str]]:
    """Each kind of evidence in use: its word, what it means, what follows."""
    used = {stage.evidence for run in runs for stage in run.stages.values()}
    used |= {run.energy.evidence for run in runs if run.energy is not None}
    if any(run.memory is not None for run in runs):
        used.add(Evidence.STATIC)
    return [
        (str(kind), MEANING[kind][:1].upper() + MEANING[kind][1:], LONG.get(kind, ""))
        for kind in Evidence
        if kind in used
    ]


def checks(runs: Sequence[RunRecord]) -> list[str]:
    """What was checked in these runs, as sentences; only what holds is said."""
    matched = sum(run.golden.status == "match" for run in runs)
    lines = [
        f"{matched} of {len(runs)} results gave the golden answer, bit by bit; a result that does "
        "not is shown as failed and never ranked."
    ]
    costs = sorted(
        {
            run.clock.window_cost
            for run in runs
            if run.clock is not None and run.clock.window_cost is not None
        }
    )
    if costs:
        span = fmt.count(costs[0])
        if len(costs) > 1:
            span = f"{span} to {fmt.count(costs[-1])}"
        lines.append(f"The cost of an empty window ({span} counts) is subtracted from each stage.")
    lines.append("Different units and different kinds of evidence are never put into one ranking.")
    return lines
