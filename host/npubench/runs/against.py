"""Yours against published: one run beside what others published of the same network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from npubench.core.errors import ResultError
from npubench.core.evidence import Evidence
from npubench.core.stages import Stage
from npubench.published import Choice, Published, networks, plain_name, published
from npubench.runs.reader import StoredRun
from npubench.runs.schema import RunRecord

TIME_UNITS = ("us", "us_modelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTime:
    """The run's ``infer`` in microseconds with its bounds; what published latencies hold, too."""

    us: float
    low_us: float
    high_us: float
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstRow:
    """One published result. ``ratio`` bounds ours / theirs, None where there is no time of ours or
    theirs; ``differs``: what is not the same."""

    published: Published
    ratio_low: float | None
    ratio_high: float | None
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """A run beside published results. ``same_weights``: the very reference file was run; else only
    its architecture. ``reason``: why the run has no time to set beside theirs."""

    run_id: str
    network: str
    same_weights: bool
    own: OwnTime | None
    reason: str
    rows: tuple[AgainstRow, ...]

    def document(self) -> dict[str, Any]:
        """The view as JSON values."""
        return {
            "run_id": self.run_id,
            "network": self.network,
            "same_weights": self.same_weights,
            "own": None if self.own is None else asdict(self.own),
            "reason": self.reason,
            "rows": [
                {
                    "published": row.published.document(),
                    "ratio_low": row.ratio_low,
                    "ratio_high": row.ratio_high,
                    "differs": list(row.differs),
                }
                for row in self.rows
            ],
        }


def against_published(run: StoredRun, choice: Choice | None = None) -> Against:
    """Set a run beside the published results of its network.

    The network is recognised by the hash of its reference file, else by its multiply-accumulates.
    Raises ResultError when nothing published is of this network.
    """
    record = run.record
    network, same = network_of(record)
    given = choice if choice is not None else Choice()
    wanted = Choice(
        network=network, source=given.source, board=given.board, submitter=given.submitter
    )
    own, reason = own_time(record)
    return Against(
        run_id=record.run_id,
        network=network,
        same_weights=same,
        own=own,
        reason=reason,
        rows=tuple(_row(record, own, item, same=same) for item in published(wanted)),
    )


def network_of(record: RunRecord) -> tuple[str, bool]:
    """The id of the published network that a run is of, and whether the very file was run."""
    known = networks()
    for name, network in known.items():
        if record.model.network_sha256 == network.sha256:
            return name, True
    for name, network in known.items():
        if record.model.macs == network.macs:
            return name, False
    raise ResultError(
        f"{record.run_id}: nothing published here is of {record.model.name} "
        f"({record.model.macs} MACs)",
        hint=f"networks with published results: {', '.join(known)}",
    )


def own_time(record: RunRecord) -> tuple[OwnTime | None, str]:
    """The time of a run's ``infer``, or why there is none."""
    if record.status != "ok":
        return None, f"the run is {record.status}"
    stage = record.stages.get(Stage.INFER)
    if stage is None or stage.median is None:
        return None, "the run has no time of infer"
    if stage.unit not in TIME_UNITS:
        return None, f"{stage.unit} are no time: run it on a board, or on a part with a cycle model"
    low, high = stage.low, stage.high
    if low is None or high is None:
        low, high = stage.ci95_low, stage.ci95_high
    return (
        OwnTime(
            us=float(stage.median),
            low_us=float(stage.median if low is None else low),
            high_us=float(stage.median if high is None else high),
            evidence=stage.evidence,
        ),
        "",
    )


def _row(record: RunRecord, own: OwnTime | None, item: Published, *, same: bool) -> AgainstRow:
    theirs = item.result.latency_us
    ratio: tuple[float, float] | None = None
    if own is not None and theirs is not None:
        ratio = own.low_us / theirs, own.high_us / theirs
    return AgainstRow(
        published=item,
        ratio_low=None if ratio is None else ratio[0],
        ratio_high=None if ratio is None else ratio[1],
        differs=tuple(_differences(record, own, item, same=same)),
    )


def _differences(
    record: RunRecord, own: OwnTime | None, item: Published, *, same: bool
) -> Sequence[str]:
    result = item.result
    found = []
    if not same:
        found.append("other weights of the same architecture")
    if own is not None and own.evidence is not Evidence.MEASURED and item.origin == "measured":
        found.append(f"ours is {own.evidence}, theirs was measured")
    if result.engine:
        found.append(f"engine: {record.backend} against {result.engine}")
    clock = record.clock
    hz = None if clock is None else clock.measured_hz or clock.nominal_hz
    if (
        result.clock_mhz is not None
        and hz is not None
        and abs(hz / 1e6 / result.clock_mhz - 1) > 0.01
    ):
        found.append(f"clock: {hz / 1e6:.4g} MHz against {result.clock_mhz:.4g} MHz")
    if result.board and plain_name(result.board) != plain_name(record.board):
        found.append(f"board: {record.board} against {result.board}")
    if result.configuration:
        found.append(f"theirs: {result.configuration}")
    return found
