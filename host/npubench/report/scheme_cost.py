"""What an NPU's own arithmetic costs: noise beside the signal, the same best class, where it comes
in. From the record of a vendor's simulator, or of a compiler that tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.grid import Cell, Grid, columns, number, text
from npubench.report.library import Library, run_page
from npubench.report.table import cell, heading, key_values, name, new_table
from npubench.report.table import number as figure
from npubench.runs.schema import RunRecord, SchemeRecord
from npubench.runs.store import StoredRun

REFERENCES = {
    "tflm": "TFLM's answers to the int8 network",
    "float": "the network on real numbers",
    "int8": "the network's own int8 answers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeCost:
    """How near a scheme comes to its reference, over ``samples`` inputs.

    ``snr_db``: of the output that has least, None where nothing differs; ``same_ratio``: the share
    with the same best class, None of what is no classifier; ``*_low``: at least, over all inputs,
    at 95 %; ``int8_*``: how near the int8 network itself comes to real numbers; ``worst``: the
    operator that adds most noise beside its signal, where it is told.
    """

    against: str
    samples: int
    inputs: str
    snr_db: float | None
    same_ratio: float | None
    snr_low_db: float | None = None
    same_low_ratio: float | None = None
    int8_snr_db: float | None = None
    int8_same_ratio: float | None = None
    worst: str = ""

    @property
    def noise(self) -> str:
        """Signal to noise in words."""
        return "no difference" if self.snr_db is None else f"{self.snr_db:.1f} dB"

    @property
    def int8(self) -> str:
        """The int8 network itself in words."""
        if self.int8_snr_db is None:
            return fmt.NONE
        return with_class(f"{self.int8_snr_db:.1f} dB", self.int8_same_ratio)


def with_class(noise: str, same_ratio: float | None) -> str:
    """Signal to noise and, of a classifier, the same class: ``18.0 dB, 89%``."""
    return noise if same_ratio is None else f"{noise}, {same_ratio:.0%}"


def scheme_cost(run: RunRecord) -> SchemeCost | None:
    """The cost that a run's record tells; None where its NPU computes as TFLite does."""
    if run.scheme is not None:
        return _judged(run, run.scheme)
    return None if run.npu is None else told_cost(run.npu.details)


def scheme_table(runs: Iterable[StoredRun]) -> RenderableType | None:
    """A line per run that was judged by its scheme's rule, failed ones too; None without any."""
    found = [(stored.record, scheme_cost(stored.record)) for stored in runs]
    costs = [(run, cost) for run, cost in found if cost is not None]
    if not costs:
        return None
    table = new_table(tight=True)
    table.add_column("Model", no_wrap=True)
    table.add_column("Target", overflow="fold", min_width=12)
    for title in ("To noise", "Same class", "int8 itself", "MACs there", "Memory"):
        table.add_column(title, justify="right", no_wrap=True)
    for run, cost in costs:
        table.add_row(
            name(run.model.name, 20),
            cell(run.target),
            figure(cost.noise),
            figure(fmt.NONE if cost.same_ratio is None else f"{cost.same_ratio:.0%}"),
            figure(cost.int8),
            figure(fmt.percent(None if run.npu is None else run.npu.macs_share)),
            figure(fmt.size(memory_bytes(run))),
        )
    ways = dict.fromkeys(
        f"{run.model.name} on {run.target}: {taken}" for run, _ in costs if (taken := way(run))
    )
    lines = [*rules(costs), *ways]
    return Group(
        heading("The NPU's own arithmetic"),
        table,
        *(Text(fmt.printable(line, 300), style="dim") for line in lines),
    )


def scheme_rows(run: RunRecord) -> tuple[tuple[str, str], ...]:
    """Names and values for one run; none where its NPU computes as TFLite does."""
    cost = scheme_cost(run)
    if cost is None:
        return ()
    details: Mapping[str, object] = {} if run.npu is None else run.npu.details
    rows = list(cost_rows(cost, details))
    if run.scheme is not None:
        rows += [(key, str(details[key])) for key in ("simulator", "setting") if key in details]
        rows += [
            (key.removesuffix("_bytes").replace("_", " "), fmt.size(value))
            for key, value in details.items()
            if key.endswith("_bytes") and isinstance(value, int)
        ]
    return tuple(rows)


