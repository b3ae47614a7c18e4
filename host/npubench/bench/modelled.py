"""Layers of a board whose NPU is modelled, and what is known of the NPU in a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from npubench.bench.npu_time import Clocks, nanoseconds, npu_cycles
from npubench.bench.session import Session
from npubench.compiler.compiled import Compiled
from npubench.compiler.plan import NpuJob
from npubench.core.evidence import Evidence
from npubench.runs.schema import LayerRecord, NpuRecord, NpuWorkRecord
from npubench.stats.summary import summarize

# The driver's sets of events, in its order (firmware/npu/ethosu/driver.c).
EVENTS: Final[Mapping[int, tuple[str, ...]]] = {
    0: ("active_cycles", "mac_active_cycles", "axi0_read_beats", "axi0_write_beats"),
    1: ("axi1_read_beats", "idle_cycles", "mac_stalled_by_input", "mac_stalled_by_weights"),
}


def modelled_layers(
    counted: Sequence[LayerRecord], compiled: Compiled, session: Session, clocks: Clocks
) -> tuple[LayerRecord, ...]:
    """Operators counted in instructions, as modelled times.

    The operator in whose place a job runs stands for the whole job, with the cycles that the device
    measured, none where it measures none; those of each, as the timing core estimates them, are in
    ``npu_cycles``.
    """
    measured = {step.place: 0 for step in compiled.plan.steps if isinstance(step, NpuJob)}
    if session.layers is not None:
        for count in session.layers.counts:
            if count.npu_cycles:
                measured[count.op] = count.npu_cycles
    estimates = {item.op_index: item.cycles for item in compiled.plan.estimates}
    works = {
        item.op_index: NpuWorkRecord(
            operations=item.operations,
            block=item.block,
            port_bytes=item.port_bytes,
            bound_by_memory=item.bound_by_memory,
        )
        for item in compiled.plan.estimates
    }
    records = []
    for layer in counted:
        if layer.value is None:
            records.append(layer.model_copy(update={"unit": "us_modelled"}))
            continue
        if layer.engine == "npu" and layer.index not in measured:
            records.append(
                layer.model_copy(
                    update={
                        "unit": "us_modelled",
                        "evidence": Evidence.MODELLED,
                        "value": None,
                        "npu_cycles": estimates.get(layer.index),
                        "npu_work": works.get(layer.index),
                        "reason": f"inside NPU {layer.kernel}, whose time stands elsewhere",
                    }
                )
            )
            continue
        low, high = clocks.us(layer.value, measured.get(layer.index, 0))
        records.append(
            layer.model_copy(
                update={
                    "unit": "us_modelled",
                    "evidence": Evidence.MODELLED,
                    "value": nanoseconds((low + high) / 2),
                    "low": nanoseconds(low),
                    "high": nanoseconds(high),
                    "cpu_instructions": round(layer.value),
                    "npu_cycles": estimates.get(layer.index, 0) if layer.engine == "npu" else 0,
                    "npu_work": works.get(layer.index) if layer.engine == "npu" else None,
                }
            )
        )
    return tuple(records)


def npu_record(compiled: Compiled, session: Session | None) -> NpuRecord | None:
    """What is known of the NPU: the plan's record, and what its driver counted in the session."""
    plan = compiled.plan
    if not plan.npu:
        return None
    record = NpuRecord.model_validate(plan.npu)
    bench = None if session is None else session.bench
    cycles = npu_cycles(bench)
    if bench is None or not cycles:
        return record
    details: dict[str, int | float | str] = dict(record.details)
    details["cycles"] = cycles
    for number, names in EVENTS.items():
        rows = [rep.npu[2:] for rep in bench.reps if rep.npu and rep.npu[0] == number]
        for index, name in enumerate(names):
            values = [row[index] for row in rows if index < len(row)]
            if values:
                details[name] = round(summarize(values).median)
    macs, peak = details.get("npu_macs"), details.get("peak_macs_per_cycle")
    hz = details.get("npu_hz")
    utilization = None
    if isinstance(macs, int) and isinstance(peak, int) and isinstance(hz, int):
        utilization = round(macs / (cycles * peak), 6)
        details["effective_ops_per_s"] = round(2 * macs * hz / cycles)
        details["peak_ops_per_s"] = 2 * peak * hz
    return record.model_copy(update={"mac_utilization_ratio": utilization, "details": details})
