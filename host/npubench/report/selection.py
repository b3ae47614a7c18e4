"""Which runs a reader is shown together: by network, latest per target, never mixing units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from npubench.core.evidence import Evidence
from npubench.core.format import printable
from npubench.core.stages import Stage
from npubench.runs.schema import AccuracyRecord, RunRecord, StageRecord
from npubench.runs.store import StoredRun

END_TO_END = (Stage.LOAD, Stage.INFER, Stage.UNLOAD, Stage.POST)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRuns:
    """The latest run of each target for one network, in order of the targets' texts.

    ``older`` counts earlier runs of the same targets, which are not shown. ``accuracy``: by target,
    how well it answers, by the latest run of the same artifact that was asked.
    """

    name: str
    network_sha256: str
    macs: int | None
    parameters: int | None
    ops: int | None
    runs: tuple[RunRecord, ...]
    older: int
    accuracy: Mapping[str, tuple[AccuracyRecord, ...]]

    @property
    def anchor(self) -> str:
        """An id that is unique in a report."""
        return f"n-{self.network_sha256[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Valid runs whose ``stage`` has one unit and one kind of evidence, lowest cost first; by
    target where the order says nothing (``ranks``)."""

    stage: str
    unit: str
    evidence: Evidence
    runs: tuple[RunRecord, ...]

    def value(self, run: RunRecord) -> int | float:
        """The run's median of the ranked stage."""
        median = run.stages[self.stage].median
        assert median is not None
        return median

    @property
    def ranks(self) -> bool:
        """Whether there is a first among several: counts of instructions are set against each
        other on one board only."""
        if len(self.runs) < 2:
            return False
        return self.unit != "instructions" or len({run.board for run in self.runs}) == 1

    @property
    def best(self) -> RunRecord:
        """The run with the lowest median."""
        return self.runs[0]


def by_network(runs: Iterable[StoredRun]) -> tuple[NetworkRuns, ...]:
    """Group runs by the network as brought, in order of its name."""
    grouped: dict[str, dict[str, list[RunRecord]]] = {}
    for stored in runs:
        record = stored.record
        targets = grouped.setdefault(record.model.network_sha256, {})
        targets.setdefault(record.target, []).append(record)
    networks = []
    for sha256, targets in grouped.items():
        latest = tuple(
            max(records, key=lambda record: (record.created, record.run_id))
            for _, records in sorted(targets.items())
        )
        model = max(latest, key=lambda record: record.created).model
        networks.append(
            NetworkRuns(
                name=printable(model.name, 60),
                network_sha256=sha256,
                macs=model.macs,
                parameters=model.parameters,
                ops=model.ops,
                runs=latest,
                older=sum(len(records) for records in targets.values()) - len(latest),
                accuracy={
                    run.target: asked
                    for run in latest
                    if (asked := _asked(run, targets[run.target]))
                },
            )
        )
    return tuple(sorted(networks, key=lambda network: (network.name, network.network_sha256)))


def _asked(shown: RunRecord, records: Sequence[RunRecord]) -> tuple[AccuracyRecord, ...]:
    """The latest answers of what is shown: what runs is the same, so are its answers."""
    same = [
        record
        for record in records
        if record.accuracy
        and record.valid
        and record.model.artifact_sha256 == shown.model.artifact_sha256
    ]
    if not shown.valid or not same:
        return ()
    return max(same, key=lambda record: (record.created, record.run_id)).accuracy


def rankings(runs: Sequence[RunRecord]) -> tuple[Ranking, ...]:
    """Valid runs ranked by the end-to-end cost where every one of a kind has it, else by infer."""
    kinds: dict[tuple[str, Evidence, int], list[RunRecord]] = {}
    for run in runs:
        infer = run.stages.get(Stage.INFER)
        if run.valid and infer is not None and infer.median is not None:
            key = (infer.unit, infer.evidence, run.stage_contract)
            kinds.setdefault(key, []).append(run)
    result = []
    for (unit, evidence, _), members in kinds.items():
        stage = (
            Stage.END_TO_END
            if all(_comparable(run.stages.get(Stage.END_TO_END), unit, evidence) for run in members)
            else Stage.INFER
        )
        ordered = sorted(members, key=lambda run: (run.stages[stage].median or 0, run.target))
        ranking = Ranking(stage=stage.value, unit=unit, evidence=evidence, runs=tuple(ordered))
        if not ranking.ranks:
            ranking = replace(ranking, runs=tuple(sorted(ordered, key=lambda run: run.target)))
        result.append(ranking)
    return tuple(result)


def _comparable(stage: StageRecord | None, unit: str, evidence: Evidence) -> bool:
    return (
        stage is not None
        and stage.median is not None
        and stage.unit == unit
        and stage.evidence is evidence
    )


def infer_per_mac(run: RunRecord) -> float | None:
    """The infer stage's median per MAC of the network, for counts of instructions or cycles."""
    infer = run.stages.get(Stage.INFER)
    if infer is None or not run.model.macs:
        return None
    median = infer.median if infer.unit != "us" else infer.cycles_median
    if median is None or infer.unit == "us_modelled":
        return None
    return median / run.model.macs
