"""What the NPU computes: each operation in numpy over flat memory, in the stream's order.

Convolutions run as matrix products of floats, which are exact: every sum stays below 2**24 in
float32 and below 2**53 in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from npubench.npu.ethosu.config import Accelerator
from npubench.npu.ethosu.curves import sigmoid16, tanh16
from npubench.npu.ethosu.isa import StreamError
from npubench.npu.ethosu.memory import Regions, read_map, read_range, write_map
from npubench.npu.ethosu.operation import (
    BlockOp,
    DmaOp,
    Elementwise,
    FeatureMap,
    Operation,
    OpKind,
    Pooling,
    Rounding,
)
from npubench.npu.ethosu.rounding import half_away, half_up, scale
from npubench.npu.ethosu.weights import WeightStore, decode_scales

Values = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]

MAP_LIMIT_ELEMENTS = 1 << 24
WINDOW_LIMIT_ELEMENTS = 1 << 26
"""Far above what a network for this NPU holds; a broken stream can ask for any size."""
LUT_BYTES = 2048
LUT_SLOT_BYTES = 256
TANH, SIGMOID = 3, 4
"""Numbers of ACTIVATION: the curves of 16-bit outputs."""


class FunctionalCore:
    """Runs operations on regions of memory that the caller owns.

    One core per accelerator: it keeps the SHRAM's lookup tables and the decoded weights.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self._shram = np.zeros(accelerator.core_shram_bytes, dtype=np.uint8)
        self._weights = WeightStore(accelerator)

    def run(self, program: Sequence[Operation], regions: Regions) -> None:
        """Run a whole program. Raises StreamError at the first operation that cannot be run."""
        for operation in program:
            self.execute(operation, regions)

    def execute(self, operation: Operation, regions: Regions) -> None:
        """Run one operation; waits and the stop compute nothing. Raises StreamError."""
        try:
            if isinstance(operation, BlockOp):
                self._block(operation, regions)
            elif isinstance(operation, DmaOp):
                self._dma(operation, regions)
        except (ValueError, IndexError, OverflowError, MemoryError) as error:
            # Shapes and sizes that do not go together in a way that no check above names.
            raise StreamError(
                f"cannot be computed: {error}", offset_bytes=operation.offset_bytes
            ) from error

    def _dma(self, op: DmaOp, regions: Regions) -> None:
        source = read_range(regions, op.source, "DMA source", op.offset_bytes)
        if op.to_shram:
            end = op.target.offset + op.target.length
            if end > self._shram.size:
                raise StreamError(f"DMA to SHRAM ends at {end:#x}", offset_bytes=op.offset_bytes)
            self._shram[op.target.offset : end] = source
        else:
            target = read_range(regions, op.target, "DMA target", op.offset_bytes)
            target[:] = source.copy()

    def _block(self, op: BlockOp, regions: Regions) -> None:
        _check_size(op)
        if op.kind is OpKind.ELEMENTWISE:
            values = self._elementwise(op, regions)
        else:
            ifm = read_map(regions, op.ifm, "IFM", op.offset_bytes)
            if op.kind is OpKind.POOL:
                values = _pool(op, ifm)
            else:
                values = self._convolution(op, ifm, regions)
        values = self._activate(op, values)
        if values.shape != op.ofm.shape:
            raise StreamError(
                f"computes {values.shape} for an OFM of {op.ofm.shape}",
                offset_bytes=op.offset_bytes,
            )
        write_map(regions, op.ofm, values, "OFM", op.offset_bytes)

    # --- convolutions ----------------------------------------------------------------------------

    def _convolution(self, op: BlockOp, ifm: Values, regions: Regions) -> Values:
        assert op.weights is not None
        assert op.scales is not None
        parts = (op.weights,) if op.weights1 is None else (op.weights, op.weights1)
        streams = tuple(
            read_range(regions, part, "weights", op.offset_bytes).tobytes() for part in parts
        )
        weights = self._weights.weights(op, streams)
        windows = _windows(op, _centred(op.ifm, ifm).astype(weights.dtype))
        height, width, kernel_h, kernel_w, depth = windows.shape
        if op.kind is OpKind.CONV:
            columns = windows.reshape(height * width, kernel_h * kernel_w * depth)
            sums = columns @ weights.reshape(weights.shape[0], -1).T
        else:
            if depth != op.ofm.shape[2]:
                raise StreamError(
                    f"depthwise from {depth} to {op.ofm.shape[2]} channels",
                    offset_bytes=op.offset_bytes,
                )
            sums = np.einsum(
                "hwyxc,yxc->hwc", windows, weights[:, :, :, 0].transpose(1, 2, 0), optimize=False
            )
        accumulators = np.rint(sums).astype(np.int64).reshape(op.ofm.shape)
        bias, multiplier, shift = _channel_scales(op, regions)
        accumulators += bias
        if op.global_scale:
            return scale(accumulators, op.ofm_scale[0], op.ofm_scale[1], op.rounding)
        return scale(accumulators, multiplier, shift, op.rounding)

    # --- elementwise -----------------------------------------------------------------------------

    def _elementwise(self, op: BlockOp, regions: Regions) -> Values:
        mode = Elementwise(op.mode)
        a = _centred(op.ifm, read_map(regions, op.ifm, "IFM", op.offset_bytes))
        if op.ifm2 is not None:
            b = _centred(op.ifm2, read_map(regions, op.ifm2, "IFM2", op.offset_bytes))
        elif op.ifm2_scalar is not None:
            b = np.array([[[op.ifm2_scalar]]], dtype=np.int64)
        else:
            b = np.zeros((1, 1, 1), dtype=np.int64)
        if op.ifm2_broadcast & 0x40:
            a, b = b, a
        result = _combine(op, mode, a, b)
        return np.broadcast_to(result, op.ofm.shape).copy()

    # --- output ----------------------------------------------------------------------------------

    def _activate(self, op: BlockOp, values: Values) -> Values:
        low, high = op.activation_range
        if op.ofm.bits == 32 and not op.force_int8:
            # Saturates: the last doubling of Vela's softmax over equal values needs it.
            return np.clip(values, *_limits(op.ofm))
        if op.activation in (TANH, SIGMOID):
            # The curve takes what the scaling gives, before any clamp.
            values = tanh16(values) if op.activation == TANH else sigmoid16(values)
        values = np.clip(values + op.ofm.zero_point, low, high)
        if op.lut is not None:
            return self._lookup(op, values)
        limits = _limits(op.ofm)
        return np.clip(values, *limits)

    def _lookup(self, op: BlockOp, values: Values) -> Values:
        assert op.lut is not None
        begin = self._shram.size - LUT_BYTES + op.lut * LUT_SLOT_BYTES
        table = self._shram[begin:]
        if op.ofm.bits == 16:
            return _lookup16(table, values, op.offset_bytes)
        if op.ofm.bits == 8:
            entries = table[:256].view(np.int8 if op.ofm.signed else np.uint8).astype(np.int64)
        elif op.ofm.bits == 32 and table.size >= 1024:
            entries = table[:1024].view("<i4").astype(np.int64)
        else:
            raise StreamError(
                f"a table for {op.ofm.bits}-bit output at slot {op.lut}",
                offset_bytes=op.offset_bytes,
            )
        offset = 128 if op.ofm.signed else 0
        return entries[np.clip(values + offset, 0, 255)]


