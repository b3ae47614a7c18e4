"""The gate: does a set of runs keep to a policy, measured against another set?

A sentence per metric, which names the layers that a growth comes from. What may not be compared is
never passed by silence: it fails, or is named as undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any, Literal

from npubench.core import format as fmt
from npubench.core.errors import ResultError
from npubench.core.finding import Finding, Found, aliases
from npubench.core.findings import of_error
from npubench.runs.compare import compare_runs
from npubench.runs.compare_accuracy import target_accuracy
from npubench.runs.findings import (
    BEYOND_LIMIT,
    METRIC_GONE,
    NEW_FINDING,
    NOT_RUN_AGAIN,
    NOTHING_BEFORE,
    POLICY_WANTS_SAME,
    UNDECIDED,
)
from npubench.runs.policy import MEMORY_METRICS, STAGE_METRICS, WRONG, Limit, Policy
from npubench.runs.schema import LayerRecord, RunRecord
from npubench.runs.store import StoredRun
from npubench.stats.compare import Verdict

Status = Literal["pass", "fail", "undecided"]
LAYERS_NAMED = 3
LAYER_SHARE = 0.05
"""A layer is named from this share of the growth on."""
CLAIMS = (Verdict.DETERMINISTIC, Verdict.DIFFERENT, Verdict.MODELLED)
"""Verdicts under which a difference is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricGate:
    """One metric of one pair. ``growth``: after / before - 1, None where one is missing."""

    metric: str
    unit: str
    before: float | None
    after: float | None
    growth: float | None
    limit: str
    status: Status
    sentence: str
    found: Found | None = None

    def document(self) -> dict[str, Any]:
        """The metric as JSON values; ``finding`` is an id of docs/findings.md, or None."""
        fields = {item.name: getattr(self, item.name) for item in dataclass_fields(self)}
        found = fields.pop("found")
        return {**fields, "finding": None if found is None else found.finding.id}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairGate:
    """Two runs of one network on one target, or a run without its counterpart."""

    target: str
    before: str | None
    after: str | None
    status: Status
    metrics: tuple[MetricGate, ...]
    found: tuple[Found, ...] = ()

    @property
    def reason(self) -> str:
        """Why the pair fails or says nothing, whatever its metrics; mostly empty."""
        return "; ".join(item.text for item in self.found)

    def document(self) -> dict[str, Any]:
        """The pair as JSON values."""
        return {
            "target": self.target,
            "before": self.before,
            "after": self.after,
            "status": self.status,
            "reason": self.reason,
            "findings": [item.document() for item in self.found],
            "metrics": [metric.document() for metric in self.metrics],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The whole gate. It fails when one pair fails."""

    policy: str
    pairs: tuple[PairGate, ...]

    @property
    def status(self) -> Status:
        """The worst of all pairs."""
        found = {pair.status for pair in self.pairs}
        return "fail" if "fail" in found else "undecided" if "undecided" in found else "pass"

    def document(self) -> dict[str, Any]:
        """The gate as JSON values."""
        return {
            "policy": self.policy,
            "status": self.status,
            "pairs": [pair.document() for pair in self.pairs],
        }


def gate_sets(before: Sequence[StoredRun], after: Sequence[StoredRun], policy: Policy) -> Gate:
    """Hold ``after`` to ``policy``, measured against ``before``; runs are paired by network and
    target, of several the newest. Raises ResultError when there is nothing to pair."""
    old, new = _newest(before), _newest(after)
    if not old or not new:
        raise ResultError("one of the two sets holds no run")
    if not set(old) & set(new):
        raise ResultError(
            "no run of one set has the network and the target of one of the other",
            hint=f"there: {_titles(old)}; here: {_titles(new)}",
        )
    pairs = tuple(
        gate_pair(old.get(key), new.get(key), policy)
        for key in sorted({*old, *new}, key=pair_title)
    )
    return Gate(policy=policy.name, pairs=pairs)


def gate_runs(before: StoredRun, after: StoredRun, policy: Policy) -> Gate:
    """The gate of two runs that the user names: only their network must be the same."""
    return Gate(policy=policy.name, pairs=(gate_pair(before, after, policy),))


def gate_pair(before: StoredRun | None, after: StoredRun | None, policy: Policy) -> PairGate:
    """One pair. A run that is missing, failed or may not be compared gives a reason."""
    known = after if after is not None else before
    assert known is not None
    title = pair_title(pair_key(known.record))
    if before is None or after is None:
        gone = NOTHING_BEFORE.found() if before is None else NOT_RUN_AGAIN.found()
        status: Status = "fail" if after is None and policy.missing == "fail" else "undecided"
        return PairGate(
            target=title,
            before=None if before is None else before.record.run_id,
            after=None if after is None else after.record.run_id,
            status=status,
            metrics=(),
            found=(gone,),
        )
    reasons: list[Found] = []
    metrics: tuple[MetricGate, ...] = ()
    try:
        reasons += _other(before.record, after.record, policy)
        metrics = tuple(_metrics(before, after, policy))
    except ResultError as error:
        reasons.append(of_error(error))
    states: set[Status] = {gate.status for gate in metrics}
    if reasons or "fail" in states:
        status = "fail"
    elif "undecided" in states:
        status = "fail" if policy.undecided == "fail" else "undecided"
    else:
        status = "pass"
    return PairGate(
        target=title,
        before=before.record.run_id,
        after=after.record.run_id,
        status=status,
        metrics=metrics,
        found=tuple(reasons),
    )


def _metrics(before: StoredRun, after: StoredRun, policy: Policy) -> Iterator[MetricGate]:
    comparison = compare_runs(before, after)
    verdicts = {stage.stage: (stage.verdict, stage.reason) for stage in comparison.stages}
    for metric, limit in policy.limits.items():
        old, unit = metric_value(before.record, metric)
        new, _ = metric_value(after.record, metric)
        if metric == WRONG and old is not None and new is not None:
            answers = comparison.accuracy
            if answers is None or answers.verdict == "unknown":
                yield _unlike(old, new, unit, limit, "" if answers is None else answers.reason)
                continue
        if old is None or new is None:
            yield _absent(metric, unit, old, new, limit, policy)
            continue
        verdict, why = verdicts.get(metric, (None, ""))
        growth = new / old - 1 if old else None
        inside = limit.allows(old, new)
        status: Status = "pass" if inside else "fail"
        words = _words(metric, unit, old, new, growth, limit)
        if metric in STAGE_METRICS and not inside and verdict not in CLAIMS:
            status = "undecided"
            words += f"; undecided: {why}"
        if metric.startswith("energy.") and not inside and _overlap(before, after, metric):
            status = "undecided"
            words += "; undecided: the intervals overlap"
        if not inside and metric in ("infer", "end_to_end"):
            words += _layers_words(before.record, after.record)
        yield MetricGate(
            metric=metric,
            unit=unit,
            before=old,
            after=new,
            growth=growth,
            limit=str(limit),
            status=status,
            sentence=words,
            found=_found(status, words),
        )


def _unlike(old: float, new: float, unit: str, limit: Limit, why: str) -> MetricGate:
    """Answers to other samples: nothing follows from them."""
    sentence = f"{WRONG}: undecided: {why}"
    return MetricGate(
        metric=WRONG,
        unit=unit,
        before=old,
        after=new,
        growth=None,
        limit=str(limit),
        status="undecided",
        sentence=sentence,
        found=_found("undecided", sentence),
    )


def _found(status: Status, sentence: str, kind: Finding = BEYOND_LIMIT) -> Found | None:
    if status == "pass":
        return None
    return (kind if status == "fail" else UNDECIDED).found(sentence=sentence)


def _words(
    metric: str, unit: str, old: float, new: float, growth: float | None, limit: Limit
) -> str:
    values = f"{fmt.quantity(old, unit)} to {fmt.quantity(new, unit)}"
    if new == old:
        return f"{metric} is the same: {fmt.quantity(new, unit)}"
    if growth is None:
        return f"{metric} went from {values} (limit {limit})"
    what = "grew" if new > old else "shrank"
    return f"{metric} {what} by {abs(growth) * 100:.2f} % ({values}; limit {limit})"


def _layers_words(before: RunRecord, after: RunRecord) -> str:
    """Which layers a growth comes from, largest first, each with its share."""
    grown = sorted(_grown(before.layers, after.layers), key=lambda item: -item[1])
    total = sum(more for _, more in grown if more > 0)
    if not total:
        return "; no layer grew" if grown else "; the layers were not counted"
    named = [
        f"layer {layer.index} {layer.op} {fmt.printable(layer.name, 40)} by "
        f"{fmt.quantity(more, layer.unit)} ({more / total:.0%})"
        for layer, more in grown[:LAYERS_NAMED]
        if more / total >= LAYER_SHARE
    ]
    return f"; it grew in {', '.join(named)}"


def _grown(
    before: Sequence[LayerRecord], after: Sequence[LayerRecord]
) -> Iterator[tuple[LayerRecord, float]]:
    old = {layer.index: layer for layer in before}
    for layer in after:
        then = old.get(layer.index)
        if then is None or then.value is None or layer.value is None or then.unit != layer.unit:
            continue
        yield layer, float(layer.value) - float(then.value)


def _absent(
    metric: str,
    unit: str,
    old: float | None,
    new: float | None,
    limit: Limit,
    policy: Policy,
) -> MetricGate:
    lost = old is not None
    status: Status = "fail" if lost and policy.missing == "fail" else "undecided"
    where = (
        "is gone" if lost else "was not there before" if new is not None else "is in neither run"
    )
    sentence = f"{metric} {where}"
    return MetricGate(
        metric=metric,
        unit=unit,
        before=old,
        after=new,
        growth=None,
        limit=str(limit),
        status=status,
        sentence=sentence,
        found=_found(status, sentence, METRIC_GONE),
    )


def metric_value(record: RunRecord, metric: str) -> tuple[float | None, str]:
    """A metric of a run and its unit."""
    if metric in MEMORY_METRICS:
        found = None if record.memory is None else getattr(record.memory, f"{metric}_bytes")
        return (None if found is None else float(found)), "bytes"
    if metric.startswith("energy."):
        energy = None if record.energy is None else record.energy.stages.get(metric[7:])
        return (None if energy is None else energy.gross_uj), "µJ"
    if metric == WRONG:
        answers = target_accuracy(record)
        if answers is None:
            return None, "%"
        if answers.metric == "perplexity":
            return answers.value, ""
        return 100 * (1 - answers.value), "%"
    stage = record.stages.get(metric)
    if stage is None or stage.median is None:
        return None, "" if stage is None else stage.unit
    return float(stage.median), stage.unit


def _overlap(before: StoredRun, after: StoredRun, metric: str) -> bool:
    """Whether two energies' intervals overlap, or one has none."""
    stages = [
        None if run.record.energy is None else run.record.energy.stages.get(metric[7:])
        for run in (before, after)
    ]
    old, new = stages
    if old is None or new is None or old.gross_high_uj is None or new.gross_low_uj is None:
        return True
    return new.gross_low_uj <= old.gross_high_uj


def _other(before: RunRecord, after: RunRecord, policy: Policy) -> Iterator[Found]:
    """What the policy wants equal and is not, and what is new in what is said of the run."""
    facts: Mapping[str, tuple[object, object]] = {
        "target": (before.target, after.target),
        "board": (before.board, after.board),
        "backend": (before.backend, after.backend),
        "artifact": (before.model.artifact_sha256, after.model.artifact_sha256),
        "evidence": (before.evidence, after.evidence),
        "tools": (before.environment.tools, after.environment.tools),
        "flags": (before.environment.flags, after.environment.flags),
        "clock": (
            None if before.clock is None else before.clock.nominal_hz,
            None if after.clock is None else after.clock.nominal_hz,
        ),
    }
    other = [name for name in policy.same if facts[name][0] != facts[name][1]]
    if other:
        yield POLICY_WANTS_SAME.found(names=", ".join(other))
    known = {finding.id for finding in before.findings} | set(policy.accept)
    new = [
        f"{finding.id} ({finding.text})"
        for finding in after.findings
        if finding.severity != "remark" and aliases().get(finding.id, finding.id) not in known
    ]
    if new and policy.findings == "fail":
        yield NEW_FINDING.found(findings="; ".join(new))


Key = tuple[str, str, str]


def pair_key(record: RunRecord) -> Key:
    """What two runs must share to be measured against each other: network and target."""
    return (
        record.model.name,
        record.model.network_sha256,
        record.target,
    )


def pair_title(key: Key) -> str:
    """The key for people."""
    name, network, target = key
    return f"{name} ({network[:8]}) on {target}"


def _titles(keys: Iterable[Key]) -> str:
    return "; ".join(map(pair_title, keys))


def _newest(runs: Sequence[StoredRun]) -> dict[Key, StoredRun]:
    return {pair_key(run.record): run for run in sorted(runs, key=lambda run: run.record.run_id)}
