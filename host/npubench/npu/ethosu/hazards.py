"""What would go wrong in hardware alone: missing waits, a BLOCKDEP too large, buffers that overlap.

DMA and block operations run side by side, and only waits order them; block operations overlap as
far as BLOCKDEP lets them. The functional core runs a stream strictly in order, without buffers, and
would hide all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from npubench.npu.ethosu.config import PRODUCT_U55, PRODUCT_U65, Accelerator
from npubench.npu.ethosu.dependency import check_dependency
from npubench.npu.ethosu.isa import StreamError
from npubench.npu.ethosu.operation import BlockOp, DmaOp, FeatureMap, Operation, Range, WaitOp
from npubench.npu.ethosu.shram import check_layout

SHRAM: Final = -1
"""Region number of the NPU's own memory, which holds the lookup tables."""
LUT_BYTES: Final = 2048
LUT_SLOT_BYTES: Final = 256
KERNELS_OUTSTANDING: Final = 2
COPIES_OUTSTANDING: Final = {PRODUCT_U55: 1, PRODUCT_U65: 2}
"""What the hardware takes before it waits on its own; copies by product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Access:
    """Bytes begin..end of a region."""

    region: int
    begin: int
    end: int
    writes: bool

    def collides(self, other: _Access) -> bool:
        return (
            self.region == other.region
            and (self.writes or other.writes)
            and self.begin < other.end
            and other.begin < self.end
        )


def check_hazards(program: Sequence[Operation], accelerator: Accelerator) -> None:
    """Raise StreamError when an operation may run before a DMA, or a DMA before an operation, on
    whose bytes it depends; when a block operation may run before the one ahead of it has written
    its input; and when its buffers do not fit SHRAM. Copies are ordered by the channel that makes
    them."""
    tables = accelerator.core_shram_bytes - LUT_BYTES
    kernels: list[tuple[_Access, ...]] = []
    copies: list[tuple[_Access, ...]] = []
    before: BlockOp | None = None
    for operation in program:
        if isinstance(operation, BlockOp):
            check_layout(operation, accelerator)
            if before is not None:
                check_dependency(before, operation, accelerator)
            before = operation
        if isinstance(operation, WaitOp):
            if not operation.dma and operation.outstanding == 0:
                before = None
            queue = copies if operation.dma else kernels
            del queue[: max(0, len(queue) - operation.outstanding)]
        elif isinstance(operation, BlockOp | DmaOp):
            mine, other, limit = (
                (copies, kernels, COPIES_OUTSTANDING[accelerator.product])
                if isinstance(operation, DmaOp)
                else (kernels, copies, KERNELS_OUTSTANDING)
            )
            accesses = tuple(_accesses(operation, tables))
            for earlier in other:
                if any(one.collides(two) for one in accesses for two in earlier):
                    raise StreamError(
                        "uses memory that an operation still under way uses: a wait is missing",
                        offset_bytes=operation.offset_bytes,
                    )
            mine.append(accesses)
            del mine[: max(0, len(mine) - limit)]


def written(operation: Operation) -> Iterator[tuple[int, int, int]]:
    """(region, begin, end) of the bytes of memory that an operation writes."""
    if isinstance(operation, BlockOp):
        for access in _map(operation.ofm, writes=True):
            yield access.region, access.begin, access.end
    elif isinstance(operation, DmaOp) and not operation.to_shram:
        target = _range(operation.target, writes=True)
        yield target.region, target.begin, target.end


def _accesses(operation: BlockOp | DmaOp, tables: int) -> Iterator[_Access]:
    """Memory that an operation touches; ``tables`` is where lookup tables begin in SHRAM."""
    if isinstance(operation, DmaOp):
        yield _range(operation.source, writes=False)
        target = _range(operation.target, writes=True)
        if operation.to_shram:
            target = _Access(region=SHRAM, begin=target.begin, end=target.end, writes=True)
        yield target
        return
    yield from _map(operation.ifm, writes=False)
    if operation.ifm2 is not None:
        yield from _map(operation.ifm2, writes=False)
    for part in (operation.weights, operation.scales, operation.weights1, operation.scales1):
        if part is not None:
            yield _range(part, writes=False)
    if operation.lut is not None:
        begin = tables + operation.lut * LUT_SLOT_BYTES
        size = LUT_SLOT_BYTES * {8: 1, 16: 8, 32: 4}[operation.ofm.bits]
        yield _Access(region=SHRAM, begin=begin, end=begin + size, writes=False)
    yield from _map(operation.ofm, writes=True)


def _range(where: Range, *, writes: bool) -> _Access:
    return _Access(
        region=where.region, begin=where.offset, end=where.offset + where.length, writes=writes
    )


def _map(fmap: FeatureMap, *, writes: bool) -> Iterator[_Access]:
    """The span of each tile in use."""
    height, width, depth = fmap.shape
    left = min(fmap.width0, width)
    for tile, (rows, columns) in enumerate(
        (
            (min(fmap.height0, height), left),
            (min(fmap.height1, height), width - left),
            (height - min(fmap.height0, height), left),
            (height - min(fmap.height1, height), width - left),
        )
    ):
        if rows <= 0 or columns <= 0:
            continue
        steps = [(rows - 1) * fmap.stride_y, (columns - 1) * fmap.stride_x]
        if fmap.brick:
            steps.append((depth - 1) // 16 * fmap.stride_c)
        run = (16 if fmap.brick else depth) * fmap.element_bytes
        base = fmap.bases[tile]
        yield _Access(
            region=fmap.region,
            begin=base + sum(min(0, step) for step in steps),
            end=base + sum(max(0, step) for step in steps) + run,
            writes=writes,
        )
