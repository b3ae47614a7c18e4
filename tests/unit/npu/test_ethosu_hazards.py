"""What hardware would corrupt and a model in strict order would hide: named as an error."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest

from npubench.compiler.backends.ethos_u.output import job_tensors, read_vela
from npubench.npu.ethosu.config import accelerator
from npubench.npu.ethosu.dependency import check_dependency, permitted
from npubench.npu.ethosu.hazards import check_hazards
from npubench.npu.ethosu.isa import Cmd0, StreamError
from npubench.npu.ethosu.operation import BlockOp, DmaOp, Operation, OpKind, WaitOp
from npubench.npu.ethosu.payload import parse_payload
from npubench.npu.ethosu.registers import Status
from npubench.npu.ethosu.shram import accumulator_banks, check_layout, input_banks
from npubench.npu.ethosu.stream import operations
from support.npu_device import Bench, compile_job
from support.npu_networks import random_network
from support.vela_in_process import CHECKOUT, compile_network

U55_128 = accelerator("ethos-u55-128")
IC = CHECKOUT / "models" / "ic" / "ic.tflite"


def program_of(compiled: Path) -> tuple[Operation, ...]:
    model = read_vela(compiled.read_bytes(), name=compiled.stem)
    tensors = job_tensors(model, model.ops[0])
    assert tensors.stream.data is not None
    return tuple(operations(parse_payload(tensors.stream.data).words))


def blocks(program: tuple[Operation, ...]) -> list[BlockOp]:
    return [op for op in program if isinstance(op, BlockOp)]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[Operation, ...]:
    return program_of(compile_network(IC, tmp_path_factory.mktemp("vela")))


def follower(program: tuple[Operation, ...]) -> tuple[BlockOp, BlockOp]:
    """Two operations of which the second reads at once what the first writes last."""
    ops = blocks(program)
    return next(
        (before, op) for before, op in itertools.pairwise(ops) if permitted(before, op) == 0
    )


def test_both_of_velas_cores_keep_the_rules_in_random_networks(tmp_path: Path) -> None:
    seen = 0
    (tmp_path / "in").mkdir()
    for seed in (1, 4, 7, 9, 12):
        path = tmp_path / "in" / "network.tflite"
        path.write_bytes(random_network(seed)[0])
        for legacy in (False, True):
            found = program_of(compile_network(path, tmp_path, legacy=legacy))
            check_hazards(found, U55_128)
            seen += len(blocks(found))
    assert seen > 50


def test_a_blockdep_that_lets_an_operation_read_too_early_is_named(
    program: tuple[Operation, ...],
) -> None:
    before, op = follower(program)
    check_dependency(before, op, U55_128)
    early = dataclasses.replace(op, blockdep=1)
    with pytest.raises(StreamError, match=f"{op.offset_bytes:#x}: BLOCKDEP 1.*at most 0"):
        check_dependency(before, early, U55_128)
    broken = tuple(early if one is op else one for one in program)
    with pytest.raises(StreamError, match="BLOCKDEP"):
        check_hazards(broken, U55_128)
    wait = WaitOp(offset_bytes=0, dma=False, outstanding=0)
    waiting = [part for one in broken for part in ([wait, one] if one is early else [one])]
    check_hazards(waiting, U55_128)


def test_the_permitted_number_is_that_of_the_compiler(program: tuple[Operation, ...]) -> None:
    """Vela may count more carefully than it must, never less; mostly it takes what it may."""
    ops = blocks(program)
    pairs = [(permitted(a, b), b.blockdep) for a, b in itertools.pairwise(ops)]
    assert all(said <= may for may, said in pairs)
    assert sum(said == may for may, said in pairs) > len(pairs) // 2


def test_maps_that_do_not_meet_may_overlap_in_time(program: tuple[Operation, ...]) -> None:
    before, op = follower(program)
    away = dataclasses.replace(
        op,
        ifm=dataclasses.replace(op.ifm, region=7),
        ifm2=None if op.ifm2 is None else dataclasses.replace(op.ifm2, region=7),
    )
    assert permitted(before, away) == 3


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("input_end", "input of [0-9]+ banks from bank 2 reaches beyond the end of its buffer"),
        ("accumulators_start", "accumulators of [0-9]+ banks from bank 22 reaches beyond"),
    ],
)
def test_buffers_that_do_not_fit_are_named(
    field: str, words: str, program: tuple[Operation, ...]
) -> None:
    op = next(op for op in blocks(program) if op.kind is OpKind.CONV)
    check_layout(op, U55_128)
    value = 2 + input_banks(op, U55_128) - 1 if field == "input_end" else 22
    assert accumulator_banks(op, U55_128) > 0
    with pytest.raises(StreamError, match=f"SHRAM: {words}"):
        check_layout(dataclasses.replace(op, **{field: value}), U55_128)  # type: ignore[arg-type]


def test_input_buffers_may_not_reach_into_the_accumulators(program: tuple[Operation, ...]) -> None:
    op = next(op for op in blocks(program) if op.kind is OpKind.CONV)
    with pytest.raises(StreamError, match="reach into the accumulators"):
        check_layout(dataclasses.replace(op, input_end=op.accumulators_start + 1), U55_128)


def test_the_second_input_of_an_addition_has_a_buffer_of_its_own(
    program: tuple[Operation, ...],
) -> None:
    op = next(op for op in blocks(program) if op.ifm2 is not None)
    assert op.input2_start is not None
    with pytest.raises(StreamError, match=r"input of .* reaches beyond second input"):
        check_layout(dataclasses.replace(op, input2_start=2), U55_128)
    with pytest.raises(StreamError, match=r"second input of .* reaches beyond"):
        check_layout(dataclasses.replace(op, input2_start=op.input_end), U55_128)


def test_a_u65_makes_two_copies_at_once(program: tuple[Operation, ...]) -> None:
    """An operation that reads what the copy before the last brings needs a wait there."""
    copy = next(op for op in program if isinstance(op, DmaOp))
    block = next(op for op in blocks(program) if op.kind is OpKind.CONV)
    assert block.weights is not None
    first = dataclasses.replace(copy, target=block.weights, to_shram=False)
    other = dataclasses.replace(
        copy, target=dataclasses.replace(block.weights, region=6), to_shram=False
    )
    stream = [first, other, dataclasses.replace(block, blockdep=0)]
    check_hazards(stream, accelerator("ethos-u55-256"))
    with pytest.raises(StreamError, match="a wait is missing"):
        check_hazards(stream, accelerator("ethos-u65-256"))


def test_the_device_faults_on_such_a_stream(tmp_path: Path) -> None:
    job = compile_job(IC, tmp_path)
    words = list(job.words)
    for index, word in enumerate(words):
        if word & 0xFFFF == Cmd0.BLOCKDEP:
            words[index] = 3 << 16 | Cmd0.BLOCKDEP
    bench = Bench()
    bench.load(job, bytes(3072))
    assert bench.start(job.words) & (Status.PARSE | Status.END) == Status.END
    bench = Bench()
    bench.load(job, bytes(3072))
    assert bench.start(tuple(words)) & (Status.PARSE | Status.END) == Status.PARSE
