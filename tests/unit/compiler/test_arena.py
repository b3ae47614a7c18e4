"""No byte of the arena serves two living tensors, and little of it is wasted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npubench.boards import load_board
from npubench.compiler.analyze import analyze
from npubench.compiler.arena import (
    ALIGNMENT_BYTES,
    lifetimes,
    lower_bound_bytes,
    plan_arena,
)
from npubench.compiler.backends import load_backend
from npubench.compiler.graph import DType, Graph, Tensor
from npubench.compiler.plan import (
    Alias,
    Arena,
    KernelCall,
    NpuJob,
    Overlap,
    ScratchArg,
    Step,
    TensorArg,
)
from npubench.compiler.tflite.reader import load_tflite


def graph_of(sizes: Sequence[int], inputs: Sequence[int], outputs: Sequence[int]) -> Graph:
    return Graph(
        name="m",
        sha256="",
        tensors=tuple(
            Tensor(
                index=index, name="", shape=(size,), dtype=DType.INT8, quantization=None, data=None
            )
            for index, size in enumerate(sizes)
        ),
        ops=(),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
    )


def call(reads: Sequence[int], writes: Sequence[int], scratch_bytes: int = 0) -> KernelCall:
    args = [TensorArg(tensor=item, ctype="int8_t", const=True) for item in reads]
    args += [TensorArg(tensor=item, ctype="int8_t", const=False) for item in writes]
    return KernelCall(
        op_index=0, kernel="nb_k", source="k.c", params_type="nb_k_params", params=(),
        args=(*args, ScratchArg()), scratch_bytes=scratch_bytes,
    )  # fmt: skip


def alias(source: int, target: int) -> Alias:
    return Alias(op_index=0, source_tensor=source, target_tensor=target)


class Memory:
    """Plays a plan byte by byte: who wrote a byte last must be who is read."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.owner: list[object] = [None] * arena.size_bytes
        self.value_of: dict[int, object] = {}

    def write(self, offset: int, size: int, value: object) -> None:
        assert offset >= 0
        assert offset % ALIGNMENT_BYTES == 0
        assert offset + size <= self.arena.size_bytes
        self.owner[offset : offset + size] = [value] * size

    def write_tensor(self, tensor: int) -> None:
        place = self.arena.place(tensor)
        self.value_of[tensor] = value = ("tensor", tensor)
        self.write(place.offset_bytes, place.size_bytes, value)

    def check(self, tensor: int) -> None:
        place = self.arena.place(tensor)
        held = self.owner[place.offset_bytes : place.offset_bytes + place.size_bytes]
        assert held == [self.value_of[tensor]] * place.size_bytes


def play(graph: Graph, steps: Sequence[Step], arena: Arena) -> None:
    """Run the steps; every read, and every output at the end, finds what was written."""
    memory = Memory(arena)
    for tensor in graph.inputs:
        memory.write_tensor(tensor)
    for position, step in enumerate(steps):
        if isinstance(step, Alias):
            memory.value_of[step.target_tensor] = memory.value_of[step.source_tensor]
            memory.check(step.target_tensor)
            continue
        if isinstance(step, NpuJob):
            reads, writes, scratch_bytes = step.inputs, step.outputs, 0
        else:
            tensors = [arg for arg in step.args if isinstance(arg, TensorArg)]
            reads = tuple(arg.tensor for arg in tensors if arg.const)
            writes = tuple(arg.tensor for arg in tensors if not arg.const)
            scratch_bytes = step.scratch_bytes
        if scratch_bytes:
            memory.write(arena.scratch_offset_bytes[position], scratch_bytes, "scratch")
        for tensor in writes:
            memory.write_tensor(tensor)
        for tensor in (*reads, *writes):
            memory.check(tensor)
        if scratch_bytes:
            offset = arena.scratch_offset_bytes[position]
            assert memory.owner[offset : offset + scratch_bytes] == ["scratch"] * scratch_bytes
    for tensor in graph.outputs:
        memory.check(tensor)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Graph, tuple[Step, ...]]:
    """Any order of kernels, aliases and NPU jobs that reads only what exists."""
    sizes = draw(st.lists(st.integers(1, 90), min_size=1, max_size=3))
    inputs = list(range(len(sizes)))
    steps: list[Step] = []
    for _ in range(draw(st.integers(0, 12))):
        known = st.integers(0, len(sizes) - 1)
        target = len(sizes)
        kind = draw(st.sampled_from(("kernel", "kernel", "alias", "npu")))
        if kind == "alias":
            source = draw(known)
            sizes.append(sizes[source])
            steps.append(alias(source, target))
            continue
        reads = tuple(draw(st.lists(known, min_size=1, max_size=3, unique=True)))
        sizes.append(draw(st.integers(1, 90)))
        if kind == "npu":
            steps.append(NpuJob(op_indices=(0,), job=0, inputs=reads, outputs=(target,)))
        else:
            steps.append(call(reads, (target,), draw(st.sampled_from((0, 0, 1, 40)))))
    outputs = draw(st.lists(st.integers(0, len(sizes) - 1), min_size=1, max_size=3))
    return graph_of(sizes, inputs, outputs), tuple(steps)


@settings(max_examples=300, deadline=None)
@given(networks())
def test_no_living_byte_is_overwritten(network: tuple[Graph, tuple[Step, ...]]) -> None:
    graph, steps = network
    play(graph, steps, plan_arena(graph, steps))


