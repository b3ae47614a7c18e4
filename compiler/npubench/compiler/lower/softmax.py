"""SOFTMAX."""

from __future__ import annotations

from npubench.compiler.graph import DType
from npubench.compiler.lower import wide_activation
from npubench.compiler.lower.requant import quantize_multiplier, single
from npubench.compiler.lower.site import Lowering, LoweringFunction, Site, read, write
from npubench.compiler.plan import KernelCall

_INTEGER_BITS = 5
_LARGEST_DEPTH = 4095  # the sum of exponentials is Q12.19


def _softmax(site: Site) -> Lowering:
    if site.is_wide():
        return wide_activation.softmax(site)
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    given = site.quantization(source, "the input")
    wide = target.dtype is DType.INT16
    wanted = target.quantization if wide else site.quantization(target, "the output")
    scale, zero = (1 / 65536, -32768) if wide else (1 / 256, -128)
    # Of the wide form the reference takes what is near.
    slack = scale / 1000 if wide else 0.0
    if wanted is None:
        site.fail("its output is not quantized")
    site.require(
        abs(wanted.scale - scale) <= slack and wanted.zero_point == zero,
        f"its output has scale {wanted.scale} and zero point {wanted.zero_point}, "
        f"not {scale} and {zero}",
    )
    site.require(
        source.shape == target.shape and len(source.shape) >= 1,
        f"shapes {list(source.shape)} and {list(target.shape)}",
    )
    depth = source.shape[-1]
    site.require(depth <= _LARGEST_DEPTH, f"rows of {depth} values, at most {_LARGEST_DEPTH}")
    beta = single(site.number("beta", 0.0))
    real = min(beta * single(given.scale) * (1 << (31 - _INTEGER_BITS)), 2.0**31 - 1.0)
    site.require(real > 1.0, f"beta is {beta} and the input's scale {given.scale}")
    multiplier, left_shift = quantize_multiplier(real)
    largest = ((1 << _INTEGER_BITS) - 1) * (1 << (31 - _INTEGER_BITS)) // (1 << left_shift)
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_softmax_s8_s16" if wide else "nb_softmax_s8",
        source="softmax_s8.c",
        params_type="nb_softmax_s8_params",
        params=(
            ("rows", source.count // depth),
            ("depth", depth),
            ("multiplier", multiplier),
            ("left_shift", left_shift),
            ("diff_min", -largest),
        ),
        args=(read(source), write(target, "int16_t" if wide else "int8_t")),
    )
    return call, ()


LOWERINGS: dict[str, LoweringFunction] = {"SOFTMAX": _softmax}
