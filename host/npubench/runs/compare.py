"""Two runs side by side: what differs in provenance first, then each stage with its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from npubench.core.errors import ResultError
from npubench.core.evidence import Evidence
from npubench.core.finding import Found
from npubench.runs import findings
from npubench.runs.compare_accuracy import AccuracyComparison, compare_accuracy
from npubench.runs.compare_energy import RATES_PER_SECOND, EnergyComparison, compare_energy
from npubench.runs.compare_parts import PartComparison, compare_parts
from npubench.runs.gap import Gap, explain_gap
from npubench.runs.gap_sources import changed_sources
from npubench.runs.reader import StoredRun
from npubench.runs.samples import read_samples
from npubench.runs.schema import MemoryRecord, Number, RunRecord, StageRecord
from npubench.stats.compare import Nature, SampleComparison, Verdict, compare_samples

NATURE = {
    Evidence.COUNTED: Nature.COUNTED,
    Evidence.MEASURED: Nature.MEASURED,
    Evidence.MODELLED: Nature.MODELLED,
}
"""How samples are compared, by what they are."""
_MEMORY = (
    "flash_bytes",
    "ram_bytes",
    "weights_bytes",
    "kernels_bytes",
    "harness_flash_bytes",
    "arena_bytes",
    "scratch_bytes",
    "harness_ram_bytes",
    "data_bytes",
    "stack_bytes",
    "fixture_bytes",
    "baseline_flash_bytes",
    "baseline_ram_bytes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same in the two runs; None where a run does not have it."""

    what: str
    a: str | None
    b: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageComparison:
    """One stage of run b against run a.

    ``ratio`` is b / a. It is None, and ``reason`` says why, where a stage is missing or the units
    differ: those are never set against each other.
    """

    stage: str
    unit_a: str | None
    unit_b: str | None
    evidence_a: Evidence | None
    evidence_b: Evidence | None
    median_a: Number | None
    median_b: Number | None
    ratio: float | None
    p_value: float | None
    cliffs_delta: float | None
    verdict: Verdict | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryDifference:
    """One line of the memory account, in bytes; ``difference_bytes`` is b - a."""

    name: str
    a_bytes: int | None
    b_bytes: int | None
    difference_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Run b against run a. ``mixed``: the runs are of different evidence, on request. ``energy`` is
    None where a run was not captured, ``accuracy`` where neither was asked and both run one
    network alike; ``parts`` is modelled time and energy, where both have it; ``gap`` is None where
    stages have no unit in common."""

    a: StoredRun
    b: StoredRun
    mixed: bool
    provenance: tuple[Difference, ...]
    stages: tuple[StageComparison, ...]
    parts: tuple[PartComparison, ...]
    memory: tuple[MemoryDifference, ...]
    energy: EnergyComparison | None
    accuracy: AccuracyComparison | None
    gap: Gap | None = None

    def document(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return {
            "a": _side(self.a),
            "b": _side(self.b),
            "mixed_evidence": self.mixed,
            "provenance": [asdict(item) for item in self.provenance],
            "stages": [asdict(item) for item in self.stages],
            "memory": [asdict(item) for item in self.memory],
            "energy": None if self.energy is None else asdict(self.energy),
            "accuracy": _accuracy_document(self.accuracy),
            "parts": [
                asdict(item) | {"a": item.a.model_dump(), "b": item.b.model_dump()}
                for item in self.parts
            ],
            "gap": None if self.gap is None else self.gap.document(),
        }


def compare_runs(
    a: StoredRun,
    b: StoredRun,
    *,
    allow_mixed: bool = False,
    rates_per_second: Sequence[float] = RATES_PER_SECOND,
) -> Comparison:
    """Compare two stored runs of one network; where both have energy, also their mean power at
    some rates of inferences.

    Raises ResultError when they cannot be compared: another network, stage contract or schema, a
    run that failed, or different evidence without ``allow_mixed``.
    """
    _refuse(a.record, b.record, allow_mixed=allow_mixed)
    samples = (_values(a), _values(b))
    names = list(dict.fromkeys([*a.record.stages, *b.record.stages]))
    return Comparison(
        a=a,
        b=b,
        mixed=a.record.evidence is not b.record.evidence,
        provenance=provenance_differences(a.record, b.record),
        stages=tuple(_compare_stage(name, a.record, b.record, samples) for name in names),
        parts=compare_parts(a.record, b.record),
        memory=_compare_memory(a.record.memory, b.record.memory),
        energy=compare_energy(a.record.energy, b.record.energy, rates_per_second=rates_per_second),
        accuracy=compare_accuracy(a.record, b.record),
        gap=explain_gap(a.record, b.record, changed=changed_sources(a, b)),
    )


def _refuse(a: RunRecord, b: RunRecord, *, allow_mixed: bool) -> None:
    found = _against(a, b, allow_mixed=allow_mixed)
    if found is not None:
        raise found.error(ResultError)


def _against(a: RunRecord, b: RunRecord, *, allow_mixed: bool) -> Found | None:
    """What forbids to set b against a."""
    if a.model.network_sha256 != b.model.network_sha256:
        left, right = (f"{run.model.name} {run.model.network_sha256[:12]}" for run in (a, b))
        return findings.NETWORKS_DIFFER.found(a=left, b=right)
    if a.stage_contract != b.stage_contract:
        return findings.CONTRACTS_DIFFER.found(a=a.stage_contract, b=b.stage_contract)
    for record in (a, b):
        if record.status in ("failed", "refused"):
            why = "" if record.error is None else f": {record.error.message.splitlines()[0]}"
            return findings.RUN_WITHOUT_SPEED.found(
                run=record.run_id, status=record.status, why=why
            )
    if a.evidence is not b.evidence and not allow_mixed:
        return findings.EVIDENCE_DIFFERS.found(a=str(a.evidence), b=str(b.evidence))
    return None


def _compare_stage(
    name: str,
    a: RunRecord,
    b: RunRecord,
    samples: tuple[Mapping[str, tuple[Number, ...]], Mapping[str, tuple[Number, ...]]],
) -> StageComparison:
    left, right = a.stages.get(name), b.stages.get(name)
    blank = StageComparison(
        stage=name,
        unit_a=None if left is None else left.unit,
        unit_b=None if right is None else right.unit,
        evidence_a=None if left is None else left.evidence,
        evidence_b=None if right is None else right.evidence,
        median_a=None if left is None else left.median,
        median_b=None if right is None else right.median,
        ratio=None,
        p_value=None,
        cliffs_delta=None,
        verdict=None,
        reason="",
    )
    if left is None or right is None or left.median is None or right.median is None:
        return replace(blank, reason=_absence(left, right))
    if left.unit != right.unit:
        return replace(blank, reason=findings.UNITS_DIFFER.found().text)
    if left.evidence is not right.evidence:
        return replace(
            blank,
            ratio=_ratio(left, right),
            verdict=Verdict.UNDECIDED,
            reason=findings.STAGE_EVIDENCE_DIFFERS.found().text,
        )
    if left.low is not None or right.low is not None:
        return replace(blank, ratio=_ratio(left, right), **_judge_ranges(left, right))
    result = compare_samples(
        samples[0].get(name) or _stand_in(left),
        samples[1].get(name) or _stand_in(right),
        nature=NATURE.get(left.evidence, Nature.MODELLED),
        sessions_a=_boots(a),
        sessions_b=_boots(b),
    )
    return replace(blank, **_outcome(result))


def _outcome(result: SampleComparison) -> dict[str, Any]:
    return {
        "ratio": result.ratio,
        "p_value": result.p_value,
        "cliffs_delta": result.cliffs_delta,
        "verdict": result.verdict,
        "reason": result.reason,
    }


def _absence(left: StageRecord | None, right: StageRecord | None) -> str:
    reasons = []
    for side, record in (("a", left), ("b", right)):
        if record is None:
            reasons.append(f"run {side} does not have it")
        elif record.median is None:
            reasons.append(f"run {side}: {record.reason or 'unavailable'}")
    return "; ".join(reasons)


def _judge_ranges(left: StageRecord, right: StageRecord) -> dict[str, Any]:
    """A modelled time is a range: a difference is named only if it holds over both."""
    a_low, a_high = _range(left)
    b_low, b_high = _range(right)
    if a_high < b_low or b_high < a_low:
        return {
            "verdict": Verdict.MODELLED,
            "reason": "the modelled ranges do not overlap; nothing was observed",
        }
    return {"verdict": Verdict.UNDECIDED, "reason": findings.RANGES_OVERLAP.found().text}


def _range(stage: StageRecord) -> tuple[Number, Number]:
    middle = stage.median if stage.median is not None else 0
    return (
        middle if stage.low is None else stage.low,
        middle if stage.high is None else stage.high,
    )


def _ratio(left: StageRecord, right: StageRecord) -> float | None:
    return right.median / left.median if left.median and right.median is not None else None


def _values(run: StoredRun) -> dict[str, tuple[Number, ...]]:
    """Every stage's repetitions, where the folder keeps them in the record's unit."""
    collected: dict[str, list[Number]] = {}
    for sample in read_samples(run.path):
        stage = run.record.stages.get(sample.stage)
        if stage is not None and stage.unit == sample.unit:
            collected.setdefault(sample.stage, []).append(sample.value)
    return {name: tuple(values) for name, values in collected.items()}


def _stand_in(stage: StageRecord) -> tuple[Number, ...]:
    """What the summary alone allows: n equal values when deterministic, else the median once."""
    assert stage.median is not None
    return (stage.median,) * (max(1, stage.n) if stage.deterministic else 1)


def _boots(record: RunRecord) -> int:
    cold = record.stages.get("init_cold")
    return 1 if cold is None else max(1, cold.n)


def _compare_memory(a: MemoryRecord | None, b: MemoryRecord | None) -> tuple[MemoryDifference, ...]:
    if a is None or b is None:
        return ()
    lines = []
    for name in _MEMORY:
        left, right = getattr(a, name), getattr(b, name)
        lines.append(
            MemoryDifference(
                name=name.removesuffix("_bytes"),
                a_bytes=left,
                b_bytes=right,
                difference_bytes=None if left is None or right is None else right - left,
            )
        )
    return tuple(lines)


def provenance_differences(a: RunRecord, b: RunRecord) -> tuple[Difference, ...]:
    """Everything beside the results that is not the same, most telling first."""
    left, right = _provenance(a), _provenance(b)
    differences = [
        Difference(what=what, a=left.get(what), b=right.get(what))
        for what in dict.fromkeys([*left, *right])
        if left.get(what) != right.get(what)
    ]
    only_a = [flag for flag in a.environment.flags if flag not in b.environment.flags]
    only_b = [flag for flag in b.environment.flags if flag not in a.environment.flags]
    if only_a or only_b:
        differences.append(
            Difference(what="flags", a=" ".join(only_a) or None, b=" ".join(only_b) or None)
        )
    return tuple(differences)


def _provenance(record: RunRecord) -> dict[str, str]:
    environment, clock, npu = record.environment, record.clock, record.npu
    energy = record.energy
    facts: dict[str, object | None] = {
        "target": record.target,
        "board kind": record.board_kind,
        "evidence": record.evidence,
        "status": record.status,
        "artifact": record.model.artifact_sha256[:12],
        "golden status": record.golden.status,
        "golden reference": record.golden.reference,
        "golden max difference": record.golden.max_abs_diff,
        "input seed": record.golden.input_seed,
        "accelerator": None if npu is None else npu.accelerator,
        "NPU configuration": None if npu is None else npu.config_sha256[:12],
        "power instrument": None if energy is None else energy.instrument.model,
        "power instrument serial": None if energy is None else energy.instrument.serial or None,
        "supply mV": None if energy is None else energy.voltage_mv,
        "nominal clock Hz": None if clock is None else clock.nominal_hz,
        "counter Hz": None if clock is None else clock.counter_hz,
        "measured clock Hz": None if clock is None else clock.measured_hz,
        "window cost": None if clock is None else clock.window_cost,
        "npubench": environment.npubench,
        "git": environment.git,
        "firmware": environment.firmware,
        "board serial": environment.board_serial,
        "ELF": None if environment.elf_sha256 is None else environment.elf_sha256[:12],
        "project": None if environment.project_sha256 is None else environment.project_sha256[:12],
        "transport": environment.transport or None,
        **{f"tool {name}": version for name, version in sorted(environment.tools.items())},
        "platform": environment.platform,
        "Python": environment.python,
    }
    return {what: str(value) for what, value in facts.items() if value is not None}


def _accuracy_document(found: AccuracyComparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "metric": found.metric,
        "a": None if found.a is None else found.a.model_dump(mode="json"),
        "b": None if found.b is None else found.b.model_dump(mode="json"),
        "verdict": found.verdict,
        "reason": found.reason,
    }


def _side(run: StoredRun) -> dict[str, Any]:
    record = run.record
    return {
        "run_id": record.run_id,
        "run_dir": str(run.path.resolve()),
        "target": record.target,
        "board": record.board,
        "backend": record.backend,
        "model": record.model.name,
        "network_sha256": record.model.network_sha256,
        "status": record.status,
        "evidence": str(record.evidence),
        "created": record.created,
    }