def most_alive_bytes(graph: Graph, steps: Sequence[Step]) -> int:
    """The most aligned bytes alive at one step, counted step by step."""
    blocks = lifetimes(graph, steps)
    return max(
        sum(
            -(-block.size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
            for block in blocks
            if block.first <= step <= block.last
        )
        for step in range(-1, len(steps) + 1)
    )


@settings(max_examples=200, deadline=None)
@given(networks())
def test_the_arena_is_near_the_lower_bound(network: tuple[Graph, tuple[Step, ...]]) -> None:
    graph, steps = network
    bound = most_alive_bytes(graph, steps)
    assert lower_bound_bytes(lifetimes(graph, steps)) == bound
    assert bound <= plan_arena(graph, steps).size_bytes <= 1.5 * bound


@pytest.mark.parametrize(
    "file",
    ["kws_ref_model.tflite", "vww_96_int8.tflite", "pretrainedResnet_quant.tflite",
     "ad01_int8.tflite"],
)  # fmt: skip
def test_reference_models_reach_the_lower_bound(shared_models: Path, file: str) -> None:
    data, graph = load_tflite(shared_models / file)
    plan = load_backend("cpu").compile(graph, data, load_board("native"))
    assert plan.arena.size_bytes == most_alive_bytes(graph, plan.steps)
    play(graph, plan.steps, plan.arena)


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-m55"])
@pytest.mark.parametrize(
    "file",
    ["kws_ref_model.tflite", "vww_96_int8.tflite", "pretrainedResnet_quant.tflite",
     "ad01_int8.tflite"],
)  # fmt: skip
def test_outputs_over_inputs_keep_the_arena_within_the_live_activations(
    shared_models: Path, file: str, board: str
) -> None:
    """Scratch included: what kernels need for themselves is won back in place."""
    data, graph = load_tflite(shared_models / file)
    plan = load_backend("cpu").compile(graph, data, load_board(board))
    assert plan.arena.size_bytes <= analyze(graph).peak_live_bytes


def test_an_output_may_lie_over_a_dying_input_by_its_lead() -> None:
    graph = graph_of((64, 128, 16), (0,), (2,))
    first, second = call((0,), (1,)), call((1,), (2,))
    grown = replace(first, overlaps=(Overlap(tensor=0, lead_bytes=64),))
    arena = plan_arena(graph, (grown, second))
    assert arena.size_bytes == 128 + 16
    assert arena.place(1).offset_bytes <= arena.place(0).offset_bytes - 64


def test_an_input_that_lives_on_is_not_overwritten() -> None:
    graph = graph_of((64, 64, 64), (0,), (2,))
    first = replace(call((0,), (1,)), overlaps=(Overlap(tensor=0, lead_bytes=None),))
    arena = plan_arena(graph, (first, call((0, 1), (2,))))
    assert arena.place(0).offset_bytes != arena.place(1).offset_bytes


def test_a_chain_needs_its_two_largest_neighbours() -> None:
    graph = graph_of((64, 32, 128, 16), (0,), (3,))
    steps = (call((0,), (1,)), call((1,), (2,)), call((2,), (3,)))
    assert plan_arena(graph, steps).size_bytes == 32 + 128


def test_an_alias_lives_where_its_source_lives() -> None:
    graph = graph_of((32, 32, 32, 32), (0,), (3,))
    steps = (alias(0, 1), alias(1, 2), call((2,), (3,)))
    arena = plan_arena(graph, steps)
    assert len({arena.place(tensor).offset_bytes for tensor in (0, 1, 2)}) == 1
    assert arena.size_bytes == 64


def test_a_source_lives_as_long_as_its_alias_is_read() -> None:
    graph = graph_of((32, 32, 32, 32), (0,), (3,))
    steps = (alias(0, 1), call((0,), (2,)), call((2, 1), (3,)))
    play(graph, steps, plan_arena(graph, steps))
    block = next(item for item in lifetimes(graph, steps) if 0 in item.tensors)
    assert (block.tensors, block.first, block.last) == ((0, 1), -1, 2)


def test_a_graph_output_that_is_a_graph_input_survives() -> None:
    graph = graph_of((32, 32), (0,), (0, 1))
    steps = (call((0,), (1,), 16),)
    play(graph, steps, plan_arena(graph, steps))


def test_an_input_that_nobody_reads_has_a_place_for_loading() -> None:
    graph = graph_of((32, 48, 16), (0, 1), (2,))
    arena = plan_arena(graph, (call((0,), (2,)),))
    assert arena.place(1).size_bytes == 48
    assert arena.size_bytes == 32 + 48


def test_scratch_lives_only_during_its_step() -> None:
    graph = graph_of((16, 16, 16), (0,), (2,))
    steps = (call((0,), (1,), 160), call((1,), (2,), 96))
    arena = plan_arena(graph, steps)
    assert set(arena.scratch_offset_bytes) == {0, 1}
    assert arena.size_bytes == 16 + 16 + 160


def test_tensors_inside_an_npu_job_have_no_place() -> None:
    graph = graph_of((16, 4096, 16), (0,), (2,))
    arena = plan_arena(graph, (NpuJob(op_indices=(0, 1), job=0, inputs=(0,), outputs=(2,)),))
    assert {place.tensor for place in arena.places} == {0, 2}
    with pytest.raises(KeyError):
        arena.place(1)
    assert arena.size_bytes == 32


def test_no_steps() -> None:
    arena = plan_arena(graph_of((10,), (0,), (0,)), ())
    assert arena.place(0).offset_bytes == 0
    assert arena.size_bytes == 16


def test_equal_networks_give_equal_arenas() -> None:
    graph = graph_of((30, 30, 30, 30, 30), (0,), (4,))
    steps = (call((0,), (1,)), call((0,), (2,)), call((1, 2), (3,), 30), call((3,), (4,)))
    assert plan_arena(graph, steps) == plan_arena(graph, steps)
