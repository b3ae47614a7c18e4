"""Steps: where cost leaves its law from one point to the next, in which layer, and why.

A step is looked for in the growth of cost with work along one axis. It must stand out from the
growth around it, and either a level must be there in the whole series beyond doubt, or the records
must show a cause in the layer that holds most of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npubench.core.format import count as shown_count
from npubench.runs.schema import LayerRecord, RunRecord

Array = NDArray[np.float64]

LEAST: Final = 0.04
"""A step is a change of cost of so much beyond the law, at least; 5 % are found with a margin."""
VISIBLE: Final = 0.015
"""What must stand out from one point to the next; large gaps hide a part of a step."""
SURE_T: Final = 4.0
"""The level must be so many times its own uncertainty."""
MIN_SERIES: Final = 8
"""Points from which a level alone, without a cause in the records, is believed."""
MOST: Final = 12
INDEPENDENT: Final = 1e6
"""Columns whose condition is worse are not told apart."""
CAUSED_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One point on a line: its cost, the work it is compared with, the bytes that it moves, and its
    record, where it ran. ``work``: MACs, or bytes for a network without any."""

    cost: float
    work: float
    moved: float = 0.0
    record: RunRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Between sample ``index - 1`` and ``index``. ``change_ratio``: beyond the law, 0.1 for a tenth
    more. ``layer`` holds ``layer_share`` of it; ``cause`` is what the records show there."""

    index: int
    change_ratio: float
    layer: LayerRecord | None = None
    layer_share: float | None = None
    cause: str | None = None


def find_steps(samples: Sequence[Sample]) -> tuple[Step, ...]:
    """The steps of one line, whose samples are sorted along the axis.

    Where the work is the same all along (a target's option is varied), each change of cost is a
    step. Else at most a third of the gaps can be steps.
    """
    n = len(samples)
    if n < 3:
        return ()
    cost = np.asarray([sample.cost for sample in samples], dtype=np.float64)
    work = np.asarray([sample.work for sample in samples], dtype=np.float64)
    steady = float(np.ptp(work)) == 0
    logs = np.log(cost)
    excess = np.diff(logs, prepend=logs[0]) if steady else _excess(cost, work)
    candidates = [index for index in range(1, n) if abs(excess[index]) >= VISIBLE]
    candidates.sort(key=lambda index: -abs(excess[index]))
    found: list[Step] = []
    levels: list[int] = []
    for index in candidates[:MOST]:
        if not steady and len(found) >= max(1, (n - 1) // 3):
            break
        change, certain = (
            (float(excess[index]), math.inf) if steady else _level(samples, [*levels, index])
        )
        before, after = samples[index - 1], samples[index]
        layer, share, cause = explain(before.record, after.record, rising=excess[index] > 0)
        caused = (
            abs(excess[index]) >= LEAST
            and cause is not None
            and (share is None or share >= CAUSED_SHARE)
        )
        sure = (n >= MIN_SERIES or steady) and certain >= SURE_T and abs(change) >= LEAST
        if not (caused or sure) or (sure and change * excess[index] < 0):
            continue
        levels.append(index)
        size = change if sure else float(excess[index])
        found.append(
            Step(
                index=index,
                change_ratio=math.expm1(size),
                layer=layer,
                layer_share=share,
                cause=cause,
            )
        )
    return tuple(sorted(found, key=lambda step: step.index))


def _excess(cost: Array, work: Array) -> Array:
    """For each gap, how far the cost behind it is from what the growth around it lets expect
    (logarithm of the ratio); index i is the gap before sample i.

    What is expected lies between the growth per work before and after, so that a kink, where
    another bound takes over, is no step.
    """
    n = len(cost)
    grown, more = np.diff(cost), np.diff(work)
    slopes = {index + 1: float(grown[index] / more[index]) for index in range(n - 1) if more[index]}
    found = np.zeros(n)
    for index in range(1, n):
        before = [slopes[other] for other in (index - 2, index - 1) if other in slopes]
        after = [slopes[other] for other in (index + 1, index + 2) if other in slopes]
        usual = [float(np.median(side)) for side in (before, after) if side]
        for near, far in ((before[-1:], before[:-1]), (after[:1], after[1:])):
            if near and far and len(usual) == 1:  # at an end the trend may go on
                usual.append(near[0] + (near[0] - far[0]))
        step = float(more[index - 1])
        bounds = sorted(cost[index - 1] + slope * step for slope in usual) or [cost[index - 1]]
        expected = min(max(float(cost[index]), bounds[0]), bounds[-1])
        found[index] = math.log(cost[index] / max(expected, 1e-3 * cost[index]))
    return found


def _level(samples: Sequence[Sample], places: Sequence[int]) -> tuple[float, float]:
    """The height of the last of some levels beside a law in work and bytes (logarithm of the ratio
    to the law), and how many times its uncertainty that is."""
    n = len(samples)
    cost = np.asarray([sample.cost for sample in samples], dtype=np.float64)
    law = [[1.0] * n, [sample.work for sample in samples], [sample.moved for sample in samples]]
    columns = [np.asarray(column, dtype=np.float64) / cost for column in law]
    levels = [(np.arange(n) >= place).astype(np.float64) for place in places]
    if n < len(columns) + len(levels) + 3 or _condition(columns) > INDEPENDENT:
        columns = columns[:2]  # bytes grow with the work, or there are too few points
    columns += levels
    freedom = n - len(columns)
    if freedom < 1 or _condition(columns) > INDEPENDENT:
        return 0.0, 0.0
    norms = np.asarray([np.linalg.norm(column) for column in columns])
    base = np.column_stack(columns) / norms
    solution = np.linalg.lstsq(base, np.ones(n), rcond=None)[0]
    residual = np.ones(n) - base @ solution
    spread = math.sqrt(
        max(float(residual @ residual) / freedom, 1e-12)
        * float(np.linalg.inv(base.T @ base)[-1, -1])
    )
    share = min(float(solution[-1] / norms[-1]), 0.99)  # of the cost behind it
    return -math.log1p(-share), abs(float(solution[-1])) / spread


def _condition(columns: Sequence[Array]) -> float:
    """How near columns are to telling the same; each in its own scale."""
    norms = [float(np.linalg.norm(column)) for column in columns]
    if min(norms) == 0:
        return math.inf
    base = np.column_stack([c / norm for c, norm in zip(columns, norms, strict=True)])
    return float(np.linalg.cond(base))


def explain(
    before: RunRecord | None, after: RunRecord | None, *, rising: bool
) -> tuple[LayerRecord | None, float | None, str | None]:
    """The layer in which most of a step lies, its share of it, and the cause, where the two records
    show one. Layers are matched by number; of networks that differ in depth only a new kind of
    fallback is told."""
    if before is None or after is None or not before.layers or not after.layers:
        return None, None, None
    if len(before.layers) != len(after.layers):
        return None, None, _fallback_change(before, after)
    growth = _network_growth(before, after)
    excesses: list[tuple[float, LayerRecord, LayerRecord]] = []
    for old, new in zip(before.layers, after.layers, strict=True):
        old_cost, new_cost = layer_us(before, old), layer_us(after, new)
        if old_cost is None or new_cost is None:
            continue
        excesses.append((new_cost - old_cost * _growth(old, new, growth), old, new))
    signed = [item for item in excesses if (item[0] > 0) == rising and item[0] != 0]
    if not signed:
        return None, None, _fallback_change(before, after)
    total = sum(abs(item[0]) for item in signed)
    signed.sort(key=lambda item: -abs(item[0]))
    for value, old, new in signed[:5]:
        cause = layer_cause(after, old, new, rising=rising)
        if cause is not None and abs(value) >= 0.1 * total:
            return new, abs(value) / total, cause
    value, _, new = signed[0]
    return new, abs(value) / total, None


def layer_us(record: RunRecord, layer: LayerRecord) -> float | None:
    """A layer's own cost: instructions, or microseconds where the network's cost is a time. Of an
    operator inside a job of the NPU that is the timing core's share of it."""
    if layer.engine == "npu" and record.npu is not None and layer.npu_cycles is not None:
        hz = record.npu.details.get("npu_hz")
        if isinstance(hz, int | float) and hz > 0:
            return layer.npu_cycles * 1e6 / hz
    return None if layer.value is None else float(layer.value)


def _growth(old: LayerRecord, new: LayerRecord, otherwise: float) -> float:
    """How many times the work of a layer it is: MACs, else bytes moved."""
    if old.macs and new.macs:
        return new.macs / old.macs
    was, now = old.input_bytes + old.output_bytes, new.input_bytes + new.output_bytes
    return now / was if was and now else otherwise


def _network_growth(before: RunRecord, after: RunRecord) -> float:
    old, new = before.model.macs, after.model.macs
    return new / old if old and new else 1.0


def layer_cause(
    after: RunRecord, old: LayerRecord, new: LayerRecord, *, rising: bool
) -> str | None:
    """What two records differ in about one layer, beyond its size. Bytes are told where they point
    the way that the cost went."""
    causes: list[str] = []
    if old.engine != new.engine:
        if new.engine == "cpu":
            causes.append(f"the NPU no longer runs it: {_reason(after, new) or 'no reason given'}")
        else:
            causes.append(f"it runs on {new.engine}, before on {old.engine}")
    elif new.engine == "cpu" and old.kernel != new.kernel:
        why = f" ({new.choice})" if new.choice else ""
        causes.append(f"another kernel: {new.kernel}, before {old.kernel}{why}")
    was, now = old.npu_work, new.npu_work
    if was is not None and now is not None:
        grown = _growth(old, new, 1.0)
        for port, (a, b) in enumerate(zip(was.port_bytes, now.port_bytes, strict=False)):
            if rising and b > 1.15 * a * max(grown, 1.0) and b - a > 256:
                causes.append(
                    f"{_grouped(b)} bytes over port {port}, before {_grouped(a)}: what it reads no "
                    "longer fits at once and is read again"
                )
            elif not rising and b < 0.85 * a * min(grown, 1.0) and a - b > 256:
                causes.append(
                    f"{_grouped(b)} bytes over port {port}, before {_grouped(a)}: what it reads "
                    "fits better now and is read less often"
                )
        if now.operations != was.operations:
            causes.append(
                f"{now.operations} operation{'' if now.operations == 1 else 's'} of the NPU, "
                f"before {was.operations}"
            )
        if now.block != was.block and now.block and was.block:
            causes.append(
                f"output block {_shape(now.block)}, before {_shape(was.block)} "
                "(height x width x depth)"
            )
        if rising and now.bound_by_memory and not was.bound_by_memory:
            causes.append("a memory holds it up now, before the NPU's units did")
    return "; ".join(causes) if causes else None


def _grouped(value: int) -> str:
    return shown_count(value)


def _shape(block: Sequence[int]) -> str:
    return "x".join(str(size) for size in block)


def _reason(record: RunRecord, layer: LayerRecord) -> str | None:
    if record.npu is None:
        return None
    for text in record.npu.fallbacks:
        number, _, rest = text.partition(" ")
        if number == str(layer.index):
            return rest.partition(": ")[2] or rest
    return None


def _fallback_change(before: RunRecord, after: RunRecord) -> str | None:
    """The first operator that falls back in one network and, by kind, not in the other."""
    old, new = _fallbacks(before), _fallbacks(after)
    for kind, reason in new.items():
        if kind not in old:
            return f"{kind} falls back to the CPU: {reason}"
    for kind in old:
        if kind not in new:
            return f"{kind} no longer falls back to the CPU"
    return None


def _fallbacks(record: RunRecord) -> Mapping[str, str]:
    if record.npu is None:
        return {}
    found: dict[str, str] = {}
    for text in record.npu.fallbacks:
        kind, _, reason = text.partition(" ")[2].partition(": ")
        found.setdefault(kind, reason)
    return found
