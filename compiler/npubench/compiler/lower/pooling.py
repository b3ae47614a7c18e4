"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN."""

from __future__ import annotations

from functools import partial

from npubench.compiler.lower.activation import fused_range
from npubench.compiler.lower.average import DSP, MVE, average_pool
from npubench.compiler.lower.choice import fastest
from npubench.compiler.lower.reduce import groups_of
from npubench.compiler.lower.requant import INT32_MAX, quantize_multiplier, single
from npubench.compiler.lower.site import Choice, Lowering, LoweringFunction, Site, read, write
from npubench.compiler.lower.window import slide
from npubench.compiler.plan import KernelCall


def _pool(site: Site, kernel: str) -> Lowering:
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    site.same_quantization(source, target, "input and output")
    wide = site.is_wide()
    ctype = "int16_t" if wide else "int8_t"
    low, high = fused_range(site, site.codes(target, "the output"), wide=wide)
    size = (site.integer("filter_height", 1), site.integer("filter_width", 1))
    window = slide(site, source, target, size, dilated=False)
    site.require(source.shape[3] == target.shape[3], "input and output channels differ")
    site.require(not wide or size[0] * size[1] < 65536, f"a window of {size}")
    call = KernelCall(
        op_index=site.op.index,
        kernel=kernel.replace("_s8", "_s16") if wide else kernel,
        source="pool_s16.c" if wide else "pool_s8.c",
        params_type="nb_pool_s8_params",
        params=(
            ("batches", source.shape[0]),
            ("in_h", source.shape[1]),
            ("in_w", source.shape[2]),
            ("channels", source.shape[3]),
            ("out_h", target.shape[1]),
            ("out_w", target.shape[2]),
            ("window_h", size[0]),
            ("window_w", size[1]),
            ("stride_h", window.stride[0]),
            ("stride_w", window.stride[1]),
            ("pad_top", window.pad[0]),
            ("pad_left", window.pad[1]),
            ("low", low),
            ("high", high),
        ),
        args=(read(source, ctype), write(target, ctype)),
        choice=Choice(reason="", instructions=target.count * (6 * size[0] * size[1] + 25)),
    )
    return call, ()


def _average_pool(site: Site) -> Lowering:
    portable = _pool(site, "nb_average_pool_s8")
    if site.is_wide():
        return portable
    call, _ = portable
    assert isinstance(call, KernelCall)
    window = (site.integer("filter_height", 1), site.integer("filter_width", 1))
    offers = {
        kernel.flavour: partial(average_pool, site, call, kernel, window) for kernel in (MVE, DSP)
    }
    return fastest(site, offers, portable)


def _max_pool(site: Site) -> Lowering:
    return _pool(site, "nb_max_pool_s8")


def _mean(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    source, target = site.activation(0), site.output()
    given, wanted = site.codes(source, "the input"), site.codes(target, "the output")
    site.require(source.dtype is target.dtype, f"{source.dtype} to {target.dtype}")
    wide = site.is_wide()
    ctype = "int16_t" if wide else "int8_t"
    sizes, count = groups_of(site, source, target)
    largest = 65536 if wide else 256
    site.require(largest * count <= INT32_MAX, f"a mean of {count} values may exceed 32 bits")
    multiplier, shift = quantize_multiplier(single(given.scale) / single(wanted.scale))
    # The division by the count goes into the multiplier, as far as its bits allow.
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    multiplier = (multiplier << extra) // count
    shift -= extra
    site.require(shift <= 30, "its scales differ too much")
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_mean_s16" if wide else "nb_mean_s8",
        source="pool_s16.c" if wide else "mean_s8.c",
        params_type="nb_mean_s8_params",
        params=(
            *sizes.items(),
            ("offset", given.zero_point * count),
            ("multiplier", multiplier),
            ("shift", shift),
            ("output_zero", wanted.zero_point),
        ),
        args=(read(source, ctype), write(target, ctype)),
    )
    return call, ()


LOWERINGS: dict[str, LoweringFunction] = {
    "AVERAGE_POOL_2D": _average_pool,
    "MAX_POOL_2D": _max_pool,
    "MEAN": _mean,
}
