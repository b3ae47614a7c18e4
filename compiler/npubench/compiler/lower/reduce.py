"""SUM, REDUCE_MAX, REDUCE_MIN, ARG_MAX, ARG_MIN and L2_NORMALIZATION."""

from __future__ import annotations

from functools import partial

from npubench.compiler.graph import DType, Tensor
from npubench.compiler.lower.requant import INT32_MAX, single
from npubench.compiler.lower.site import Choice, Lowering, LoweringFunction, Site, read, write
from npubench.compiler.lower.weights import checked_multiplier
from npubench.compiler.plan import KernelCall, ParamValue


def groups_of(site: Site, source: Tensor, target: Tensor) -> tuple[dict[str, ParamValue], int]:
    """The five sizes in which kept and reduced dimensions take turns, and how many values make
    one of the output's."""
    rank = len(source.shape)
    axes = set()
    for axis in site.integers(1, "its axis"):
        site.require(-rank <= axis < rank, f"axis {axis} of {rank} dimensions")
        axes.add(axis % rank)
    count = 1
    groups: list[tuple[bool, int]] = []  # (reduced, size), neighbours of one kind merged
    for axis, size in enumerate(source.shape):
        reduced = axis in axes
        count *= size if reduced else 1
        if size == 1:
            continue
        if groups and groups[-1][0] == reduced:
            groups[-1] = (reduced, groups[-1][1] * size)
        else:
            groups.append((reduced, size))
    if groups and groups[0][0]:
        groups.insert(0, (False, 1))
    site.require(len(groups) <= 5, f"axes {sorted(axes)} of shape {list(source.shape)}")
    sizes = [size for _, size in groups] + [1] * (5 - len(groups))
    site.require(target.count == sizes[0] * sizes[2] * sizes[4], "its output has another size")
    names = ("keep0", "reduce0", "keep1", "reduce1", "keep2")
    return dict(zip(names, sizes, strict=True)), count


def _sum(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    source, target = site.activation(0), site.output()
    given, wanted = site.codes(source, "the input"), site.codes(target, "the output")
    site.require(source.dtype is target.dtype, f"{source.dtype} to {target.dtype}")
    wide = site.is_wide()
    params, count = groups_of(site, source, target)
    site.require(
        (65536 if wide else 256) * count <= INT32_MAX, f"a sum of {count} values may exceed 32 bits"
    )
    multiplier, shift = checked_multiplier(site, single(given.scale) / single(wanted.scale))
    params |= {
        "offset": given.zero_point * count,
        "multiplier": multiplier,
        "shift": shift,
        "output_zero": wanted.zero_point,
    }
    file = "pool_s16.c" if wide else "mean_s8.c"
    return _reduction(site, "nb_mean_s8", file, source, target, params)


def _extreme(site: Site, sign: int) -> Lowering:
    site.arity(inputs=(2,))
    source, target = site.activation(0), site.output()
    site.quantization(source, "the input")
    site.same_quantization(source, target, "input and output")
    params, _ = groups_of(site, source, target)
    return _reduction(site, "nb_reduce_s8", "reduce_s8.c", source, target, params | {"sign": sign})


def _reduction(
    site: Site,
    kernel: str,
    file: str,
    source: Tensor,
    target: Tensor,
    params: dict[str, ParamValue],
) -> Lowering:
    wide = site.is_wide()
    ctype = "int16_t" if wide else "int8_t"
    call = KernelCall(
        op_index=site.op.index,
        kernel=kernel.replace("_s8", "_s16") if wide else kernel,
        source=file,
        params_type=f"{kernel}_params",
        params=tuple(params.items()),
        args=(read(source, ctype), write(target, ctype)),
        choice=Choice(reason="", instructions=6 * source.count + 20 * target.count),
    )
    return call, ()


def _arg(site: Site, sign: int) -> Lowering:
    site.arity(inputs=(2,))
    source, target = site.activation(0), site.output()
    site.require(source.dtype is DType.INT8, f"its input is {source.dtype}, not int8")
    site.require(target.dtype is DType.INT32, f"its output is {target.dtype}, not int32")
    (axis, *rest) = site.integers(1, "its axis")
    rank = len(source.shape)
    site.require(not rest and -rank <= axis < rank, f"axis {axis} of {rank} dimensions")
    axis %= rank
    outer = inner = 1
    for size in source.shape[:axis]:
        outer *= size
    for size in source.shape[axis + 1 :]:
        inner *= size
    site.require(target.count == outer * inner, "its output has another size")
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_arg_s8",
        source="reduce_s8.c",
        params_type="nb_arg_s8_params",
        params=(("outer", outer), ("axis", source.shape[axis]), ("inner", inner), ("sign", sign)),
        args=(read(source), write(target, "int32_t")),
        choice=Choice(reason="", instructions=6 * source.count + 10 * target.count),
    )
    return call, ()


def _l2_normalization(site: Site) -> Lowering:
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    given, wanted = site.quantization(source, "the input"), site.quantization(target, "the output")
    activation = site.word("fused_activation_function", "NONE")
    site.require(activation == "NONE", f"its activation is {activation}")
    site.require(
        wanted.scale == 1 / 128 and wanted.zero_point == 0,
        f"its output has scale {wanted.scale} and zero point {wanted.zero_point}, not 1/128 and 0",
    )
    site.require(source.shape == target.shape, "input and output differ in shape")
    depth = source.shape[-1]
    site.require(depth <= 2**15, f"rows of {depth} values may exceed 32 bits")
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_l2_normalization_s8",
        source="l2_normalization_s8.c",
        params_type="nb_l2_normalization_s8_params",
        params=(
            ("rows", source.count // depth),
            ("depth", depth),
            ("input_zero", given.zero_point),
        ),
        args=(read(source), write(target)),
        choice=Choice(reason="", instructions=20 * source.count),
    )
    return call, ()


LOWERINGS: dict[str, LoweringFunction] = {
    "SUM": _sum,
    "REDUCE_MAX": partial(_extreme, sign=1),
    "REDUCE_MIN": partial(_extreme, sign=-1),
    "ARG_MAX": partial(_arg, sign=1),
    "ARG_MIN": partial(_arg, sign=-1),
    "L2_NORMALIZATION": _l2_normalization,
}
