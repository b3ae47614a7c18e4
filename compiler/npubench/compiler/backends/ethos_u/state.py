"""Networks with state: an LSTM's lies in the arena, where the NPU reads and writes it in place.

Vela gives each variable tensor a place for the whole network; that nothing else writes there is
checked, since it would show in the second inference only.
"""

from __future__ import annotations

from npubench.compiler.backends.ethos_u.partition import Partition
from npubench.compiler.graph import Graph
from npubench.core.errors import CompileError


def check_resources(graph: Graph) -> None:
    """Raise CompileError for variables behind handles (VAR_HANDLE): Vela takes none for a U55 or
    U65."""
    named = [variable.name for variable in graph.variables if variable.handles]
    if named:
        raise CompileError(
            f"{graph.name} keeps state in resource variables ({', '.join(named)[:200]}), which "
            "Vela takes for no Ethos-U55 or U65",
            hint="run it on the CPU (--backend cpu), or export it with the state as input and "
            "output",
        )


def check_state(graph: Graph, split: Partition, accelerator_name: str) -> None:
    """Raise CompileError when a job writes over a part of the state, or Vela gave it no place."""
    from npubench.npu.ethosu.hazards import written
    from npubench.npu.ethosu.memory_system import REGION_CONSTANTS
    from npubench.npu.ethosu.payload import parse_payload
    from npubench.npu.ethosu.stream import operations

    if not graph.variables:
        return
    used = {tensor for segment in split.segments for tensor in segment.inputs}
    places: dict[str, tuple[int, int]] = {}
    for variable in graph.variables:
        if variable.tensor not in used:
            continue
        begin = split.offsets.get(variable.tensor)
        if begin is None:
            raise _error(graph, variable.name, "Vela gave it no place in the arena")
        places[variable.name] = (begin, begin + graph.tensor(variable.tensor).size_bytes)
    for segment in split.segments:
        tensors = segment.tensors
        assert tensors.stream.data is not None
        base = tensors.scratch.offset_bytes or 0
        shared = tensors.fast_scratch.index == tensors.scratch.index
        for operation in operations(parse_payload(tensors.stream.data).words):
            for region, low, high in written(operation):
                if region == REGION_CONSTANTS or (region != 1 and not shared):
                    continue
                for name, (begin, end) in places.items():
                    inside = begin <= base + low and base + high <= end
                    if base + low < end and begin < base + high and not inside:
                        raise _error(graph, name, f"a job on {accelerator_name} writes over it")


def _error(graph: Graph, name: str, what: str) -> CompileError:
    return CompileError(
        f"{graph.name}: the state {name!r} would be lost between inferences: {what}",
        hint="compile it for the CPU: --backend cpu",
    )
