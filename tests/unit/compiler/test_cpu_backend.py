"""The cpu backend runs every operator, keeps what is read, and refuses what does not fit."""

from __future__ import annotations

import hashlib
from importlib.metadata import EntryPoint

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npubench.boards import Board, MemoryRegion, load_board
from npubench.compiler import backends
from npubench.compiler.backends import backend_names, load_backend
from npubench.compiler.backends.cpu import BACKEND, roomier, weights_bytes
from npubench.compiler.plan import Alias, KernelCall, Plan, TensorArg
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import DoesNotFit, NpubenchError, ToolError, UnsupportedOp, UsageError
from npubench.emulators.stand_in import stood_in
from support.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model

DENSE = ModelSpec(
    tensors=(
        TensorSpec(name="x", shape=(1, 64)),
        TensorSpec(name="w", shape=(128, 64), data=bytes(128 * 64)),
        TensorSpec(name="b", shape=(128,), dtype="int32", data=bytes(512), scales=(0.25,)),
        TensorSpec(name="y", shape=(1, 128)),
    ),
    ops=(OpSpec(kind="FULLY_CONNECTED", inputs=(0, 1, 2), outputs=(3,), options={}),),
    outputs=(3,),
)


def compiled(spec: ModelSpec, board: Board | None = None) -> Plan:
    data = write_model(spec)
    return BACKEND.compile(read_tflite(data, name="m"), data, board or load_board("qemu-m4"))


def board_with(*regions: MemoryRegion, stack_bytes: int = 1024) -> Board:
    return load_board("qemu-m4").model_copy(update={"memory": regions, "stack_bytes": stack_bytes})


def region(name: str, size_bytes: int, *roles: str) -> MemoryRegion:
    return MemoryRegion.model_validate(
        {"name": name, "base": 0, "size_bytes": size_bytes, "roles": roles}
    )


def test_the_artifact_is_the_model() -> None:
    plan = compiled(DENSE)
    data = write_model(DENSE)
    assert plan.backend == "cpu"
    assert plan.artifact == data
    assert plan.artifact_sha256 == hashlib.sha256(data).hexdigest()
    assert plan.fallbacks == ()


def test_every_operator_is_a_step_in_order_also_when_nobody_reads_its_output() -> None:
    spec = ModelSpec(
        tensors=(TensorSpec(),) * 4,
        ops=(
            OpSpec(inputs=(0,), outputs=(2,)),
            OpSpec(inputs=(0,), outputs=(3,)),
            OpSpec(inputs=(3,), outputs=(1,)),
        ),
    )
    plan = compiled(spec)
    assert [step.op_index for step in plan.steps if isinstance(step, KernelCall)] == [0, 1, 2]
    assert plan.arena.place(2).size_bytes == 4


def test_every_tensor_that_a_kernel_touches_has_a_place() -> None:
    plan = compiled(DENSE)
    for step in plan.steps:
        assert isinstance(step, KernelCall)
        for arg in step.args:
            if isinstance(arg, TensorArg):
                plan.arena.place(arg.tensor)


def test_constants_have_unique_names() -> None:
    spec = ModelSpec(
        tensors=(*DENSE.tensors[:3], TensorSpec(shape=(1, 128)), TensorSpec(shape=(1, 128))),
        ops=(DENSE.ops[0], OpSpec(kind="SOFTMAX", inputs=(3,), outputs=(4,),
                                  options={0: ("f", 1.0)})),
        outputs=(4,),
    )  # fmt: skip
    tensors = list(spec.tensors)
    tensors[4] = TensorSpec(shape=(1, 128), scales=(1 / 256,), zero_points=(-128,))
    plan = compiled(ModelSpec(tensors=tensors, ops=spec.ops, outputs=spec.outputs))
    names = [constant.name for constant in plan.constants]
    assert len(names) == len(set(names)) > 0
    assert all(name.startswith("nb_c") and name.isidentifier() for name in names)


def test_an_output_that_is_an_alias_of_the_input_lives_in_its_place() -> None:
    shape = TensorSpec(shape=(2,), dtype="int32", data=(b"\2\0\0\0" * 2), scales=None)
    spec = ModelSpec(
        tensors=(TensorSpec(shape=(1, 4)), shape, TensorSpec(shape=(2, 2))),
        ops=(OpSpec(kind="RESHAPE", inputs=(0, 1), outputs=(2,)),),
        outputs=(2,),
    )
    plan = compiled(spec)
    assert isinstance(plan.steps[0], Alias)
    assert plan.arena.place(2).offset_bytes == plan.arena.place(0).offset_bytes


def test_an_output_that_is_the_input() -> None:
    plan = compiled(ModelSpec(tensors=(TensorSpec(),), ops=(), outputs=(0,)))
    assert plan.steps == ()
    assert plan.arena.place(0).size_bytes == 4


