"""From a session's raw counts to stages, layers and a verdict: same session, same run."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.bench.counts import Scale
from npubench.bench.session import Session
from npubench.boards import Board
from npubench.compiler.analyze import macs
from npubench.compiler.compiled import Compiled
from npubench.compiler.plan import Alias, EngineOp, Free, KernelCall, NpuJob
from npubench.connect.board import is_played
from npubench.core.errors import DeviceError
from npubench.core.evidence import Evidence
from npubench.core.stages import Stage
from npubench.golden import Golden
from npubench.runs.schema import GoldenRecord, LayerRecord, StageRecord
from npubench.stats.summary import Summary, summarize

# The outer window also holds the inner windows' own reads and the calls between the stages.
OUTER_SLACK_PER_STAGE = 40
TIMED = (Stage.INIT_WARM, Stage.LOAD, Stage.INFER, Stage.UNLOAD, Stage.POST)
END_TO_END = (Stage.LOAD, Stage.INFER, Stage.UNLOAD, Stage.POST)


def timing_evidence(board: Board, port: str | None) -> Evidence:
    """What a count from this board is worth.

    An emulator counts. A physical board measures, unless its console is one that a program can
    play as well: a pty or a loopback socket caps what follows at ``modelled``.
    """
    if board.kind == "emulated":
        return Evidence.COUNTED
    if board.kind == "host":
        return Evidence.UNAVAILABLE
    return Evidence.MODELLED if port is None or is_played(port) else Evidence.MEASURED


def raw_counts(session: Session) -> dict[str, tuple[int, ...]]:
    """The counts of every stage as the board sent them, for the stored samples."""
    bench = session.bench
    if bench is None:
        return {}
    reps = bench.reps
    raw = {
        Stage.INIT_COLD: () if bench.init_cold is None else (bench.init_cold,),
        Stage.INIT_WARM: tuple(rep.init for rep in reps),
        Stage.LOAD: tuple(rep.load for rep in reps),
        Stage.INFER: tuple(rep.infer for rep in reps),
        Stage.UNLOAD: tuple(rep.unload for rep in reps),
        Stage.POST: tuple(rep.post for rep in reps),
    }
    return {stage.value: counts for stage, counts in raw.items() if counts}


def stage_values(session: Session, scale: Scale) -> dict[Stage, tuple[int, ...]]:
    """Every repetition of every stage, in the scale's unit, without the window's cost.

    End to end is formed per repetition and checked against the outer window, less what the markers
    took in it. Raises DeviceError
    when they disagree: something ran between the stages that belongs to none.
    """
    bench = session.bench
    if bench is None or not bench.reps:
        return {}
    cold = () if bench.init_cold is None else (scale.net(bench.init_cold),)
    values: dict[Stage, tuple[int, ...]] = {
        Stage.INIT_COLD: cold,
        Stage.INIT_WARM: tuple(scale.net(rep.init) for rep in bench.reps),
        Stage.LOAD: tuple(scale.net(rep.load) for rep in bench.reps),
        Stage.INFER: tuple(scale.net(rep.infer) for rep in bench.reps),
        Stage.UNLOAD: tuple(scale.net(rep.unload) for rep in bench.reps),
        Stage.POST: tuple(scale.net(rep.post) for rep in bench.reps),
    }
    totals = tuple(
        sum(values[stage][index] for stage in END_TO_END) for index in range(len(bench.reps))
    )
    slack = len(END_TO_END) * (scale.window_cost + OUTER_SLACK_PER_STAGE)
    for rep, total in zip(bench.reps, totals, strict=True):
        outer = scale.net(rep.outer - rep.gap)
        if not total <= outer <= total + slack + total // 1000:
            raise DeviceError(
                f"repetition {rep.index}: its stages add up to {total} {scale.unit}, but the "
                f"window around them reads {outer}",
                hint="something runs between the stages that belongs to none of them",
            )
    values[Stage.END_TO_END] = totals
    return values


def stage_records(
    values: dict[Stage, tuple[int, ...]],
    scale: Scale | None,
    *,
    evidence: Evidence,
    measured_hz: float | None,
    reason: str | None,
) -> dict[str, StageRecord]:
    """Summaries of every stage; cycles become microseconds with the measured clock (Hz).

    A stage without values is unavailable, with ``reason``.
    """
    records: dict[str, StageRecord] = {}
    for stage in Stage:
        if stage is Stage.IDLE:
            continue
        numbers = values.get(stage, ())
        if not numbers or scale is None:
            records[stage] = StageRecord(
                unit="instructions" if evidence is Evidence.COUNTED else "us",
                evidence=Evidence.UNAVAILABLE,
                reason=reason or "the board sent no count",
            )
        elif scale.unit == "instructions":
            records[stage] = _record(summarize(numbers), "instructions", evidence)
        else:
            assert measured_hz is not None
            records[stage] = _record(
                summarize([count * 1e6 / measured_hz for count in numbers]),
                "us",
                evidence,
                cycles_median=summarize(numbers).median,
            )
    return records


def _record(
    summary: Summary, unit: str, evidence: Evidence, *, cycles_median: float | None = None
) -> StageRecord:
    return StageRecord.model_validate(
        {
            "unit": unit,
            "evidence": evidence,
            "median": summary.median,
            "min": summary.min,
            "max": summary.max,
            "n": summary.n,
            "mad": summary.mad,
            "deterministic": summary.deterministic,
            "ci95_low": summary.ci95_low,
            "ci95_high": summary.ci95_high,
            "outliers": len(summary.outliers),
            "cycles_median": cycles_median,
        }
    )


def layer_records(
    compiled: Compiled, session: Session, scale: Scale | None, *, evidence: Evidence
) -> tuple[LayerRecord, ...]:
    """Each operator with its static cost and, where counted, the median of its counts."""
    counts: dict[int, list[int]] = {}
    if scale is not None and session.layers is not None:
        for op in session.layers.counts:
            counts.setdefault(op.op, []).append(scale.net(op.count))
    kernels = kernels_of(compiled)
    choices = {
        step.op_index: step.choice
        for step in compiled.plan.steps
        if isinstance(step, KernelCall) and step.choice is not None
    }
    runs = compiled.plan.graph
    executed = {} if runs is None else {op.index: macs(runs, op) for op in runs.ops}
    records = []
    for layer in compiled.network.analysis.layers:
        engine, kernel = kernels.get(layer.index, ("cpu", ""))
        numbers = counts.get(layer.index, [])
        records.append(
            LayerRecord.model_validate(
                {
                    "index": layer.index,
                    "op": layer.op,
                    "name": layer.name,
                    "engine": engine,
                    "kernel": kernel,
                    "choice": choices[layer.index].reason if layer.index in choices else None,
                    "predicted": choices[layer.index].instructions
                    if layer.index in choices
                    else None,
                    "executed_macs": executed.get(layer.index),
                    "macs": layer.macs,
                    "weight_bytes": layer.weight_bytes,
                    "input_bytes": layer.input_bytes,
                    "output_bytes": layer.output_bytes,
                    "unit": "instructions" if scale is None else scale.unit,
                    "evidence": evidence if numbers else Evidence.UNAVAILABLE,
                    "value": summarize(numbers).median if numbers else None,
                    "reason": None if numbers else "not counted in this run",
                }
            )
        )
    return tuple(records)


def kernels_of(compiled: Compiled) -> dict[int, tuple[str, str]]:
    """Where each operator runs (``cpu``, ``npu``, ``none``), and its kernel or job. A vendor's job
    may hold operators that its run time leaves to the CPU."""
    found: dict[int, tuple[str, str]] = {}
    left = {fallback.op_index for fallback in compiled.plan.fallbacks}
    for step in compiled.plan.steps:
        match step:
            case KernelCall():
                found[step.op_index] = ("cpu", step.kernel)
            case EngineOp():
                found[step.op_index] = ("cpu", step.kernel)
            case Alias():
                found[step.op_index] = ("none", "alias")
            case Free():
                found[step.op_index] = ("none", "known")
            case NpuJob():
                for index in step.op_indices:
                    found[index] = ("cpu" if index in left else "npu", f"job {step.job}")
    return found


def golden_record(
    golden: Golden | None, session: Session, *, seed: int | None, unavailable: str | None
) -> GoldenRecord:
    """Compare what the board computed with the golden answer.

    The outputs are compared byte by byte. With the board's tensor CRCs every operator's output is
    compared as well, and ``tensors`` counts those.
    """
    if golden is None:
        return GoldenRecord(
            status="unavailable",
            reference="none",
            tensors=0,
            mismatches=0,
            input_seed=seed,
            reason=unavailable or "no reference is available here",
        )
    kat = session.kat
    if kat.input_crc != golden.input_crc:
        return GoldenRecord(
            status="mismatch",
            reference=golden.reference,
            tensors=0,
            mismatches=0,
            input_seed=seed,
            reason=f"the board's input (CRC-32 {kat.input_crc:08x}) is not the golden input "
            f"({golden.input_crc:08x})",
        )
    differ, largest = _differences(kat.output, golden.output_bytes, golden.output_item_bytes)
    wrong = [
        f"operator {tensor.op}"
        for tensor in kat.tensors
        if tensor.op in golden.op_crcs and tensor.crc != golden.op_crcs[tensor.op]
    ]
    compared = sum(tensor.op in golden.op_crcs for tensor in kat.tensors)
    if differ and not wrong:
        wrong.append("output")
    return GoldenRecord(
        status="mismatch" if wrong else "match",
        reference=golden.reference,
        tensors=compared or golden.output_count,
        mismatches=len(wrong),
        first_mismatch=wrong[0] if wrong else None,
        elements_differ=differ,
        max_abs_diff=largest,
        input_seed=seed,
    )


def _differences(got: bytes, expected: bytes, itemsize: int) -> tuple[int, int]:
    """How many elements differ and by how much at most; all of them when the sizes differ."""
    if len(got) != len(expected):
        return max(len(got), len(expected)) // itemsize, 0
    if itemsize == 1:
        pairs: Sequence[tuple[int, int]] = [
            ((a ^ 0x80) - 0x80, (b ^ 0x80) - 0x80)
            for a, b in zip(got, expected, strict=True)
            if a != b
        ]
        return len(pairs), max((abs(a - b) for a, b in pairs), default=0)
    differing = sum(
        got[start : start + itemsize] != expected[start : start + itemsize]
        for start in range(0, len(got), itemsize)
    )
    return differing, 0
