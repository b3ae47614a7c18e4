"""Sliding windows: padding and output size of convolutions and pooling."""

from __future__ import annotations

from dataclasses import dataclass

from npubench.compiler.graph import Tensor
from npubench.compiler.lower.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How a window moves over an image: all in elements, height before width."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int]
    leaves_input: bool


POINT = Window(kernel=(1, 1), stride=(1, 1), dilation=(1, 1), pad=(0, 0), leaves_input=False)


def slide(
    site: Site, source: Tensor, target: Tensor, kernel: tuple[int, int], *, dilated: bool
) -> Window:
    """The window of a convolution or pooling over NHWC tensors.

    Top and left padding are those of TensorFlow: half of what SAME needs, rounded down. Refuses an
    output whose size does not follow from the input's.
    """
    site.require(
        len(source.shape) == 4 and len(target.shape) == 4,
        f"shapes {list(source.shape)} and {list(target.shape)} are not four-dimensional",
    )
    stride = (site.integer("stride_h", 1), site.integer("stride_w", 1))
    dilation = (1, 1)
    if dilated:
        dilation = (site.integer("dilation_h_factor", 1), site.integer("dilation_w_factor", 1))
    padding = site.word("padding", "SAME")
    site.require(padding in ("SAME", "VALID"), f"padding {padding}")
    site.require(
        min(*stride, *dilation, *kernel) >= 1 and max(*stride, *dilation, *kernel) <= 65535,
        f"kernel {kernel}, stride {stride}, dilation {dilation}",
    )
    pads = []
    leaves = False
    for axis in (0, 1):
        size, count = source.shape[1 + axis], target.shape[1 + axis]
        reach = (kernel[axis] - 1) * dilation[axis] + 1
        if padding == "SAME":
            expected = -(-size // stride[axis])
            total = max(0, (expected - 1) * stride[axis] + reach - size)
        else:
            expected = (size - reach + stride[axis]) // stride[axis]
            total = 0
        site.require(
            count == expected, f"output size {count} does not follow from input size {size}"
        )
        pads.append(total // 2)
        leaves = leaves or total > 0
    site.require(source.shape[0] == target.shape[0], "batch sizes of input and output differ")
    return Window(
        kernel=kernel, stride=stride, dilation=dilation, pad=(pads[0], pads[1]), leaves_input=leaves
    )


def turned_shape(site: Site, target: Tensor) -> None:
    """Require that a transposed convolution's first input asks for the output's shape. One that is
    known only at run time asks for nothing else: the reference takes the output's own."""
    asked = site.input(0)
    if asked.data is not None:
        shape = site.integers(0, "its output's shape")
        site.require(shape == target.shape, f"shape {list(shape)} is not {list(target.shape)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How a transposed convolution spreads its input: all in elements, height before width."""

    channels: int
    depth: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]


def turn(
    site: Site, source: Tensor, target: Tensor, filters: Tensor, shape: tuple[int, ...]
) -> Turn:
    """The geometry of a transposed convolution with weights of ``shape``. Refuses shapes that do
    not belong together."""
    site.require(
        len(shape) == 4 and len(source.shape) == len(target.shape) == 4,
        f"shapes {list(source.shape)}, {list(filters.shape)} and {list(target.shape)}",
    )
    channels, kernel_h, kernel_w, depth = shape
    site.require(
        depth == source.shape[3]
        and channels == target.shape[3]
        and source.shape[0] == target.shape[0],
        f"filters {list(filters.shape)} from {list(source.shape)} to {list(target.shape)}",
    )
    stride = (site.integer("stride_h", 1), site.integer("stride_w", 1))
    top, left = turned_padding(site, target, (kernel_h, kernel_w), stride)
    return Turn(
        channels=channels,
        depth=depth,
        kernel=(kernel_h, kernel_w),
        stride=stride,
        pad=(top, left),
    )


def turned_padding(
    site: Site, target: Tensor, kernel: tuple[int, int], stride: tuple[int, int]
) -> list[int]:
    """Top and left padding of a transposed convolution: that of a convolution from the output back
    to the input."""
    pads = []
    for axis in (0, 1):
        size, step, reach = target.shape[1 + axis], stride[axis], kernel[axis]
        same = site.word("padding", "SAME") == "SAME"
        back = -(-size // step) if same else (size - reach + step) // step
        pads.append(max(0, (back - 1) * step + reach - size) // 2)
    return pads
