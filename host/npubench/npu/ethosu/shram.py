"""Buffers in SHRAM: whether the layout that a stream sets holds what its operation needs.

SHRAM is cut into banks of 1 KB: two for the output, input buffers from there to IFM_IB_END,
accumulators from AB_START on, lookup tables in the last two banks. Input and accumulators are kept
twice, so that one block is filled while another is used. The functional core has no buffers and
would hide a layout in which they overlap; hardware would compute from what is overwritten. Sizes
and granules: the architecture tables that come with Vela (Apache-2.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from npubench.npu.ethosu.blocks import SUB_KERNEL, divide_up, ofm_block_of
from npubench.npu.ethosu.config import Accelerator
from npubench.npu.ethosu.isa import StreamError
from npubench.npu.ethosu.operation import BlockOp, OpKind, Pooling

BANK_BYTES: Final = 1024
OUTPUT_BANKS: Final = 2
TABLE_BANKS: Final = 2
ACCUMULATOR_BITS: Final = {0: 32, 1: 40, 2: 16}
"""By ACC_FORMAT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Banks begin..end of each buffer. ``second``: of the second input, None where there is none;
    ``accumulators``: None for elementwise operations. ``end``: where tables, or SHRAM, begin."""

    first: tuple[int, int]
    second: tuple[int, int] | None
    accumulators: tuple[int, int] | None
    end: int


def banks_of(accelerator: Accelerator) -> int:
    """Banks of one core."""
    return accelerator.core_shram_bytes // BANK_BYTES


def tables_reserved(accelerator: Accelerator) -> bool:
    """Whether the banks of the tables are used for nothing else: not where SHRAM is smallest."""
    return banks_of(accelerator) > 16


def table_bank(accelerator: Accelerator) -> int:
    """The first bank of the lookup tables."""
    return banks_of(accelerator) - TABLE_BANKS


def layout_of(op: BlockOp, accelerator: Accelerator) -> Layout:
    """Where the buffers lie, as long as the operation needs them."""
    reserved = op.lut is not None or tables_reserved(accelerator)
    end = banks_of(accelerator) - (TABLE_BANKS if reserved else 0)
    needed = input_banks(op, accelerator)
    first = (OUTPUT_BANKS, OUTPUT_BANKS + needed)
    if op.kind is OpKind.ELEMENTWISE:
        begin = op.input2_start
        second = None if begin is None else (begin, begin + needed)
        return Layout(first=first, second=second, accumulators=None, end=end)
    start = op.accumulators_start
    banks = accumulator_banks(op, accelerator)
    return Layout(first=first, second=None, accumulators=(start, start + banks), end=end)


def input_banks(op: BlockOp, accelerator: Accelerator) -> int:
    """Banks that the input of one block takes, twice."""
    rows, columns = _input_rows(op)
    depth = op.block[2]
    if op.kind is OpKind.CONV or (op.kind is OpKind.POOL and op.mode == Pooling.REDUCE_SUM):
        if op.ifm.bits == 16:
            depth = _up(min(op.ifm.shape[2], 16), 4)
        else:
            depth = _up(min(op.ifm.shape[2], 16 if op.part_kernel else 32), 8)
    elif op.kind is not OpKind.ELEMENTWISE:
        depth = min(depth, _up(op.ofm.shape[2], accelerator.ublock[2]))
    size = rows * columns * _up(divide_up(depth * op.ifm.bits, 8), 8)
    return divide_up(size, BANK_BYTES) * 2


def accumulator_banks(op: BlockOp, accelerator: Accelerator) -> int:
    """Banks that the accumulators of one block take on one core, twice."""
    height, width, depth = op.block
    depth = _up(divide_up(depth, accelerator.cores), 8)
    size = height * width * depth * ACCUMULATOR_BITS.get(op.acc_format, 32) // 8
    return divide_up(size, BANK_BYTES) * 2


def check_layout(op: BlockOp, accelerator: Accelerator) -> None:
    """Raise StreamError when buffers overlap each other, the tables, or the end of SHRAM."""
    layout = layout_of(op, accelerator)
    if op.kind is OpKind.ELEMENTWISE:
        parts = [("input", layout.first)]
        if layout.second is not None:
            parts.append(("second input", layout.second))
        limit = min(op.input_end, layout.end)
        order = "the end of the input buffers"
    else:
        assert layout.accumulators is not None
        if layout.first[1] > op.input_end:
            raise _broken(op, "input", layout.first, op.input_end, "the end of its buffer")
        if op.input_end > layout.accumulators[0]:
            raise StreamError(
                f"SHRAM: input buffers to bank {op.input_end} reach into the accumulators from "
                f"bank {layout.accumulators[0]}",
                offset_bytes=op.offset_bytes,
            )
        parts = [("accumulators", layout.accumulators)]
        limit = layout.end
        order = "the tables" if op.lut is not None else "the end of SHRAM"
    for number, (name, banks) in enumerate(parts):
        until = parts[number + 1][1][0] if number + 1 < len(parts) else limit
        if banks[1] > until:
            where = parts[number + 1][0] if number + 1 < len(parts) else order
            raise _broken(op, name, banks, until, where)


def _broken(op: BlockOp, name: str, banks: tuple[int, int], limit: int, where: str) -> StreamError:
    return StreamError(
        f"SHRAM: {name} of {banks[1] - banks[0]} banks from bank {banks[0]} reaches beyond {where} "
        f"at bank {limit}",
        offset_bytes=op.offset_bytes,
    )


def _input_rows(op: BlockOp) -> tuple[int, int]:
    """Rows and columns of the input under one output block and one piece of the kernel."""
    block = ofm_block_of(op)
    if op.kind is OpKind.ELEMENTWISE:
        return block[0], block[1]
    shift = 2 if op.upscale else 1
    nearest = 1 if op.upscale == 1 else 0
    rows, columns = (
        divide_up((block[axis] - 1) * op.stride[axis] + piece + nearest, shift)
        for axis, piece in ((a, min(op.kernel[a], SUB_KERNEL)) for a in (0, 1))
    )
    return min(rows, op.ifm.shape[0]), min(columns, op.ifm.shape[1])


def _up(value: int, step: int) -> int:
    return divide_up(value, step) * step
