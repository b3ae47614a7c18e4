"""QUANTIZE and DEQUANTIZE."""

from __future__ import annotations

import struct

from npubench.compiler.graph import DType, Quantization, Tensor
from npubench.compiler.lower.site import Lowering, LoweringFunction, Site, read, write
from npubench.compiler.lower.table import requantize_table
from npubench.compiler.plan import Arg, KernelCall

_BYTES = (DType.INT8, DType.UINT8)


def _quantize(site: Site) -> Lowering:
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    if source.dtype is DType.FLOAT32 and target.dtype is DType.INT8:
        wanted = site.quantization(target, "the output")
        args = (read(source, "float"), write(target))
        return _call(site, "nb_quantize_f32_s8", source, target, wanted, args)
    site.require(
        source.dtype in _BYTES
        and target.dtype in _BYTES
        and (source.dtype, target.dtype) != (DType.UINT8, DType.UINT8),
        f"from {source.dtype} to {target.dtype}",
    )
    return requantize_table(site, source, target)


def _dequantize(site: Site) -> Lowering:
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
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
        source="quantize_f32.c",
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
