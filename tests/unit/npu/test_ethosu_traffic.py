"""What crosses the ports, beat by beat: held to rules that Arm's model follows in every count."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from npubench.compiler.backends.ethos_u.output import job_tensors, read_vela
from npubench.npu.ethosu.operation import BlockOp, FeatureMap, OpKind
from npubench.npu.ethosu.payload import parse_payload
from npubench.npu.ethosu.stream import operations
from npubench.npu.ethosu.traffic import Transfer, is_independent, last_write_of, transfers_of
from support.vela_in_process import CHECKOUT, compile_network


@cache
def pointwise() -> BlockOp:
    """A 1x1 convolution of the zoo's keyword network; tests change what they need."""
    with TemporaryDirectory() as folder:
        compiled = compile_network(CHECKOUT / "models/kws/kws.tflite", Path(folder))
        model = read_vela(compiled.read_bytes(), name="kws")
        stream = job_tensors(model, model.ops[0]).stream.data
    assert stream is not None
    return next(
        op
        for op in operations(parse_payload(stream).words)
        if isinstance(op, BlockOp) and op.kind is OpKind.CONV and op.kernel == (1, 1)
    )


def plain(shape: tuple[int, int, int], *, base: int = 0, stride_x: int = 0) -> FeatureMap:
    """An NHWC map of bytes."""
    stride_x = stride_x or shape[2]
    return dataclasses.replace(
        pointwise().ifm,
        bases=(base, 0, 0, 0),
        shape=shape,
        stride_x=stride_x,
        stride_y=stride_x * shape[1],
        bits=8,
        brick=False,
    )


def operation(ifm: FeatureMap, ofm: FeatureMap, block: tuple[int, int, int]) -> BlockOp:
    return dataclasses.replace(
        pointwise(), ifm=ifm, ofm=ofm, block=block, part_kernel=False, weights=None, scales=None
    )


def read(op: BlockOp, axi_bytes: int = 8) -> Transfer:
    (found,) = [item for item in transfers_of(op, axi_bytes) if item.is_read]
    return found


def written(op: BlockOp, axi_bytes: int = 8, cores: int = 1) -> Transfer:
    (found,) = [item for item in transfers_of(op, axi_bytes, cores=cores) if not item.is_read]
    return found


def test_a_row_that_is_not_aligned_costs_the_words_it_touches() -> None:
    """Rows of 10 bytes touch two words of 8 each, wherever they begin at even addresses."""
    op = operation(plain((4, 10, 1)), plain((4, 10, 8)), (4, 10, 8))
    assert (read(op).size_bytes, read(op).beats) == (40, 8)
    assert read(op, 16).beats == 6  # rows at 0, 10, 20 and 30: 1, 2, 1 and 2 words of 16


def test_unaligned_outputs_are_written_in_groups_of_16_channels() -> None:
    """18 channels: 16 and 2, for each element on its own. At 0, 18, 36 and 54: 2, 3, 3, 3 words,
    and one for each pair."""
    op = operation(plain((1, 4, 16)), plain((1, 4, 18)), (1, 4, 18))
    assert (written(op).size_bytes, written(op).beats) == (72, 11 + 4)


@pytest.mark.parametrize(
    ("base", "depth", "one", "two"), [(0xA8, 24, 3, 2), (0x168, 42, 6, 5), (0x138, 48, 6, 5)]
)
def test_two_cores_write_groups_of_32_channels(base: int, depth: int, one: int, two: int) -> None:
    """Three operations of rnnoise on a U65, of which Arm's model writes three beats fewer with 512
    MACs than with 256: the only ones there that are not aligned."""
    op = operation(plain((1, 1, 16)), plain((1, 1, depth), base=base), (1, 1, depth))
    assert (written(op, 16).beats, written(op, 16, cores=2).beats) == (one, two)
    assert last_write_of(op, 16, cores=2).beats == two


def test_few_channels_side_by_side_are_written_as_one_run() -> None:
    op = operation(plain((2, 8, 16)), plain((2, 8, 4)), (2, 8, 4))
    assert (written(op).size_bytes, written(op).beats) == (64, 8)


@pytest.mark.parametrize(("depth", "times"), [(32, 1), (48, 1), (64, 1), (96, 3)])
def test_an_input_of_two_slices_stays_for_the_next_channels(depth: int, times: int) -> None:
    """Three blocks of output channels; slices of 32."""
    op = operation(plain((2, 2, depth)), plain((2, 2, 48)), (2, 2, 16))
    assert read(op).size_bytes == 4 * depth * times


def test_a_kernel_in_pieces_fetches_again() -> None:
    op = operation(plain((12, 1, 16)), plain((3, 1, 48)), (3, 1, 16))
    op = dataclasses.replace(op, kernel=(10, 1))
    # Pieces of 8 and 2 rows: rows 0 to 9 and 8 to 11, for each of three blocks of channels.
    assert read(op).size_bytes == (10 + 4) * 16 * 3


def test_the_last_write_is_the_last_blocks() -> None:
    op = operation(plain((4, 4, 16)), plain((5, 4, 16)), (2, 4, 16))
    last = last_write_of(op, 8)
    assert (last.size_bytes, last.beats) == (64, 8)
    assert sum(item.size_bytes for item in transfers_of(op, 8) if not item.is_read) == 320


def test_an_operation_on_what_the_one_before_writes_depends_on_it() -> None:
    first = operation(plain((4, 4, 16)), plain((4, 4, 16), base=4096), (4, 4, 16))
    reads = operation(plain((4, 4, 16), base=4100), plain((4, 4, 16), base=8192), (4, 4, 16))
    other = operation(plain((4, 4, 16)), plain((4, 4, 16), base=8192), (4, 4, 16))
    assert not is_independent(first, reads)
    assert is_independent(first, other)
