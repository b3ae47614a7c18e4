"""What can be said of networks without running them, as JSON values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from npubench.compiler.compiled import Compiled, Network, read_network
from npubench.compiler.plan import NpuJob
from npubench.core.evidence import Evidence
from npubench.zoo import resolve_model, zoo_ids


def zoo_document() -> list[dict[str, Any]]:
    """Every model of the zoo: identity and cost."""
    documents = []
    for name in zoo_ids():
        network = read_network(resolve_model(name))
        entry = network.resolved.entry
        assert entry is not None
        documents.append(
            {
                "id": name,
                "name": entry.name,
                "task": entry.task,
                "macs": network.analysis.macs,
                "parameters": network.analysis.parameters,
                "peak_live_bytes": network.analysis.peak_live_bytes,
                "file": str(network.resolved.path),
                "sha256": network.graph.sha256,
            }
        )
    return documents


def analysis_document(network: Network, compiled: Compiled | None) -> dict[str, Any]:
    """A network's cost by layer; with a compiled plan also where each layer runs and the arena."""
    analysis = network.analysis
    document: dict[str, Any] = {
        "name": network.resolved.id,
        "file": str(network.resolved.path),
        "sha256": network.graph.sha256,
        "evidence": Evidence.PREDICTED,
        "macs": analysis.macs,
        "parameters": analysis.parameters,
        "weight_bytes": analysis.weight_bytes,
        "peak_live_bytes": analysis.peak_live_bytes,
        "inputs": [_tensor(network, index) for index in network.graph.inputs],
        "outputs": [_tensor(network, index) for index in network.graph.outputs],
        "layers": [asdict(layer) for layer in analysis.layers],
    }
    if compiled is not None:
        plan = compiled.plan
        document["board"] = compiled.board.id
        document["backend"] = plan.backend
        document["arena_bytes"] = plan.arena.size_bytes
        document["fallbacks"] = [asdict(fallback) for fallback in plan.fallbacks]
        document["npu"] = plan.npu
        document["engines"] = _engines(compiled)
    return document


def _engines(compiled: Compiled) -> list[dict[str, Any]]:
    """Where each operator runs, why not on the NPU, and what the NPU's model expects of it."""
    plan = compiled.plan
    reasons = {fallback.op_index: fallback.reason for fallback in plan.fallbacks}
    estimates = {estimate.op_index: estimate for estimate in plan.estimates}
    rows: dict[int, dict[str, Any]] = {}
    for step in plan.steps:
        engine = "npu" if isinstance(step, NpuJob) else "cpu"
        indices = step.op_indices if isinstance(step, NpuJob) else (step.op_index,)
        for index in indices:
            estimate = estimates.get(index)
            rows[index] = {
                "index": index,
                "engine": engine,
                "job": step.job if isinstance(step, NpuJob) else None,
                "reason": reasons.get(index),
                "npu_cycles": None if estimate is None else estimate.cycles,
                "port_bytes": None if estimate is None else list(estimate.port_bytes),
                "bound_by": None
                if estimate is None
                else "memory"
                if estimate.bound_by_memory
                else "arithmetic",
            }
    return [rows[index] for index in sorted(rows)]


def _tensor(network: Network, index: int) -> dict[str, Any]:
    tensor = network.graph.tensor(index)
    quantization = tensor.quantization
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": None if quantization is None else quantization.scale,
        "zero_point": None if quantization is None else quantization.zero_point,
    }
