"""What a vendor's compiler makes for a board that gets no image here, compiled as for the vendor's
simulator and kept in the cache. It is another compilation than a run's: what the tool leaves
undefined or dates in its file may differ."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from npubench.bench.forms import forms_of
from npubench.bench.job import Job
from npubench.bench.vendor_npu import fallbacks_of, npu_of
from npubench.compiler.compiled import Compiled, Network, identity_of
from npubench.compiler.emit.project import render_project
from npubench.compiler.graph import Graph
from npubench.compiler.tflite.reader import read_tflite
from npubench.compiler.vendor.simulated import SimulatedBackend
from npubench.compiler.vendor.simulation import Array
from npubench.core.errors import StorageError
from npubench.core.files import write_whole
from npubench.core.paths import cache_root
from npubench.core.seeded import seeded_bytes

SEED = 1
"""Of the input that the artifact's known answer is for."""


def hand_over(job: Job, network: Network, backend: SimulatedBackend) -> Compiled:
    """Compile as a run on the simulator does; then the project that holds the artifact, or
    NeedsVendorRuntime with figures and place where no project can.

    Raises ToolMissing, ToolError and CompileError before.
    """
    backend.check_tool()
    forms = forms_of(job, network)
    way = forms.way()
    given = tuple(array[:1] for array in forms.calibration)
    if backend.image is not None:
        given = _seeded(forms.network.graph)
    simulation = forms.simulator.simulate(forms.asked(given, setting=way.setting))
    figures = ", ".join(f"{name} {value:g}" for name, value in simulation.figures.items())
    said = f"{forms.simulator.tool} {simulation.version} compiled the network"
    said += f" ({figures})" if figures else ""
    said += f", {way.setting}," if way.setting else ""
    name, data = simulation.artifact or ("network.tflite", forms.network.data)
    digest = hashlib.sha256(data).hexdigest()
    place = _keep(backend.name, digest, name, data)
    if backend.image is None:
        ran = "simulator" if backend.simulates_part else "executor"
        ran = f"SHA-256 {digest[:12]}..., compiled as for its {ran}"
        backend.refuse(f"{said} to {name} ({ran})", place)
    graph = forms.network.graph
    float_graph = read_tflite(forms.given(), name="network", floats=True)
    plan = backend.image(
        graph,
        data,
        simulation.outputs,
        job.board,
        names=[
            float_graph.tensor(index).name for index in (*float_graph.inputs, *float_graph.outputs)
        ],
        version=simulation.version,
        seed=SEED,
    )
    told = npu_of(job, forms.network, simulation, forms.simulator.tool, way)
    plan = replace(
        plan,
        npu=told.model_dump(mode="json", exclude_none=True),
        fallbacks=fallbacks_of(forms.network, simulation),
    )
    return Compiled(
        network=network,
        board=job.board,
        plan=plan,
        project=render_project(
            graph, plan, job.board, identity_of(network.resolved, network.graph)
        ),
    )


def _seeded(graph: Graph) -> tuple[Array, ...]:
    """The input generated from SEED, one sample of each input."""
    import numpy as np

    tensors = [graph.tensor(index) for index in graph.inputs]
    data = seeded_bytes(SEED, sum(tensor.size_bytes for tensor in tensors))
    found, begin = [], 0
    for tensor in tensors:
        part = data[begin : begin + tensor.size_bytes]
        found.append(np.frombuffer(part, tensor.dtype.value).reshape(1, *tensor.shape[1:]))
        begin += tensor.size_bytes
    return tuple(found)


def _keep(backend: str, digest: str, name: str, data: bytes) -> str:
    folder = cache_root() / "vendor" / backend / digest[:16]
    try:
        write_whole(folder / name, data)
    except OSError as error:
        raise StorageError(
            f"cannot keep the compiler's output in {folder}: {error.strerror}"
        ) from error
    return str(folder / name)