def _channel_scales(op: BlockOp, regions: Regions) -> tuple[Values, Values, Values]:
    """(bias, multiplier, shift) of each output channel; two cores take channels by turns."""
    assert op.scales is not None
    depth = op.ofm.shape[2]
    parts = (op.scales,) if op.scales1 is None else (op.scales, op.scales1)
    found = [np.zeros(depth, dtype=np.int64) for _ in range(3)]
    for core, part in enumerate(parts):
        data = read_range(regions, part, "scales", op.offset_bytes)
        count = -(-(depth - core) // len(parts))
        for target, values in zip(found, decode_scales(data, count, op.offset_bytes), strict=True):
            target[core :: len(parts)] = values
    return found[0], found[1], found[2]


def _check_size(op: BlockOp) -> None:
    """Raise StreamError for an operation that would take memory or time without end."""
    for what, fmap in (("IFM", op.ifm), ("IFM2", op.ifm2), ("OFM", op.ofm)):
        if fmap is not None and prod(fmap.shape) > MAP_LIMIT_ELEMENTS:
            raise StreamError(f"{what} of {fmap.shape} elements", offset_bytes=op.offset_bytes)
    if op.kind is OpKind.ELEMENTWISE:
        return
    kernel = ((op.kernel[0] - 1) // op.dilation[0] + 1) * ((op.kernel[1] - 1) // op.dilation[1] + 1)
    window = op.ofm.shape[0] * op.ofm.shape[1] * kernel * op.ifm.shape[2]
    if window > WINDOW_LIMIT_ELEMENTS or window * op.ofm.shape[2] > WINDOW_LIMIT_ELEMENTS << 10:
        raise StreamError(
            f"a kernel of {op.kernel} over {op.ofm.shape}", offset_bytes=op.offset_bytes
        )


def _lookup16(table: npt.NDArray[np.uint8], values: Values, offset_bytes: int) -> Values:
    """512 entries of base and slope (16 bits each), 7 bits of interpolation."""
    if table.size < 2048:
        raise StreamError("a 16-bit table must begin at slot 0", offset_bytes=offset_bytes)
    words = table[:2048].view("<u4").astype(np.int64)
    base = (words & 0xFFFF).astype(np.uint16).view(np.int16).astype(np.int64)
    slope = (words >> 16).astype(np.uint16).view(np.int16).astype(np.int64)
    index = (values >> 7) + 256
    fraction = values & 0x7F
    result = base[index] + ((slope[index] * fraction + 64) >> 7)
    return np.asarray(np.clip(result, -32768, 32767), dtype=np.int64)


def _centred(fmap: FeatureMap, values: Values) -> Values:
    """Values with the zero point taken off; 32-bit maps have none."""
    return values if fmap.bits == 32 else values - fmap.zero_point


def _limits(fmap: FeatureMap) -> tuple[int, int]:
    if fmap.bits == 32:
        return -(2**31), 2**31 - 1
    if fmap.signed:
        return -(1 << (fmap.bits - 1)), (1 << (fmap.bits - 1)) - 1
    return 0, (1 << fmap.bits) - 1


def _wrap32(values: Values) -> Values:
    return ((values + 2**31) & 0xFFFFFFFF) - 2**31


def _upscaled(op: BlockOp, values: Floats) -> Floats:
    """The input after upscaling: 1 repeats each value, 2 puts zeros between them."""
    if op.upscale == 0:
        return values
    height, width, depth = values.shape
    if op.upscale == 1:
        return values.repeat(2, axis=0).repeat(2, axis=1)
    spread = np.zeros((height * 2, width * 2, depth), dtype=values.dtype)
    spread[::2, ::2] = values
    return spread


def _windows(op: BlockOp, values: Floats, fill: float = 0.0) -> Floats:
    """Kernel windows, shape (oh, ow, kh, kw, depth), padded with ``fill``; a view."""
    values = _upscaled(op, values)
    top, left, bottom, right = op.pad
    oh, ow, _ = op.ofm.shape
    need_h = (oh - 1) * op.stride[0] + op.kernel[0]
    need_w = (ow - 1) * op.stride[1] + op.kernel[1]
    bottom = max(bottom, need_h - top - values.shape[0])
    right = max(right, need_w - left - values.shape[1])
    padded = np.pad(values, ((top, bottom), (left, right), (0, 0)), constant_values=fill)
    sy, sx, sc = padded.strides
    kernel_h = (op.kernel[0] - 1) // op.dilation[0] + 1
    kernel_w = (op.kernel[1] - 1) // op.dilation[1] + 1
    return np.lib.stride_tricks.as_strided(
        padded,
        shape=(oh, ow, kernel_h, kernel_w, padded.shape[2]),
        strides=(
            sy * op.stride[0],
            sx * op.stride[1],
            sy * op.dilation[0],
            sx * op.dilation[1],
            sc,
        ),
        writeable=False,
    )


def _pool(op: BlockOp, ifm: Values) -> Values:
    mode = Pooling(op.mode)
    centred = _centred(op.ifm, ifm).astype(np.float64)
    if mode is Pooling.REDUCE_SUM:
        sums = np.rint(_windows(op, centred)[:, :, 0, 0].sum(axis=2, keepdims=True))
        return _scaled(op, sums.astype(np.int64))
    if mode is Pooling.MAX:
        # The least value there is: a window of padding alone (a stream can ask for one) has it.
        least = float(_limits(op.ifm)[0] - (0 if op.ifm.bits == 32 else op.ifm.zero_point))
        windows = _windows(op, centred, fill=least)
        return _scaled(op, windows.max(axis=(2, 3)).astype(np.int64))
    sums = np.rint(_windows(op, centred).sum(axis=(2, 3))).astype(np.int64)
    if any(op.pad):
        valid = np.rint(_windows(op, np.ones_like(centred)).sum(axis=(2, 3))).astype(np.int64)
        half = valid // 2
        mean = np.where(sums >= 0, (sums + half) // valid, -((-sums + half) // valid))
        return np.asarray(mean, dtype=np.int64)
    return _scaled(op, sums)


def _scaled(op: BlockOp, values: Values) -> Values:
    """The output scale, where the operation has one."""
    if not op.global_scale:
        return values
    return scale(values, op.ofm_scale[0], op.ofm_scale[1], op.rounding)


def _combine(op: BlockOp, mode: Elementwise, a: Values, b: Values) -> Values:
    if mode in (Elementwise.ADD, Elementwise.SUB):
        a, b = _operand_scales(op, a, b)
        return _scaled(op, a + b if mode is Elementwise.ADD else a - b)
    if mode is Elementwise.MUL:
        product = a * b
        if op.ifm.bits == 32:
            return _shift_only(op, product)
        return _scaled(op, product)
    if mode is Elementwise.MIN:
        return _scaled(op, np.minimum(a, b))
    if mode is Elementwise.MAX:
        return _scaled(op, np.maximum(a, b))
    if mode is Elementwise.ABS:
        return _scaled(op, np.abs(a))
    if mode is Elementwise.LRELU:
        return np.where(a >= 0, a, _scaled(op, a))
    if mode is Elementwise.CLZ:
        return _leading_zeros(a)
    if mode is Elementwise.SHR:
        return half_up(a, b) if op.rounding is not Rounding.TRUNCATE else a >> b
    return _wrap32(a << np.clip(b, 0, 31))


def _operand_scales(op: BlockOp, a: Values, b: Values) -> tuple[Values, Values]:
    """ADD and SUB: mode 0 scales both operands by 16 bits; 1 and 2 scale one by 32 bits and shift
    the other left by what remains of TFLite's headroom."""
    if not op.global_scale and op.ifm.bits == 32:
        return a, b
    left = 19 if op.ifm.bits == 8 else 14
    if op.scale_mode == 0:
        return a * (op.opa_scale[0] & 0xFFFF), b * (op.opb_scale & 0xFFFF)
    if op.scale_mode == 1:
        return scale(a, op.opa_scale[0], op.opa_scale[1], op.rounding), b << left
    return a << left, scale(b, op.opa_scale[0], op.opa_scale[1], op.rounding)


def _shift_only(op: BlockOp, product: Values) -> Values:
    """32-bit MUL ignores the scale's multiplier: only its shift counts, rounded twice above 31."""
    shift = np.asarray(op.ofm_scale[1] if op.global_scale else 0, dtype=np.int64)
    first = half_up(product, np.minimum(shift, 31))
    return half_away(first, np.maximum(shift - 31, 0))


def _leading_zeros(values: Values) -> Values:
    unsigned = values & 0xFFFFFFFF
    bits = np.zeros_like(unsigned)
    for position in range(32):
        bits = np.where(unsigned >> position & 1, position + 1, bits)
    return 32 - bits
