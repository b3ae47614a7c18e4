"""What the NPU is told to do: each command that computes as one frozen, complete description."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from npubench.npu.ethosu.isa import Cmd0


class OpKind(IntEnum):
    """What a block operation computes."""

    CONV = Cmd0.OP_CONV
    DEPTHWISE = Cmd0.OP_DEPTHWISE
    POOL = Cmd0.OP_POOL
    ELEMENTWISE = Cmd0.OP_ELEMENTWISE


class Pooling(IntEnum):
    """Parameter of OP_POOL."""

    MAX = 0
    AVERAGE = 1
    REDUCE_SUM = 2


class Elementwise(IntEnum):
    """Parameter of OP_ELEMENTWISE."""

    MUL = 0
    ADD = 1
    SUB = 2
    MIN = 3
    MAX = 4
    LRELU = 5
    ABS = 6
    CLZ = 7
    SHR = 8
    SHL = 9


UNARY = frozenset({Elementwise.LRELU, Elementwise.ABS, Elementwise.CLZ})


class Rounding(IntEnum):
    """Bits 14-15 of OFM_PRECISION."""

    TFL = 0
    TRUNCATE = 1
    NATURAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureMap:
    """A feature map in memory: up to four tiles, NHWC or bricks of 16 channels (NHCWB16).

    ``stride_y``, ``stride_x``, ``stride_c`` in bytes; ``bases`` are offsets in ``region``.
    """

    region: int
    bases: tuple[int, int, int, int]
    width0: int
    height0: int
    height1: int
    shape: tuple[int, int, int]
    stride_y: int
    stride_x: int
    stride_c: int
    bits: int
    signed: bool
    brick: bool
    zero_point: int

    @property
    def element_bytes(self) -> int:
        return self.bits // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A byte range of a region."""

    region: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOp:
    """One CONV, DEPTHWISE, POOL or ELEMENTWISE operation, complete.

    ``kernel``: dilated height and width; ``dilation``, ``stride``: y, x; ``pad``: top, left,
    bottom, right. ``block``: OFM block height, width, depth. ``activation``: function number,
    ``activation_range`` its minimum and maximum; ``lut``: table slot 0..7 or None. Scales are
    (multiplier, shift). ``weights1``, ``scales1``: what the second core of a U65-512 reads, that of
    every second channel. ``input_end``, ``input2_start``, ``accumulators_start``: where the buffers
    lie in SHRAM, in banks of 1 KB. ``blockdep``: block jobs that may be under way before the first
    of this operation reads its input.
    """

    offset_bytes: int
    kind: OpKind
    mode: int
    ifm: FeatureMap
    ifm2: FeatureMap | None
    ifm2_scalar: int | None
    ifm2_broadcast: int
    ofm: FeatureMap
    kernel: tuple[int, int]
    dilation: tuple[int, int]
    stride: tuple[int, int]
    part_kernel: bool
    pad: tuple[int, int, int, int]
    upscale: int
    weights: Range | None
    scales: Range | None
    weights1: Range | None
    scales1: Range | None
    ofm_scale: tuple[int, int]
    opa_scale: tuple[int, int]
    opb_scale: int
    scale_mode: int
    global_scale: bool
    rounding: Rounding
    activation: int
    activation_range: tuple[int, int]
    force_int8: bool
    lut: int | None
    block: tuple[int, int, int]
    acc_format: int
    blockdep: int
    input_end: int
    input2_start: int | None
    accumulators_start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DmaOp:
    """One DMA copy of ``length`` bytes. Destination region 0..7, or SHRAM when ``to_shram``."""

    offset_bytes: int
    source: Range
    target: Range
    to_shram: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitOp:
    """KERNEL_WAIT or DMA_WAIT: at most ``outstanding`` operations may be under way after it."""

    offset_bytes: int
    dma: bool
    outstanding: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOp:
    """The end of the stream."""

    offset_bytes: int
    mask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IrqOp:
    """An interrupt within the stream, once what comes before it is done. ``mask``: its bits of the
    IRQ history."""

    offset_bytes: int
    mask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PmuMaskOp:
    """Switches the performance counters within the stream, where PMCR lets it: ``counts`` from here
    on, or not."""

    offset_bytes: int
    counts: bool


Operation = BlockOp | DmaOp | WaitOp | IrqOp | PmuMaskOp | StopOp
