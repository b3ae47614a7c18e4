"""Steps: where cost leaves its law from one point to the next, in which layer, and why.

A step is looked for in cost per unit of work along one axis. It must stand out from the changes
around it, and either a level must be there in the whole series beyond doubt, or the two records
must show a cause in the layer that holds most of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npubench.runs.schema import LayerRecord, RunRecord

Array = NDArray[np.float64]

LEAST: Final = 0.04
"""A step is a change of cost of so much beyond the law, at least; 5 % are found with a margin."""
SURE_T: Final = 4.0
"""The level must be so many times its own uncertainty."""
MIN_SERIES: Final = 8
"""Points from which a level alone, without a cause in the records, is believed."""
MOST: Final = 12
CAUSED_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One point on a line: its place on the axis, its cost, the work it is compared with, and its
    record, where it ran. ``work``: MACs, or bytes for a network without any."""

    at: float
    cost: float
    work: float
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
    """The steps of one line, sorted along the axis; at most a third of the gaps can be steps."""
    n = len(samples)
    if n < 3:
        return ()
    ratio = np.log([sample.cost / sample.work for sample in samples])
    at = np.asarray([sample.at for sample in samples], dtype=np.float64)
    excess = _excess(ratio, at)
    candidates = [index for index in range(1, n) if abs(excess[index]) >= LEAST]
    candidates.sort(key=lambda index: -abs(excess[index]))
    found: list[Step] = []
    levels: list[int] = []
    for index in candidates[:MOST]:
        if len(found) >= max(1, (n - 1) // 3):
            break
        change, certain = _level(ratio, at, [*levels, index])
        before, after = samples[index - 1], samples[index]
        layer, share, cause = explain(before.record, after.record, rising=excess[index] > 0)
        caused = cause is not None and (share is None or share >= CAUSED_SHARE)
        sure = n >= MIN_SERIES and certain >= SURE_T and abs(change) >= LEAST * 0.75
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


def _excess(ratio: Array, at: Array) -> Array:
    """For each gap, how far its change is from those around it (the slope, so that uneven spacing
    does not count); index i is the gap before sample i."""
    n = len(ratio)
    slope = np.zeros(n)
    slope[1:] = np.diff(ratio) / np.maximum(np.diff(at), 1e-12)
    found = np.zeros(n)
    for index in range(1, n):
        near = [
            slope[other] for other in range(max(1, index - 2), min(n, index + 3)) if other != index
        ]
        usual = float(np.median(near)) if near else 0.0
        # Curvature: at an end the neighbours' trend goes on.
        if len(near) >= 2 and index in (1, n - 1):
            beside, beyond = (near[0], near[1]) if index == 1 else (near[-1], near[-2])
            trend = beside + (beside - beyond)
            usual = trend if abs(slope[index] - trend) < abs(slope[index] - usual) else usual
        found[index] = (slope[index] - usual) * (at[index] - at[index - 1])
    return found


def _level(ratio: Array, at: Array, places: Sequence[int]) -> tuple[float, float]:
    """The height of the last of some levels beside a smooth curve in the axis, and how many times
    its uncertainty that is."""
    n = len(ratio)
    curve = [np.ones(n), 1 / at, at] if np.all(at > 0) else [np.ones(n), at]
    if n < len(curve) + len(places) + 3:
        curve = curve[:2]
    columns = [*curve, *((np.arange(n) >= place).astype(np.float64) for place in places)]
    base = np.column_stack(
        [column / max(float(np.linalg.norm(column)), 1e-300) for column in columns]
    )
    freedom = n - base.shape[1]
    if freedom < 1:
        return 0.0, 0.0
    solution = np.linalg.lstsq(base, ratio, rcond=None)[0]
    residual = ratio - base @ solution
    normal = base.T @ base
    if np.linalg.cond(normal) > 1e13:
        return 0.0, 0.0
    spread = math.sqrt(
        max(float(residual @ residual) / freedom, 1e-12) * float(np.linalg.inv(normal)[-1, -1])
    )
    return float(solution[-1] / np.linalg.norm(columns[-1])), abs(float(solution[-1])) / spread


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
        cause = layer_cause(after, old, new)
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


def layer_cause(after: RunRecord, old: LayerRecord, new: LayerRecord) -> str | None:
    """What two records differ in about one layer, beyond its size."""
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
        if now.operations != was.operations:
            causes.append(
                f"split into {now.operations} operations of the NPU, before {was.operations}"
            )
        if now.block != was.block and now.block and was.block:
            causes.append(
                f"output block {_shape(now.block)}, before {_shape(was.block)} "
                "(height x width x depth)"
            )
        for port, (a, b) in enumerate(zip(was.port_bytes, now.port_bytes, strict=False)):
            if b > 1.15 * a * max(grown, 1.0) and b - a > 256:
                causes.append(
                    f"{b:,} bytes over port {port}, before {a:,}: a buffer no longer fits in the "
                    "memory that was counted on"
                )
            elif b < 0.85 * a * min(grown, 1.0) and a - b > 256:
                causes.append(
                    f"{b:,} bytes over port {port}, before {a:,}: a buffer fits now in the memory "
                    "that is counted on"
                )
        if now.bound_by_memory and not was.bound_by_memory:
            causes.append("a memory now holds it up, before the MAC unit did")
    return "; ".join(causes) if causes else None


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
