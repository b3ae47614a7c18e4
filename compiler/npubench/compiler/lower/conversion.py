"""QUANTIZE and DEQUANTIZE."""

from __future__ import annotations

import struct

from npubench.compiler.graph import DType, Quantization, Tensor
from npubench.compiler.lower.requant import single
from npubench.compiler.lower.site import Lowering, LoweringFunction, Site, read, write
from npubench.compiler.lower.table import requantize_table
from npubench.compiler.lower.weights import checked_multiplier
from npubench.compiler.plan import Arg, KernelCall

_BYTES = (DType.INT8, DType.UINT8)
_WIDTHS = frozenset(
    (
        (DType.INT8, DType.INT16),
        (DType.INT16, DType.INT8),
        (DType.INT16, DType.INT16),
        (DType.INT16, DType.INT32),
        (DType.INT8, DType.INT32),
        (DType.INT32, DType.INT8),
        (DType.INT32, DType.INT16),
    )
)
"""Pairs that the reference rescales."""


def _quantize(site: Site) -> Lowering:
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    if source.dtype is DType.FLOAT32 and target.dtype is DType.INT8:
        wanted = site.quantization(target, "the output")
        args = (read(source, "float"), write(target))
        return _call(site, "nb_quantize_f32_s8", source, target, wanted, args)
    if source.dtype is DType.FLOAT32 and target.dtype is DType.INT16:
        args = (read(source, "float"), write(target, "int16_t"))
        return _call(site, "nb_quantize_f32_s16", source, target, _affine(site, target), args)
    if source.dtype in _BYTES and target.dtype in _BYTES:
        site.require(
            (source.dtype, target.dtype) != (DType.UINT8, DType.UINT8),
            f"from {source.dtype} to {target.dtype}",
        )
        return requantize_table(site, source, target)
    site.require((source.dtype, target.dtype) in _WIDTHS, f"from {source.dtype} to {target.dtype}")
    return _rescale(site, source, target)


def _affine(site: Site, tensor: Tensor) -> Quantization:
    """One scale and zero point, of codes of any width."""
    quantization = tensor.quantization
    if quantization is None or len(quantization.scales) != 1:
        site.fail(f"tensor {tensor.index} has not one scale")
    return quantization


def _rescale(site: Site, source: Tensor, target: Tensor) -> Lowering:
    given, wanted = _affine(site, source), _affine(site, target)
    site.require(source.count == target.count, "input and output differ in size")
    multiplier, shift = checked_multiplier(site, single(given.scale) / single(wanted.scale))
    bits = 8 * target.dtype.size_bytes - 1
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_requantize",
        source="requantize.c",
        params_type="nb_requantize_params",
        params=(
            ("count", source.count),
            ("from_bytes", source.dtype.size_bytes),
            ("to_bytes", target.dtype.size_bytes),
            ("input_zero", given.zero_point),
            ("output_zero", wanted.zero_point),
            ("multiplier", multiplier),
            ("shift", shift),
            ("low", -(2**bits)),
            ("high", 2**bits - 1),
        ),
        args=(read(source, "uint8_t"), write(target, "uint8_t")),
    )
    return call, ()


def _dequantize(site: Site) -> Lowering:
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    if source.dtype is DType.INT16 and target.dtype is DType.FLOAT32:
        args = (read(source, "int16_t"), write(target, "float"))
        return _call(site, "nb_dequantize_s16_f32", source, target, _affine(site, source), args)
    site.require(
        source.dtype is DType.INT8 and target.dtype is DType.FLOAT32,
        f"from {source.dtype} to {target.dtype}",
    )
    given = site.quantization(source, "the input")
    args = (read(source), write(target, "float"))
    return _call(site, "nb_dequantize_s8_f32", source, target, given, args)


def _call(
    site: Site,
    kernel: str,
    source: Tensor,
    target: Tensor,
    quantization: Quantization,
    args: tuple[Arg, ...],
) -> Lowering:
    site.require(source.count == target.count, "input and output differ in size")
    (bits,) = struct.unpack("<I", struct.pack("<f", quantization.scale))
    call = KernelCall(
        op_index=site.op.index,
        kernel=kernel,
        source="requantize.c" if "s16" in kernel else "quantize_f32.c",
        params_type="nb_quantize_params",
        params=(
            ("count", source.count),
            ("scale_bits", bits),
            ("zero", quantization.zero_point),
        ),
        args=args,
    )
    return call, ()


LOWERINGS: dict[str, LoweringFunction] = {"QUANTIZE": _quantize, "DEQUANTIZE": _dequantize}
