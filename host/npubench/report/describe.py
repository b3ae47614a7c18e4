"""What can be said of networks without running them, as JSON values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from npubench.boards import Board
from npubench.compiler.backends import configured_backend
from npubench.compiler.backends.cpu.selection import code_bytes
from npubench.compiler.compiled import Compiled, Network, read_network
from npubench.compiler.plan import EngineOp, KernelCall, NpuJob, Step
from npubench.core.evidence import Evidence
from npubench.zoo import load_zoo, made_path, resolve_model, zoo_ids


def zoo_document() -> list[dict[str, Any]]:
    """Every model of the zoo: what it is, what it costs, how well it answers. ``file`` and what
    follows from it are None where it is made on demand and was not yet."""
    documents = []
    for name in zoo_ids():
        entry = load_zoo(name)
        there = entry.committed or made_path(entry).is_file()
        network = read_network(resolve_model(name)) if there else None
        accuracy = entry.accuracy
        documents.append(
            {
                "id": name,
                "name": entry.name,
                "task": entry.task,
                "family": entry.family,
                "source": entry.source,
                "license": entry.license,
                "weights": entry.weights,
                "committed": entry.committed,
                "macs": entry.macs if network is None else network.analysis.macs,
                "parameters": entry.parameters if network is None else network.analysis.parameters,
                "peak_live_bytes": None if network is None else network.analysis.peak_live_bytes,
                "metric": None if accuracy is None else accuracy.metric,
                "metric_value": None if accuracy is None else accuracy.int8_ratio,
                "fetch": None if entry.fetch is None else entry.fetch.url,
                "file": None if network is None else str(network.resolved.path),
                "sha256": entry.sha256 if network is None else network.graph.sha256,
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
        if plan.npu and (note := memories_note(compiled.board)):
            document["npu_memories"] = note
        document["engines"] = _engines(compiled)
        document["executed_macs"] = compiled.executed_macs
        document["costs"] = _costs(compiled)
    return document


def memories_note(board: Board) -> str | None:
    """Where the image for a physical board is compiled with other memories than the part has for
    its NPU's model: with which the cycles are told, and how to ask for the part's own."""
    if board.kind != "physical" or board.stand_in is None or board.npu is None:
        return None
    names = ("system_config", "memory_mode")
    told = [str(board.npu.config.get(name, "")) for name in names]
    own = [
        str(board.stand_in.config.get(name, value)) for name, value in zip(names, told, strict=True)
    ]
    if told == own:
        return None
    return (
        f"Told as the image for the board is compiled ({', '.join(told)}); as the part has its "
        f"memories ({', '.join(own)}): --on-model"
    )


def _costs(compiled: Compiled) -> list[dict[str, Any]]:
    """What each way of choosing kernels costs on the CPU: instructions by the kernels' own figures,
    bytes of constants, of code of the kernels that there is a choice of, and of the arena. Empty
    where an NPU runs."""
    if compiled.plan.backend != "cpu":
        return []
    rows = []
    for goal in ("speed", "size", "ram"):
        backend = configured_backend("cpu", (("optimise", goal),))
        plan = backend.compile(compiled.runs.graph, compiled.runs.data, compiled.board)
        choices = [step.choice for step in plan.steps if isinstance(step, KernelCall)]
        rows.append(
            {
                "optimise": goal,
                "instructions": sum(
                    choice.instructions or 0 for choice in choices if choice is not None
                ),
                "constant_bytes": sum(len(constant.data) for constant in plan.constants),
                "kernel_code_bytes": code_bytes(plan.steps),
                "arena_bytes": plan.arena.size_bytes,
            }
        )
    return rows


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
                **_kernel(step),
                "npu_cycles": None if estimate is None else estimate.cycles,
                "port_bytes": None if estimate is None else list(estimate.port_bytes),
                "bound_by": None
                if estimate is None
                else "memory"
                if estimate.bound_by_memory
                else "arithmetic",
            }
    return [rows[index] for index in sorted(rows)]


def _kernel(step: Step) -> dict[str, Any]:
    """The kernel of an operator, why it was chosen and what it is expected to take."""
    if isinstance(step, EngineOp):
        return {"kernel": step.kernel, "choice": None, "instructions": None}
    if not isinstance(step, KernelCall):
        return {"kernel": None, "choice": None, "instructions": None}
    choice = step.choice
    return {
        "kernel": step.kernel,
        "choice": None if choice is None else choice.reason,
        "instructions": None if choice is None else choice.instructions,
    }


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
