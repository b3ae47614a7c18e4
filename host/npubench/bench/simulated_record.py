"""The record of a run on a vendor's simulator: what was judged, where operators run, whose cycles
there are. No firmware ran: every stage but the accelerator's says so."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from npubench.bench.job import Job, Settings
from npubench.bench.record import Findings, record_without_plan
from npubench.bench.scheme import (
    AGREEMENT_LIMIT_RATIO,
    CONFIDENCE_RATIO,
    DISTRIBUTION,
    SAMPLES,
    SNR_LIMIT_DB,
    Nearness,
)
from npubench.bench.vendor_npu import npu_of
from npubench.bench.worst_layer import worst_of
from npubench.compiler.compiled import Network
from npubench.compiler.vendor.simulation import Simulation
from npubench.core.evidence import Evidence
from npubench.core.stages import Stage
from npubench.runs.schema import (
    GoldenRecord,
    LayerRecord,
    RunRecord,
    SchemeRecord,
    StageRecord,
)


def scheme_record(
    found: Nearness,
    int8: Nearness | None,
    layers: Mapping[str, float | None],
    sources: Mapping[int, Sequence[int]],
) -> SchemeRecord:
    low = found.agreement_low_ratio
    return SchemeRecord(
        samples=found.samples,
        distribution=DISTRIBUTION,
        snr_db=found.snr_db,
        snr_low_db=found.snr_low_db,
        agreement_ratio=found.agreement_ratio,
        agreement_low_ratio=None if low is None else round(low, 6),
        confidence_ratio=CONFIDENCE_RATIO,
        int8_snr_db=() if int8 is None else int8.snr_db,
        int8_agreement_ratio=None if int8 is None else int8.agreement_ratio,
        snr_limit_db=SNR_LIMIT_DB,
        agreement_limit_ratio=AGREEMENT_LIMIT_RATIO,
        layers_snr_db=dict(layers),
        worst_layer=worst_of(layers, sources),
    )


def judgement(found: Nearness, seed: int, form: str) -> GoldenRecord:
    low = [value for value in found.snr_db if value is not None]
    words = f"at least {min(low):.1f} dB of signal to noise" if low else "no difference"
    if found.agreement_ratio is not None:
        words += f", the same class for {found.agreement_ratio:.0%}"
        words += f" (of all inputs at least {found.agreement_low_ratio:.1%} at 95 %)"
    if found.samples < SAMPLES:
        words += f"; {SAMPLES} are asked where fewer leave the verdict open"
    return GoldenRecord(
        status="mismatch" if found.failures else "match",
        reference="tflm" if form == "int8" else "float",
        tensors=len(found.snr_db),
        mismatches=max(1, sum(value < SNR_LIMIT_DB for value in low)) if found.failures else 0,
        first_mismatch=found.failures[0] if found.failures else None,
        input_seed=seed,
        reason=f"judged by the scheme's rule on {found.samples} inputs: {words}",
    )


def fill(job: Job, network: Network, simulation: Simulation, findings: Findings) -> None:
    """Stages and layers: cycles are the accelerator's, modelled by the vendor's simulator."""
    ops = simulation.ops
    cycles = [op.cycles for op in ops.values() if op.engine == "npu" and op.cycles is not None]
    total = sum(cycles) if simulation.cycles is None else simulation.cycles
    macs = {layer.index: layer.macs for layer in network.analysis.layers}
    left = [index for index, count in macs.items() if count and not _on_npu(simulation, index)]
    whole = bool(cycles) and not left
    nothing = "the simulator tells no cycles"
    partly = (
        "MAC operators stay on the CPU, whose cycles the simulator does not tell: "
        + ", ".join(f"{index}" for index in left)
    )
    for stage in Stage:
        if stage is not Stage.IDLE:
            findings.stages[stage] = StageRecord(
                unit="cycles",
                evidence=Evidence.UNAVAILABLE,
                reason="no firmware runs on a vendor's simulator",
            )
    findings.stages[Stage.INFER] = StageRecord(
        unit="cycles",
        evidence=Evidence.MODELLED if whole else Evidence.UNAVAILABLE,
        median=total if whole else None,
        min=total if whole else None,
        max=total if whole else None,
        n=1 if whole else 0,
        deterministic=True if whole else None,
        npu_cycles=total if cycles else None,
        reason="the accelerator's cycles alone, by its vendor's simulator"
        if whole
        else partly
        if cycles
        else nothing,
    )
    findings.layers = tuple(
        LayerRecord(
            index=layer.index,
            op=layer.op,
            name=layer.name,
            engine=ops[layer.index].engine if layer.index in ops else "none",
            kernel=job.backend if _on_npu(simulation, layer.index) else "",
            macs=layer.macs,
            weight_bytes=layer.weight_bytes,
            input_bytes=layer.input_bytes,
            output_bytes=layer.output_bytes,
            unit="cycles",
            evidence=Evidence.UNAVAILABLE
            if _cycles(simulation, layer.index) is None
            else Evidence.MODELLED,
            value=_cycles(simulation, layer.index),
            npu_cycles=_cycles(simulation, layer.index),
            reason=ops[layer.index].reason or None
            if layer.index in ops
            else "folded away by the vendor's compiler",
        )
        for layer in network.analysis.layers
    )


def _on_npu(simulation: Simulation, index: int) -> bool:
    return index in simulation.ops and simulation.ops[index].engine == "npu"


def _cycles(simulation: Simulation, index: int) -> int | None:
    return simulation.ops[index].cycles if index in simulation.ops else None


def simulated_record(
    job: Job,
    network: Network,
    settings: Settings,
    findings: Findings,
    more: Mapping[str, Any],
    run_id: str,
    durations_s: Mapping[str, float],
) -> RunRecord:
    record = record_without_plan(job, network, findings, run_id, settings.worker)
    fields: dict[str, Any] = {
        "stages": findings.stages,
        "layers": findings.layers,
        "accuracy": findings.accuracy,
        "settings": {
            "warmups": 0,
            "repetitions": 1,
            "seed": settings.seed,
            "layers": True,
            "verify_layers": False,
        },
        "command": settings.command,
        "timings_s": dict(durations_s),
    }
    simulation: Simulation | None = more.get("simulation")
    if simulation is not None:
        fields["scheme"] = more.get("scheme")
        fields["npu"] = npu_of(job, network, simulation, more["tool"], more["way"])
        environment = record.environment.model_dump()
        environment["tools"] = {more["tool"]: simulation.version}
        fields["environment"] = environment
        if simulation.artifact is not None:
            digest = hashlib.sha256(simulation.artifact[1]).hexdigest()
            fields["model"] = record.model.model_copy(update={"artifact_sha256": digest})
        infer = findings.stages.get(Stage.INFER)
        if infer is not None:
            fields["evidence"] = infer.evidence
    return RunRecord.model_validate({**record.model_dump(), **fields})
