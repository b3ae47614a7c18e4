"""What a vendor's compiler decided of a network, as its simulator told it: for the record of a run
there, and for the plan of an image that holds what was compiled."""

from __future__ import annotations

import hashlib

from npubench.bench.job import Job
from npubench.bench.scheme import CALIBRATION_SAMPLES
from npubench.bench.setting import Chosen
from npubench.compiler.compiled import Network
from npubench.compiler.plan import Fallback
from npubench.compiler.vendor.simulation import Simulation
from npubench.runs.schema import NpuRecord


def npu_of(job: Job, network: Network, simulation: Simulation, tool: str, way: Chosen) -> NpuRecord:
    """``tool``: of whose environment; ``way``: how it compiled."""
    on_npu = {index for index, op in simulation.ops.items() if op.engine == "npu"}
    total = sum(layer.macs for layer in network.analysis.layers)
    there = sum(layer.macs for layer in network.analysis.layers if layer.index in on_npu)
    said = repr((tool, simulation.version, sorted(job.options), CALIBRATION_SAMPLES, way.setting))
    details: dict[str, int | float | str] = dict(simulation.figures)
    details["simulator"] = f"{tool} {simulation.version}"
    if way.setting:
        details["setting"] = way.words
    details["operators_on_npu"] = len(on_npu)
    npu = job.board.npu
    return NpuRecord(
        accelerator=job.backend if npu is None else npu.name,
        config_sha256=hashlib.sha256(said.encode()).hexdigest(),
        macs_share=round(there / total, 6) if total else 0.0,
        fallbacks=tuple(
            f"{left.op_index} {left.op}: {left.reason}"
            for left in fallbacks_of(network, simulation)
        ),
        details=details,
    )


def fallbacks_of(network: Network, simulation: Simulation) -> tuple[Fallback, ...]:
    """The operators that the vendor's compiler leaves to the CPU, with its reasons."""
    return tuple(
        Fallback(
            op_index=index,
            op=network.graph.ops[index].kind,
            reason=op.reason or "on the CPU",
        )
        for index, op in sorted(simulation.ops.items())
        if op.engine == "cpu"
    )
