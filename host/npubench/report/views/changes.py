"""What changed since the run before, or since an earlier set: provenance first, then figures."""

from __future__ import annotations

from npubench.core import format as fmt
from npubench.core.errors import NpubenchError
from npubench.report.grid import Cell, Grid, columns, text
from npubench.report.library import Library, run_page
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.runs.compare import Comparison, StageComparison, compare_runs
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun
from npubench.stats.compare import Verdict

TITLE = "What changed"
ORDER = 90

CLAIMS = (Verdict.DETERMINISTIC, Verdict.DIFFERENT, Verdict.MODELLED)


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """Every target that has an earlier run."""
    found: list[Comparison] = []
    refused: list[str] = []
    for run in network.runs:
        old = _old(run, library)
        if old is None:
            continue
        try:
            found.append(compare_runs(old, library.of(run)))
        except NpubenchError as error:
            refused.append(f"{run.target}: {error.message}")
    if not found and not refused:
        return None
    grids: dict[str, tuple[Grid, ...]] = {}
    for at, comparison in enumerate(found):
        grids |= _folded(comparison, at)
    changed = [line for comparison in found for line in _lines(comparison)]
    return View(
        claim="Nothing that was compared has changed." if found and not changed else "",
        lead="The latest run of each target against the one before it"
        + (", of the set that this report is told against." if library.before else "."),
        grids=(_table(found, library),) if found else (),
        folded=grids,
        notes=tuple(refused),
    )


def _old(run: RunRecord, library: Library) -> StoredRun | None:
    """The run that this one is set against: of the named set, else the last before it."""
    if library.before:
        same = [
            old
            for old in library.before
            if old.record.target == run.target
            and old.record.model.network_sha256 == run.model.network_sha256
        ]
        return max(same, key=lambda old: (old.record.created, old.record.run_id), default=None)
    earlier = [old for old in library.earlier(run) if old.record.valid]
    return earlier[-1] if earlier else None


def _lines(comparison: Comparison) -> list[str]:
    return [stage.stage for stage in comparison.stages if _claims(stage)] + [
        item.name for item in comparison.memory if item.difference_bytes
    ]


def _claims(stage: StageComparison) -> bool:
    return stage.verdict in CLAIMS and stage.ratio is not None and stage.ratio != 1


def _table(found: list[Comparison], library: Library) -> Grid:
    rows = []
    for comparison in found:
        stages = {stage.stage: stage for stage in comparison.stages}
        infer, whole = stages.get("infer"), stages.get("end_to_end")
        memory = {item.name: item for item in comparison.memory}
        rows.append(
            (
                Cell(
                    text=comparison.b.record.target,
                    page=library.page(run_page(comparison.b.record.run_id)),
                ),
                Cell(
                    text=comparison.a.record.run_id.rpartition("-")[2],
                    page=library.page(run_page(comparison.a.record.run_id)),
                    hint=comparison.a.record.run_id,
                ),
                text(", ".join(item.what for item in comparison.provenance)),
                _change(infer),
                _change(whole),
                *(
                    Cell(text=_bytes(memory[name].difference_bytes))
                    if name in memory
                    else Cell(text=fmt.NONE)
                    for name in ("flash", "ram")
                ),
            )
        )
    return Grid(
        name="changed",
        columns=columns(
            "Target", "Against", "~Differs in", "#infer", "#end to end", "#Flash", "#RAM"
        ),
        rows=tuple(rows),
    )


def _change(stage: StageComparison | None) -> Cell:
    if stage is None or stage.ratio is None:
        return Cell(text=fmt.NONE, hint="" if stage is None else stage.reason)
    unit = stage.unit_b or ""
    words = fmt.change(stage.ratio, unit)
    if stage.verdict not in CLAIMS and stage.ratio != 1:
        words = "no claim"
    return Cell(text=words, value=stage.ratio, hint=stage.reason)


def _bytes(difference: int | None) -> str:
    if difference is None:
        return fmt.NONE
    if not difference:
        return "the same"
    return fmt.signed(fmt.size(difference), difference)


def _folded(comparison: Comparison, at: int) -> dict[str, tuple[Grid, ...]]:
    grids = []
    if comparison.provenance:
        grids.append(
            Grid(
                name=f"provenance-{at}",
                caption="What differs in provenance",
                columns=columns("What", "~Before", "~After"),
                rows=tuple(
                    (text(item.what), text(item.a), text(item.b)) for item in comparison.provenance
                ),
                dense=True,
            )
        )
    grids.append(
        Grid(
            name=f"compared-{at}",
            caption="Stages",
            columns=columns("Stage", "#Before", "#After", "Change", "~Verdict"),
            rows=tuple(
                (
                    text(stage.stage.replace("_", " ")),
                    text(fmt.stage(stage.median_a, stage.unit_a or "")),
                    text(fmt.stage(stage.median_b, stage.unit_b or "")),
                    _change(stage),
                    text(
                        f"{stage.verdict}: {stage.reason}"
                        if stage.verdict and stage.reason
                        else stage.verdict or stage.reason
                    ),
                )
                for stage in comparison.stages
            ),
            dense=True,
        )
    )
    return {f"{comparison.b.record.target} in full": tuple(grids)}
