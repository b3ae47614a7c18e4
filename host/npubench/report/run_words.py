"""A run in a word or a line, as the terminal's tables and views say it, with its colour."""

from __future__ import annotations

from rich.text import Text

from npubench.core import format as fmt
from npubench.core.evidence import Evidence
from npubench.core.format import printable
from npubench.runs.energy_record import EnergyStageRecord
from npubench.runs.schema import RunRecord

STATUS_STYLE = {"ok": "green", "partial": "yellow", "failed": "bold red", "refused": "bold red"}
GOLDEN_STYLE = {"match": "green", "mismatch": "bold red", "unavailable": "yellow"}
EVIDENCE_STYLE = {Evidence.MEASURED: "bold", Evidence.MODELLED: "magenta"}


def result_words(run: RunRecord) -> Text:
    """Status and golden check in two words, coloured by the worse of them."""
    if run.golden.status == "mismatch":
        return Text("mismatch", style="bold red")
    style = STATUS_STYLE[run.status]
    if not run.valid:
        return Text(run.status, style=style)
    if run.golden.status == "unavailable":
        return Text(f"{run.status}, unchecked", style="yellow")
    against = ", TFLM off" if run.golden.reference == "second-opinion" else ""
    return Text(f"{run.status}, {run.golden.status}{against}", style=style)


def evidence_words(kind: Evidence) -> Text:
    """The kind of evidence in one word."""
    if kind is Evidence.UNAVAILABLE:
        return Text("none", style="dim")
    return Text(kind, style=EVIDENCE_STYLE.get(kind, ""))


def reason_line(run: RunRecord) -> Text:
    """Why a run is none, and its hint."""
    line = Text.assemble(
        (f"{printable(run.model.name, 40)} on {run.board}: {run.status}: ", "bold red"),
        run.why_invalid or "",
    )
    if run.error is not None and run.error.hint:
        line.append(f"\n  hint: {printable(run.error.hint, 400)}", style="dim")
    return line


def energy_spread(stage: EnergyStageRecord | None) -> str:
    """Half of the gross interval (k = 2) as a share of the value."""
    if stage is None or stage.gross_high_uj is None or not stage.gross_uj:
        return fmt.NONE
    return f"± {fmt.percent((stage.gross_high_uj - stage.gross_uj) / stage.gross_uj)}"