def test_an_unknown_operator_is_named_with_its_index() -> None:
    spec = ModelSpec(
        tensors=(TensorSpec(),) * 3,
        ops=(OpSpec(inputs=(0,), outputs=(1,)), OpSpec(kind="CUMSUM", inputs=(1,), outputs=(2,))),
        outputs=(2,),
    )
    with pytest.raises(UnsupportedOp, match="CUMSUM") as caught:
        compiled(spec)
    assert caught.value.index == 1
    assert caught.value.hint


def test_weights_that_do_not_fit() -> None:
    board = board_with(region("flash", 8192, "code"), region("sram", 65536, "ram"))
    with pytest.raises(DoesNotFit, match="flash") as caught:
        compiled(DENSE, board)
    data = write_model(DENSE)
    plan = compiled(DENSE)
    assert caught.value.needed_bytes == weights_bytes(read_tflite(data, name="m"), plan)
    assert caught.value.needed_bytes > 128 * 64
    assert caught.value.free_bytes == 8192


def test_weights_in_a_region_of_their_own() -> None:
    board = board_with(
        region("itcm", 1024, "code"), region("qspi", 65536, "weights"), region("sram", 65536, "ram")
    )
    compiled(DENSE, board)


def test_an_arena_that_does_not_fit_beside_the_stack_and_the_fixture() -> None:
    """Arena 192 = 64 + 128; taken: stack 1024, input 64, output 128."""
    flash = region("flash", 65536, "code")
    taken = 1024 + 64 + 128
    compiled(DENSE, board_with(flash, region("sram", taken + 192, "ram")))
    with pytest.raises(DoesNotFit, match="sram") as caught:
        compiled(DENSE, board_with(flash, region("sram", taken + 191, "ram")))
    assert (caught.value.needed_bytes, caught.value.free_bytes) == (192, 191)


def test_an_arena_in_a_region_of_its_own_is_all_free() -> None:
    flash, ram = region("flash", 65536, "code"), region("sram", 4096, "ram")
    compiled(DENSE, board_with(flash, ram, region("tcm", 192, "arena")))
    with pytest.raises(DoesNotFit, match="tcm"):
        compiled(DENSE, board_with(flash, ram, region("tcm", 191, "arena")))


def test_a_board_without_regions_takes_any_size() -> None:
    compiled(DENSE, board_with())


def test_the_backend_is_found_by_its_module_name() -> None:
    assert "cpu" in backend_names()
    assert load_backend("cpu") is BACKEND


def test_every_backend_has_the_name_it_is_found_by() -> None:
    for name in backends._modules():
        assert load_backend(name).name == name


def test_an_unknown_backend_is_a_usage_error_with_the_closest_name() -> None:
    with pytest.raises(UsageError, match="'cpux'") as caught:
        load_backend("cpux")
    assert "cpu" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        load_backend("zzzzzz")
    assert "known: " in caught.value.hint


def test_a_plugin_is_found_and_a_broken_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    good = EntryPoint("mine", "npubench.compiler.backends.cpu:BACKEND", backends.GROUP)
    broken = EntryPoint("broken", "no_such_package_at_all:BACKEND", backends.GROUP)
    plugins = {backends.GROUP: [good, broken]}
    monkeypatch.setattr(backends, "entry_points", lambda *, group: plugins[group])
    assert {"cpu", "mine", "broken"} <= set(backend_names())
    assert load_backend("mine") is BACKEND
    with pytest.raises(ToolError, match="no_such_package_at_all"):
        load_backend("broken")


SMALL_BYTES = write_model(
    ModelSpec(
        tensors=(TensorSpec(), TensorSpec(shape=(2, 4), data=bytes(8)), TensorSpec(shape=(1, 2))),
        ops=(OpSpec(kind="FULLY_CONNECTED", inputs=(0, 1, -1), outputs=(2,), options={}),),
        outputs=(2,),
    )
)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, len(SMALL_BYTES) // 4 - 1),
    st.one_of(st.integers(0, 8), st.integers(0, 2**32 - 1)),
)
def test_a_damaged_model_gives_a_plan_or_our_error(word: int, value: int) -> None:
    data = bytearray(SMALL_BYTES)
    data[4 * word : 4 * word + 4] = value.to_bytes(4, "little")
    try:
        BACKEND.compile(read_tflite(bytes(data), name="m"), bytes(data), load_board("qemu-m4"))
    except NpubenchError as error:
        if error.exit_code != 2:
            raise


def test_a_network_too_large_for_a_part_names_the_parts_region_and_those_that_take_it() -> None:
    part = stood_in(load_board("grove-vision-ai-v2"))
    assert part.region("weights").name != "sram0"
    assert part.region_words("weights") == "sram0 of grove-vision-ai-v2"
    assert roomier(part, "weights", 3_113_700) == ("alif-e7-devkit", "imx93-evk")
    assert "grove-vision-ai-v2" in roomier(part, "weights", 1)
    assert roomier(load_board("qemu-m4"), "weights", 1) == (), "too many to choose among"
