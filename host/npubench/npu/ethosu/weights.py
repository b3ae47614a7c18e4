"""Weights and scales as the NPU reads them: decoded, put back in order, kept.

The stream's bit format is decoded by Vela's own codec, which whoever has such a stream can install;
the order of the weights follows the accelerator's micro-blocks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from npubench.npu.ethosu.codec import SHARED, BrokenStream
from npubench.npu.ethosu.config import Accelerator
from npubench.npu.ethosu.isa import StreamError, StreamFault
from npubench.npu.ethosu.operation import BlockOp, OpKind

Weights = npt.NDArray[np.floating[Any]]

SCALE_BYTES = 10


@lru_cache(maxsize=1024)
def _order(
    accelerator: Accelerator,
    shape: tuple[int, int, int, int],
    *,
    depthwise: bool,
    part_kernel: bool,
    block_depth: int,
    ifm_bits: int,
    dilation: tuple[int, int],
) -> npt.NDArray[np.int64]:
    """Flat index into (ofm, ky, kx, ifm) for each weight of the stream; -1 where it is padding."""
    ofm_depth, kernel_h, kernel_w, ifm_depth = shape
    ofm_step = accelerator.ublock[2]
    ifm_step = accelerator.ifm_ublock_depth
    ifm_block = 16 if part_kernel or ifm_bits == 16 else 32
    sub_h_max, sub_w_max = 8 // dilation[0], 8 // dilation[1]
    parts: list[npt.NDArray[np.int64]] = []
    for ofm_block in range(0, ofm_depth, block_depth):
        ofm_count = min(block_depth, ofm_depth - ofm_block)
        ofm = _lanes(ofm_block, ofm_count, ofm_step)
        for ifm_block_z in range(0, 1 if depthwise else ifm_depth, ifm_block):
            # Depth first fills the last IFM block; part-kernel first stops at its last micro-block.
            count = min(ifm_block, ifm_depth - ifm_block_z) if part_kernel else ifm_block
            ifm = (
                np.array([[0]], dtype=np.int64)
                if depthwise
                else _lanes(ifm_block_z, count, ifm_step)
            )
            for sub_y in range(0, kernel_h, sub_h_max):
                for sub_x in range(0, kernel_w, sub_w_max):
                    parts.append(
                        _subkernel(
                            shape,
                            ofm,
                            ifm,
                            (sub_y, min(sub_h_max, kernel_h - sub_y)),
                            (sub_x, min(sub_w_max, kernel_w - sub_x)),
                            depthwise=depthwise,
                            part_kernel=part_kernel,
                            ifm_bits=ifm_bits,
                        )
                    )
    return np.concatenate(parts)


def _lanes(first: int, count: int, step: int) -> npt.NDArray[np.int64]:
    """Channels first..first+count in groups of ``step``, the last group filled with later ones."""
    groups = -(-count // step)
    return first + np.arange(groups * step, dtype=np.int64).reshape(groups, step)


def _subkernel(
    shape: tuple[int, int, int, int],
    ofm: npt.NDArray[np.int64],
    ifm: npt.NDArray[np.int64],
    rows: tuple[int, int],
    columns: tuple[int, int],
    *,
    depthwise: bool,
    part_kernel: bool,
    ifm_bits: int,
) -> npt.NDArray[np.int64]:
    ofm_depth, kernel_h, kernel_w, ifm_depth = shape
    elements = rows[1] * columns[1]
    multiple = (2 if ifm_bits == 16 else 4) if part_kernel else (4 if depthwise else 1)
    padded = -(-elements // multiple) * multiple
    element = np.arange(padded, dtype=np.int64)
    ky = rows[0] + element // columns[1]
    kx = columns[0] + element % columns[1]
    inside = element < elements
    # Axes, slowest first: ifm group (outer, part-kernel only), ofm group, element,
    # ifm group (inner), ofm lane, ifm lane.
    ifm_axis = ifm.reshape(ifm.shape[0], 1, 1, 1, 1, ifm.shape[1])
    if not part_kernel:
        ifm_axis = ifm.reshape(1, 1, 1, ifm.shape[0], 1, ifm.shape[1])
    ofm_axis = ofm.reshape(1, ofm.shape[0], 1, 1, ofm.shape[1], 1)
    shape6 = (1, 1, padded, 1, 1, 1)
    index = (
        (ofm_axis * kernel_h + ky.reshape(shape6)) * kernel_w + kx.reshape(shape6)
    ) * ifm_depth + ifm_axis
    valid = (ofm_axis < ofm_depth) & (ifm_axis < ifm_depth) & inside.reshape(shape6)
    return np.asarray(np.where(valid, index, -1), dtype=np.int64).reshape(-1)


class WeightStore:
    """Decoded weights and scales, kept by the stream's bytes and shape: they are constants."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._weights: dict[tuple[Any, ...], Weights] = {}

    def weights(self, op: BlockOp, streams: tuple[bytes, ...]) -> Weights:
        """Weights as floats in which the convolution is exact, float32 or float64, shape (ofm, kh,
        kw, ifm); depthwise has ifm = 1. ``streams``: one per core, which take channels by turns.

        Raises StreamError when a stream does not hold what the operation needs.
        """
        depthwise = op.kind is OpKind.DEPTHWISE
        kernel_h = (op.kernel[0] - 1) // op.dilation[0] + 1
        kernel_w = (op.kernel[1] - 1) // op.dilation[1] + 1
        shape = (op.ofm.shape[2], kernel_h, kernel_w, 1 if depthwise else op.ifm.shape[2])
        key = (streams, shape, op.part_kernel, op.block[2], op.ifm.bits, op.dilation, depthwise)
        found = self._weights.get(key)
        if found is None:
            flat = np.zeros(shape, dtype=np.float64)
            cores = len(streams)
            for core, stream in enumerate(streams):
                flat[core::cores] = self._core(
                    op,
                    stream,
                    (-(-(shape[0] - core) // cores), *shape[1:]),
                    -(-(op.block[2] - core) // cores),
                )
            found = self._weights[key] = _narrowed(flat, op.ifm.bits)
        return found

    def _core(
        self, op: BlockOp, stream: bytes, shape: tuple[int, int, int, int], block_depth: int
    ) -> Weights:
        """One core's weights, in ``shape``."""
        order = _order(
            self._accelerator,
            shape,
            depthwise=op.kind is OpKind.DEPTHWISE,
            part_kernel=op.part_kernel,
            block_depth=block_depth,
            ifm_bits=op.ifm.bits,
            dilation=op.dilation,
        )
        decoded = decode_stream(stream, op.offset_bytes)
        if decoded.size < order.size:
            raise StreamError(
                f"{decoded.size} weights decoded, {order.size} needed",
                offset_bytes=op.offset_bytes,
                fault=StreamFault.WEIGHTS,
            )
        flat = np.zeros(int(np.prod(shape)), dtype=np.float64)
        valid = order >= 0
        flat[order[valid]] = decoded[: order.size][valid]
        return flat.reshape(shape)


def _narrowed(weights: Weights, ifm_bits: int) -> Weights:
    """As float32 where that is exact too, which is twice as fast: no partial sum of any channel,
    whatever the input, may reach 2**24."""
    largest = float(np.abs(weights).sum(axis=(1, 2, 3)).max(initial=0.0)) * 2.0 ** (ifm_bits + 1)
    return weights.astype(np.float32) if largest < 2.0**24 else weights


def decode_stream(stream: bytes, offset_bytes: int) -> npt.NDArray[np.int64]:
    """Decode a compressed weight stream. Raises StreamError when it is not one."""
    try:
        raw = SHARED.decode(stream)
    except BrokenStream as error:
        raise StreamError(
            f"the weight stream cannot be decoded: {error}",
            offset_bytes=offset_bytes,
            fault=StreamFault.WEIGHTS,
        ) from error
    return np.frombuffer(raw, dtype="<i2").astype(np.int64)


def decode_scales(
    data: npt.NDArray[np.uint8], count: int, offset_bytes: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(bias, multiplier, shift) of ``count`` channels, ten bytes each: 40-bit signed bias, 32-bit
    multiplier, 6-bit shift."""
    if data.size < count * SCALE_BYTES:
        raise StreamError(
            f"{data.size} bytes of scales for {count} channels", offset_bytes=offset_bytes
        )
    rows = data[: count * SCALE_BYTES].reshape(count, SCALE_BYTES).astype(np.int64)
    powers = np.int64(1) << (8 * np.arange(5, dtype=np.int64))
    bias = rows[:, :5] @ powers
    bias = np.where(bias >= 1 << 39, bias - (1 << 40), bias)
    multiplier = rows[:, 5:9] @ powers[:4]
    return bias, multiplier, rows[:, 9] & 0x3F
