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
    theirs; ``other_ratio`` the same where their clock is in doubt, at the other clock;
    ``differs``: what is not the same."""

    published: Published
    ratio_low: float | None
    ratio_high: float | None
    other_ratio_low: float | None
    other_ratio_high: float | None
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """A run beside published results. ``same_weights``: the very reference file was run; else
    ``likeness`` says what was. ``reason``: why the run has no time to set beside theirs."""

    run_id: str
    network: str
    same_weights: bool
    likeness: str
    own: OwnTime | None
    reason: str
    rows: tuple[AgainstRow, ...]

    def document(self) -> dict[str, Any]:
        """The view as JSON values."""
        return {
            "run_id": self.run_id,
            "network": self.network,
            "same_weights": self.same_weights,
            "likeness": self.likeness,
            "own": None if self.own is None else asdict(self.own),
            "reason": self.reason,
            "rows": [
                {
                    "published": row.published.document(),
                    "ratio_low": row.ratio_low,
                    "ratio_high": row.ratio_high,
                    "other_ratio_low": row.other_ratio_low,
                    "other_ratio_high": row.other_ratio_high,
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
    found = network_of(record)
    if found is None:
        raise ResultError(
            f"{record.run_id}: nothing published here is of {record.model.name} "
            f"({record.model.macs} MACs)",
            hint=f"networks with published results: {', '.join(networks())}",
        )
    network, same = found
    given = choice if choice is not None else Choice()
    wanted = Choice(
        network=network, source=given.source, board=given.board, submitter=given.submitter
    )
    own, reason = own_time(record)
    return Against(
        run_id=record.run_id,
        network=network,
        same_weights=same,
        likeness="" if same else networks()[network].likeness,
        own=own,
        reason=reason,
        rows=tuple(against_row(record, item) for item in published(wanted)),
    )


def network_of(record: RunRecord) -> tuple[str, bool] | None:
    """The id of the published network that a run is of, and whether the very file was run; None
    where nothing was published of it."""
    model, known = record.model, networks()
    for name, network in known.items():
        if model.network_sha256 == network.sha256:
            return name, True
    for name, network in known.items():
        if network.zoo == model.name and network.macs == model.macs:
            return name, False
    for name, network in known.items():
        if not network.zoo and network.macs == model.macs:
            return name, False
    return None


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


def against_row(record: RunRecord, item: Published) -> AgainstRow:
    """A run beside one result of its network."""
    own, _ = own_time(record)
    found = network_of(record)
    first = _ratio(own, item.result.latency_us)
    other = _ratio(own, item.other_latency_us)
    return AgainstRow(
        published=item,
        ratio_low=first[0],
        ratio_high=first[1],
        other_ratio_low=other[0],
        other_ratio_high=other[1],
        differs=tuple(_differences(record, own, item, same=found is not None and found[1])),
    )


def _ratio(own: OwnTime | None, theirs_us: float | None) -> tuple[float | None, float | None]:
    if own is None or theirs_us is None:
        return None, None
    return own.low_us / theirs_us, own.high_us / theirs_us


def _differences(
    record: RunRecord, own: OwnTime | None, item: Published, *, same: bool
) -> Sequence[str]:
    result = item.result
    found = []
    if not same and result.network in networks():
        found.append(networks()[result.network].likeness)
    if result.divided_by_mhz is not None:
        found.append(
            f"their clock is in doubt: a counter divided by {result.divided_by_mhz:g} MHz; other "
            f"evidence speaks for {result.other_clock_mhz:g} MHz"
        )
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
