"""How well networks answer, in words and as a table: the same on a terminal and in the report."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core import format as fmt
from npubench.core.format import printable
from npubench.report.table import cell, heading, name, new_table, number
from npubench.runs.compare_accuracy import AccuracyComparison, answers_worse
from npubench.runs.reader import StoredRun
from npubench.runs.schema import AccuracyRecord

METRIC_WORDS = {
    "top1": "Top-1",
    "auc": "AUC",
    "map": "mAP",
    "perplexity": "perplexity",
}


def value_words(record: AccuracyRecord | None) -> str:
    """``Top-1 98.1 %``, or ``perplexity 12.3``; a dash for None."""
    if record is None:
        return fmt.NONE
    metric = METRIC_WORDS.get(record.metric, record.metric)
    return f"{metric} {_number(record, record.value)}"


def interval_words(record: AccuracyRecord) -> str:
    """``95.9 to 99.1 %``."""
    if record.low is None or record.high is None:
        return fmt.NONE
    return f"{_number(record, record.low)} to {_number(record, record.high)}"


def worse_words(
    best: AccuracyRecord | None, best_name: str, others: Sequence[tuple[str, AccuracyRecord | None]]
) -> str:
    """What has to be said beside a winner: that another one answers better, on the same samples;
    empty where none does."""
    if best is None:
        return ""
    better = [
        (target, item)
        for target, item in others
        if item is not None
        and (item.metric, item.data_sha256, item.samples)
        == (best.metric, best.data_sha256, best.samples)
        and answers_worse(item, best)
    ]
    if not better:
        return ""
    target, item = max(better, key=lambda pair: abs(pair[1].value - best.value))
    return (
        f"But {best_name} answers worse: {value_words(best)} ({interval_words(best)}), {target} "
        f"{value_words(item)} ({interval_words(item)})."
    )


def accuracy_table(runs: Sequence[StoredRun]) -> RenderableType | None:
    """A line per run and form; None when no run was asked."""
    asked = [run.record for run in runs if run.record.accuracy]
    if not asked:
        return None
    table = new_table(tight=True)
    table.add_column("Model", no_wrap=True)
    table.add_column("Target", overflow="fold", min_width=12)
    table.add_column("Form", no_wrap=True)
    table.add_column("Accuracy", justify="right", no_wrap=True)
    table.add_column("95 %", justify="right", no_wrap=True)
    table.add_column("Samples", justify="right", no_wrap=True)
    table.add_column("as TFLM", justify="right", no_wrap=True)
    for run in asked:
        for item in run.accuracy:
            own = item.form == "target"
            table.add_row(
                name(run.model.name, 20),
                cell(run.target) if own else Text("host", style="dim"),
                cell("int8" if own else item.form),
                number(value_words(item)),
                number(interval_words(item)),
                number(fmt.count(item.samples)),
                number(fmt.percent(item.agreement_ratio) if own else fmt.NONE),
            )
    note = Text(
        "as TFLM: the share of samples whose outputs are those of TensorFlow Lite Micro, bit by "
        "bit.",
        style="dim",
    )
    return Group(heading("Answers to labelled samples"), table, note)


def comparison_view(found: AccuracyComparison) -> list[RenderableType]:
    """Two runs' answers: the verdict first."""
    style = "bold red" if found.verdict.endswith("worse") else ""
    if found.verdict == "unknown":
        style = "yellow"
    words = f"{found.verdict}: {value_words(found.a)} and {value_words(found.b)}"
    lines: list[RenderableType] = [Text(words, style=style)]
    if found.a is not None and found.b is not None:
        lines.append(Text(f"a {interval_words(found.a)}, b {interval_words(found.b)}", style="dim"))
    lines.append(Text(printable(found.reason, 300), style="dim"))
    return lines


def _number(record: AccuracyRecord, value: float) -> str:
    if record.metric == "perplexity":
        return f"{value:.2f}"
    return f"{100 * value:.1f} %"