def cost_rows(cost: SchemeCost, details: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """A cost as names and values, with what ``details`` of the NPU's record say beside it."""
    low = "" if cost.snr_low_db is None else f" (of all inputs at least {cost.snr_low_db:.1f} dB)"
    rows = [("signal to noise", f"{cost.noise} against {REFERENCES[cost.against]}{low}")]
    if cost.same_ratio is not None:
        same, least = f"{round(cost.same_ratio * cost.samples)} of {cost.samples} inputs", ""
        if cost.same_low_ratio is not None:
            least = f"; of all at least {cost.same_low_ratio:.1%}"
        rows.append(("same best class", f"{same} ({cost.inputs}){least}"))
    if cost.int8_snr_db is not None:
        rows.append(("int8 itself", f"{cost.int8} against real numbers"))
    if cost.worst:
        rows.append(("most noise", f"comes in at operator {cost.worst}"))
    if "accuracy_largest_error" in details:
        span = details.get("accuracy_output_range")
        rows.append(
            ("largest error", f"{details['accuracy_largest_error']} of outputs that span {span}")
        )
    size = details.get("weight_bytes")
    if isinstance(size, int):
        rows.append(("weights", f"{fmt.size(size)}, bits by layer: {details.get('weight_bits')}"))
    return tuple(rows)


def scheme_view(run: RunRecord) -> RenderableType | None:
    """What one run tells of its scheme, for a terminal."""
    rows = scheme_rows(run)
    return Group(heading("The NPU's own arithmetic"), key_values(rows)) if rows else None


def scheme_grid(runs: Sequence[RunRecord], library: Library) -> Grid | None:
    """The same as `scheme_table` for a page."""
    costs = [(run, cost) for run in runs if (cost := scheme_cost(run)) is not None]
    if not costs:
        return None
    return Grid(
        name="scheme",
        columns=columns(
            "Target",
            "#Signal to noise",
            "#at least",
            "#Same class",
            "#at least",
            "#Inputs",
            "int8 itself",
            "Most noise at",
            "#MACs on the NPU",
            "#NPU cycles",
            "#Memory",
        ),
        rows=tuple(_row(run, cost, library) for run, cost in costs),
    ).without_empty()


def rules(costs: Iterable[tuple[RunRecord, SchemeCost]]) -> tuple[str, ...]:
    """By what rule they were judged, in sentences."""
    limits = dict.fromkeys(
        (run.scheme.snr_limit_db, run.scheme.agreement_limit_ratio)
        for run, _ in costs
        if run.scheme is not None
    )
    references = dict.fromkeys(REFERENCES[cost.against] for _, cost in costs)
    return (
        *(
            f"Failed below {noise:.0f} dB of signal to noise or {same:.0%} of inputs with the same "
            "best class."
            for noise, same in limits
        ),
        f"Compared with {', or '.join(references)}.",
    )


def memory_bytes(run: RunRecord) -> int | None:
    """What the vendor's tool says that the network needs in all; None where it names only parts."""
    details: Mapping[str, object] = {} if run.npu is None or run.scheme is None else run.npu.details
    for key in ("total_bytes", "ram_bytes"):
        value = details.get(key)
        if isinstance(value, int):
            return value
    ion_mib = details.get("memory_mib")
    return round(ion_mib * 2**20) if isinstance(ion_mib, int | float) else None


def _judged(run: RunRecord, scheme: SchemeRecord) -> SchemeCost:
    kinds = {layer.index: layer.op for layer in run.layers}
    worst = scheme.worst_layer
    return SchemeCost(
        against="tflm" if run.golden.reference == "tflm" else "float",
        samples=scheme.samples,
        inputs=scheme.distribution,
        snr_db=_least(scheme.snr_db),
        same_ratio=scheme.agreement_ratio,
        snr_low_db=_least(scheme.snr_low_db),
        same_low_ratio=scheme.agreement_low_ratio,
        int8_snr_db=_least(scheme.int8_snr_db),
        int8_same_ratio=scheme.int8_agreement_ratio,
        worst="" if worst is None else f"{worst} {kinds.get(worst, '')}".strip(),
    )


def told_cost(details: Mapping[str, object]) -> SchemeCost | None:
    """The cost that a compiler tells in its ``accuracy_*``; None where it tells none."""
    noise, count = details.get("accuracy_snr_db"), details.get("accuracy_samples")
    if not isinstance(noise, int | float) or not isinstance(count, int):
        return None
    least = details.get("accuracy_lowest_snr_db", noise)
    same = details.get("accuracy_same_class_ratio")
    return SchemeCost(
        against="int8",
        samples=count,
        inputs=str(details.get("accuracy_inputs", "unknown")),
        snr_db=float(least) if isinstance(least, int | float) else float(noise),
        same_ratio=float(same) if isinstance(same, int | float) else None,
        worst=str(details.get("accuracy_worst_op", "")),
    )


def _least(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return min(told) if told else None


def way(run: RunRecord) -> str:
    """Which of its tool's ways to compile was taken, and how near each came."""
    value = None if run.npu is None or run.scheme is None else run.npu.details.get("setting")
    return value if isinstance(value, str) else ""


def _row(run: RunRecord, cost: SchemeCost, library: Library) -> tuple[Cell, ...]:
    npu, infer = run.npu, run.stages.get(Stage.INFER)
    return (
        Cell(text=run.target, page=library.page(run_page(run.run_id))),
        Cell(text=cost.noise, value=cost.snr_db),
        number(cost.snr_low_db, lambda value: f"{value:.1f} dB"),
        number(cost.same_ratio, fmt.percent),
        number(cost.same_low_ratio, fmt.percent),
        number(cost.samples, hint=cost.inputs),
        text(cost.int8),
        text(cost.worst),
        number(None if npu is None else npu.macs_share, fmt.percent),
        number(None if infer is None else infer.npu_cycles),
        Cell(text=fmt.size(memory_bytes(run)), value=memory_bytes(run)),
    )
