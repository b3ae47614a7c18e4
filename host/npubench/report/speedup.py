"""NPU against CPU on one board: what may be said of it, and what may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report import findings
from npubench.report.selection import NetworkRuns
from npubench.runs.schema import RunRecord, StageRecord
from npubench.target import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """How much faster the NPU is, end to end: at least ``low`` times, at most ``high`` times.

    Both are None when the runs cannot be set against each other; ``reason`` says why.
    """

    low: float | None
    high: float | None
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether the range lies wholly on one side of 1."""
        return self.low is not None and self.high is not None and (self.low > 1 or self.high < 1)

    @property
    def words(self) -> str:
        """The claim in words, or why there is none."""
        if self.low is None or self.high is None:
            return f"no claim: {self.reason}"
        if not self.holds:
            return f"no claim: between {fmt.ratio(self.low)} and {fmt.ratio(self.high)}"
        if self.low > 1:
            return f"{fmt.ratio(self.low)} to {fmt.ratio(self.high)} faster"
        return f"{fmt.ratio(1 / self.high)} to {fmt.ratio(1 / self.low)} slower"


@dataclass(frozen=True, slots=True, kw_only=True)
class NpuPair:
    """A network on a board's NPU, and on the CPU of the same board where that was run as well."""

    network: str
    npu: RunRecord
    cpu: RunRecord | None
    speedup: Speedup


def npu_pairs(networks: Sequence[NetworkRuns]) -> tuple[NpuPair, ...]:
    """Every valid run that used an NPU, with its counterpart on the CPU. No CPU runs on a vendor's
    simulator: its runs are told elsewhere (``scheme_cost``)."""
    pairs = []
    for network in networks:
        on_cpu: dict[tuple[str, str, str], RunRecord] = {}
        for run in sorted((run for run in network.runs if run.backend == "cpu"), key=_slowness):
            on_cpu.setdefault(_side(run), run)
        for run in network.runs:
            if (
                run.npu is None
                or run.backend == "cpu"
                or run.place is Place.SIMULATOR
                or not run.valid
            ):
                continue
            cpu = on_cpu.get(_side(run))
            pairs.append(NpuPair(network=network.name, npu=run, cpu=cpu, speedup=speedup(run, cpu)))
    return tuple(pairs)


def _slowness(run: RunRecord) -> tuple[bool, float]:
    """The fastest valid run comes first."""
    stage = run.stages.get(Stage.END_TO_END)
    median = None if stage is None else stage.median
    return not run.valid, float("inf") if median is None else float(median)


def _side(run: RunRecord) -> tuple[str, str, str]:
    """What both sides of a pair share: a network with its dead channels is not set against one
    without."""
    return run.board, run.place, run.options.get("dead-channels", "keep")


def speedup(npu: RunRecord, cpu: RunRecord | None) -> Speedup:
    """The range of the NPU's speed-up end to end, from the ranges of both runs.

    The worst of one against the best of the other: what both share makes the true range narrower.
    """
    if cpu is None:
        return Speedup(low=None, high=None, reason=findings.CPU_NOT_RUN.found().text)
    if not cpu.valid:
        return Speedup(low=None, high=None, reason=findings.CPU_RUN_INVALID.found().text)
    if npu.stage_contract != cpu.stage_contract:
        return Speedup(low=None, high=None, reason=findings.CONTRACTS_DIFFER.found().text)
    ours, theirs = npu.stages.get(Stage.END_TO_END), cpu.stages.get(Stage.END_TO_END)
    ratio = times_range(ours, theirs)
    if ours is None or theirs is None or ratio is None:
        return Speedup(low=None, high=None, reason=findings.NO_END_TO_END.found().text)
    if ours.unit != theirs.unit or ours.evidence is not theirs.evidence:
        return Speedup(low=None, high=None, reason=findings.KINDS_DIFFER.found().text)
    return Speedup(low=ratio[0], high=ratio[1])


def times_range(base: StageRecord | None, other: StageRecord | None) -> tuple[float, float] | None:
    """How many times ``base`` the ``other`` is: the worst of one against the best of the other.
    None where a stage has no value."""
    ours, theirs = _bounds(base), _bounds(other)
    if ours is None or theirs is None:
        return None
    return theirs[0] / ours[1], theirs[1] / ours[0]


def _bounds(stage: StageRecord | None) -> tuple[float, float] | None:
    if stage is None or not stage.median:
        return None
    low = stage.median if stage.low is None else stage.low
    high = stage.median if stage.high is None else stage.high
    return (float(low), float(high)) if low > 0 else None


def detail(run: RunRecord, key: str) -> float | None:
    """A number that the NPU's driver counted or its backend stated."""
    value = None if run.npu is None else run.npu.details.get(key)
    return None if value is None or isinstance(value, str) else float(value)


def where_time_goes(run: RunRecord) -> tuple[tuple[str, float], ...]:
    """Shares of the NPU's cycles of one inference, each with its name; they add up to 1.

    Multiplying, held up by constants or by activations in memory, and all else: elementwise work,
    output, start and end of blocks.
    """
    cycles = detail(run, "cycles")
    if not cycles or detail(run, "mac_active_cycles") is None:
        return ()
    named = [
        ("multiplying", detail(run, "mac_active_cycles") or 0.0),
        ("waiting for constants", detail(run, "mac_stalled_by_weights") or 0.0),
        ("waiting for activations", detail(run, "mac_stalled_by_input") or 0.0),
    ]
    shares = [(name, min(1.0, value / cycles)) for name, value in named]
    rest = max(0.0, 1.0 - sum(share for _, share in shares))
    return (*shares, ("all else", rest))
