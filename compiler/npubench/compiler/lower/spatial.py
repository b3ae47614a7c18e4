"""Operators on images beside convolution and pooling: RESIZE_BILINEAR, SPACE_TO_BATCH_ND,
BATCH_TO_SPACE_ND and PRELU."""

from __future__ import annotations

import numpy as np

from npubench.compiler.graph import Tensor
from npubench.compiler.lower.elementwise import broadcast
from npubench.compiler.lower.requant import single
from npubench.compiler.lower.site import Lowering, LoweringFunction, Site, read, write
from npubench.compiler.lower.weights import checked_multiplier
from npubench.compiler.plan import ConstantArg, KernelCall, ParamValue

FRACTION = 1 << 10


def _places(count: int, size: int, *, align: bool, half: bool) -> list[tuple[int, int, int]]:
    """Per output index: lower and upper source index, and the upper one's weight of 1024."""
    step = (FRACTION * size + count // 2) // count
    if align and count > 1:
        step = (FRACTION * (size - 1) + (count - 1) // 2) // (count - 1)
    places = []
    for index in range(count):
        at = index * step + (step // 2 - FRACTION // 2 if half else 0)
        low = max(_toward_zero(at), 0)
        high = min(_toward_zero(at + FRACTION - 1), size - 1)
        places.append((low, high, at - FRACTION * low))
    return places


def _toward_zero(value: int) -> int:
    return value // FRACTION if value >= 0 else -(-value // FRACTION)


def _resize_bilinear(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    source, target = site.activation(0), site.output()
    site.quantization(source, "the input")
    site.same_quantization(source, target, "input and output")
    size = site.integers(1, "its size")
    site.require(
        len(source.shape) == len(target.shape) == 4
        and len(size) == 2
        and target.shape == (source.shape[0], size[0], size[1], source.shape[3]),
        f"shapes {list(source.shape)} and {list(target.shape)} for size {list(size)}",
    )
    site.require(max(source.shape[1:3]) <= 32768, f"input of shape {list(source.shape)}")
    align, half = site.flag("align_corners"), site.flag("half_pixel_centers")
    site.require(not (align and half), "align_corners and half_pixel_centers exclude each other")
    constants = tuple(
        site.constant(
            name,
            "int16_t",
            np.array(
                _places(target.shape[axis], source.shape[axis], align=align, half=half), "<i2"
            ).tobytes(),
        )
        for axis, name in ((1, "rows"), (2, "columns"))
    )
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_resize_bilinear_s8",
        source="resize_bilinear_s8.c",
        params_type="nb_resize_nearest_s8_params",
        params=(
            ("batches", source.shape[0]),
            ("in_h", source.shape[1]),
            ("in_w", source.shape[2]),
            ("channels", source.shape[3]),
            ("out_h", target.shape[1]),
            ("out_w", target.shape[2]),
        ),
        args=(
            read(source),
            *(ConstantArg(constant=constant.name) for constant in constants),
            write(target),
        ),
    )
    return call, constants


def _as_image(site: Site, tensor: Tensor) -> tuple[int, int, int, int]:
    """[batch, rows, columns, channels]; with three dimensions one column."""
    shape = tensor.shape
    site.require(len(shape) in (3, 4), f"shape {list(shape)}")
    return (shape[0], shape[1], 1, shape[2]) if len(shape) == 3 else shape  # type: ignore[return-value]


def _blocks(site: Site) -> Lowering:
    site.arity(inputs=(3,))
    source, target = site.activation(0), site.output()
    site.quantization(source, "the input")
    site.same_quantization(source, target, "input and output")
    to_batch = site.op.kind == "SPACE_TO_BATCH_ND"
    given, made = _as_image(site, source), _as_image(site, target)
    block = list(site.integers(1, "its block"))
    edges = list(site.integers(2, "its padding" if to_batch else "its crops"))
    site.require(
        len(block) == len(source.shape) - 2 and len(edges) == 2 * len(block) and min(block) >= 1,
        f"block {block} and {edges} of shape {list(source.shape)}",
    )
    if len(block) == 1:
        block, edges = [*block, 1], [*edges, 0, 0]
    site.require(min(edges) >= 0, f"padding or crops {edges}")
    large, small = (given, made) if to_batch else (made, given)
    sign = 1 if to_batch else -1
    fits = small[0] == large[0] * block[0] * block[1] and small[3] == large[3]
    for axis in (0, 1):
        edge = edges[2 * axis] + edges[2 * axis + 1]
        wide = given[1 + axis] * (1 if to_batch else block[axis]) + sign * edge
        fits = fits and wide == made[1 + axis] * (block[axis] if to_batch else 1)
    site.require(fits, f"shapes {list(source.shape)} and {list(target.shape)}, block {block}")
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_space_to_batch_s8" if to_batch else "nb_batch_to_space_s8",
        source="space_to_batch_s8.c",
        params_type="nb_space_to_batch_s8_params",
        params=(
            ("batches", large[0]),
            ("in_h", given[1]),
            ("in_w", given[2]),
            ("channels", given[3]),
            ("out_h", made[1]),
            ("out_w", made[2]),
            ("block_h", block[0]),
            ("block_w", block[1]),
            ("top", edges[0]),
            ("left", edges[2]),
            # The reference leaves this one unset; the zero point is what padding means.
            ("value", site.quantization(target, "the output").zero_point),
        ),
        args=(read(source), write(target)),
    )
    return call, ()


def _prelu(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    source, slopes, target = site.activation(0), site.input(1), site.output()
    given = site.codes(source, "the input")
    slope = site.quantization(slopes, "its slopes")
    wanted = site.codes(target, "the output")
    site.require(source.dtype is target.dtype, f"{source.dtype} to {target.dtype}")
    wide = site.is_wide()
    ctype = "int16_t" if wide else "int8_t"
    site.require(source.shape == target.shape, f"shape {list(source.shape)}")
    positive = checked_multiplier(site, single(given.scale) / single(wanted.scale))
    negative = checked_multiplier(
        site, single(given.scale) * single(slope.scale) / single(wanted.scale)
    )
    operand = site.operand(slopes, "slopes")
    params: dict[str, ParamValue] = broadcast(site, source, slopes, target) | {
        "zero1": given.zero_point,
        "zero2": slope.zero_point,
        "multiplier1": positive[0],
        "shift1": positive[1],
        "multiplier2": negative[0],
        "shift2": negative[1],
        "output_zero": wanted.zero_point,
    }
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_prelu_s16" if wide else "nb_prelu_s8",
        source="elementwise_s16.c" if wide else "prelu_s8.c",
        params_type="nb_prelu_s8_params",
        params=tuple(params.items()),
        args=(read(source, ctype), operand.arg, write(target, ctype)),
    )
    return call, operand.constants


LOWERINGS: dict[str, LoweringFunction] = {
    "RESIZE_BILINEAR": _resize_bilinear,
    "SPACE_TO_BATCH_ND": _blocks,
    "BATCH_TO_SPACE_ND": _blocks,
    "PRELU": _prelu,
}
