"""The call of a kernel that reads one activation and constants, and writes one activation."""

from __future__ import annotations

from dataclasses import dataclass

from npubench.compiler.lower.layer import Layer, Ring
from npubench.compiler.lower.site import Choice, Lowering, Site, read, write
from npubench.compiler.plan import (
    Constant,
    ConstantArg,
    KernelCall,
    Overlap,
    ParamValue,
    ScratchArg,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A function of ``firmware/kernels/<flavour>/<source>``; its parameters have the type
    ``<params>_params``, its own name's where that is left out. ``scratch``: the element type of
    its scratch memory, or None where it takes none."""

    name: str
    source: str
    flavour: str | None = None
    params: str | None = None
    scratch: str | None = None


def layer_call(
    site: Site,
    layer: Layer,
    kernel: Kernel,
    params: dict[str, ParamValue],
    constants: tuple[Constant, ...],
    *,
    choice: Choice,
    scratch_bytes: int = 0,
    overlaps: tuple[Overlap, ...] = (),
) -> Lowering:
    """``kernel(&params, input, constants..., scratch, output)`` and the constants it reads."""
    scratch = () if kernel.scratch is None else (ScratchArg(ctype=kernel.scratch),)
    call = KernelCall(
        op_index=site.op.index,
        kernel=kernel.name,
        source=kernel.source,
        flavour=kernel.flavour,
        params_type=f"{kernel.params or kernel.name}_params",
        params=tuple(params.items()),
        args=(
            read(layer.source),
            *(ConstantArg(constant=constant.name) for constant in constants),
            *scratch,
            write(layer.target),
        ),
        scratch_bytes=scratch_bytes,
        overlaps=overlaps,
        choice=choice,
    )
    return call, constants


def image_params(layer: Layer) -> dict[str, ParamValue]:
    """Sizes of a convolution's input and output."""
    names = ("batches", "in_h", "in_w", "in_c", "out_h", "out_w", "out_c")
    return dict(zip(names, (*layer.source.shape, *layer.target.shape[1:]), strict=True))


def ring_params(layer: Layer, ring: Ring, **packed: int) -> dict[str, ParamValue]:
    """Of a convolution that reads its windows from a ring of rows; ``packed``: how many of the
    kernel's own units a window has."""
    window = layer.window
    return {
        **image_params(layer),
        "kernel_h": layer.weights.shape[1],
        "runs_w": ring.runs,
        "run": ring.run,
        **packed,
        "stride_h": window.stride[0],
        "stride_w": window.stride[1],
        "dilation_h": window.dilation[0],
        "dilation_w": window.dilation[1],
        "pad_top": window.pad[0],
        "pad_left": window.pad[1],
        "reach_h": ring.reach_h,
        "ring_rows": ring.rows,
        "pitch": ring.pitch,
        "width": ring.width,
        "input_zero": layer.input_zero,
    }


def plane_params(layer: Layer) -> dict[str, ParamValue]:
    """Of a depthwise convolution that reads its input from planes."""
    batches, in_h, in_w, channels = layer.source.shape
    window = layer.window
    return {
        "batches": batches,
        "in_h": in_h,
        "in_w": in_w,
        "channels": channels,
        "out_h": layer.target.shape[1],
        "out_w": layer.target.shape[2],
        "stride_h": window.stride[0],
        "stride_w": window.stride[1],
        "pad_top": window.pad[0],
        "pad_left": window.pad[1],
    }


def limit_params(layer: Layer, *, exact: bool) -> dict[str, ParamValue]:
    """How outputs are rounded and limited."""
    return {"exact": int(exact), "low": layer.low, "high": layer.high}
