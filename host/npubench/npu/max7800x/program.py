"""What a layer's registers ask for: the decoded layer, or why the model cannot run it.

Sources: ai8x-synthesis, izer/backend/max7800x.py (how it makes the fields).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from npubench.core.errors import DeviceError
from npubench.npu.max7800x.layout import PER_QUADRANT, QUADRANTS, SHARED, Layout

Kind = Literal["conv2d", "conv1d", "depthwise", "transposed", "flatten", "passthrough"]
EltwiseName = Literal["sub", "add", "or", "xor"]
ELTWISE: Final[tuple[EltwiseName, ...]] = ("sub", "add", "or", "xor")
MASK_BITS: Final = (8, 1, 2, 4)


class AcceleratorStopped(DeviceError):
    """The accelerator was asked for something that the model of it does not do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a quadrant's outputs begin: first instance, first word in it."""

    instance: int
    word: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProgram:
    """One layer. Sizes in pixels, addresses in words.

    ``pooled``: rows and columns that the convolution sees before padding; ``width``: columns of
    the input as it lies in memory; ``window``, ``dilation``, ``stride``: of the pooling.
    ``passes``: of the input; ``pixel_words``: from one pixel to the next; ``processors``: those
    that are enabled. ``first_mask``, ``mask_count``: kernels of the weight memory, in eighths of a
    kernel of eight bits and as a count; ``mask_sad``: bytes into the first. ``slots``: output
    channels of a pass; ``timeslots``: words that an output pixel of a pass takes where outputs are
    not computed one after the other (passthrough, depthwise). ``output_pixel_words``,
    ``output_pass_words``: from one output pixel and one output pass to the next. ``biases``:
    quadrant to offset. ``targets``: by quadrant.
    """

    index: int
    kind: Kind
    kernel: tuple[int, int]
    pooled: tuple[int, int]
    width: int
    window: tuple[int, int]
    dilation: tuple[int, int]
    stride: int
    pad: tuple[int, int]
    pools: Literal["none", "max", "average"]
    operands: int
    eltwise: EltwiseName
    pools_first: bool
    passes: int
    pixel_words: int
    planar: bool
    processors: tuple[int, ...]
    read_base: int
    weight_bits: int
    first_mask: int
    mask_sad: int
    mask_count: int
    slots: int
    timeslots: int
    shift: int
    activation: Literal["none", "relu", "abs"]
    wide: bool
    biases: Mapping[int, int]
    broadcasts: bool
    targets: Mapping[int, Target]
    output_pixel_words: int
    output_pass_words: int
    streams: bool

    @property
    def is_empty(self) -> bool:
        """Whether it computes no pixel (it only resets an accumulator)."""
        return min(self.pooled) < 1


def decode(
    layout: Layout, registers: Mapping[int, Mapping[str, int]], index: int, *, master: int
) -> LayerProgram:
    """Layer ``index`` from the registers of each quadrant that is used (name to value).

    Raises AcceleratorStopped for what the model does not know.
    """
    for quadrant, words in registers.items():
        for name, value in words.items():
            strange = value & ~layout.known[name]
            if strange:
                raise _unknown(index, f"quadrant {quadrant}, {name} = {value:#010x}", strange)
    lead = registers[master]
    get = lead.get
    post, control, second = get("post", 0), get("layer_control", 0), get("layer_control_2", 0)
    ones = get("one_dimension", 0)
    for bit, what in ((29, "four outputs at once (calcx4)"), (31, "calculation of the tile")):
        if post >> bit & 1 and bit == 29:
            raise AcceleratorStopped(f"layer {index}: {what} is not modelled")
    if control >> 30 & 1:
        raise AcceleratorStopped(f"layer {index}: kernels of ones (bypass) are not modelled")
    enabled = {quadrant: words.get("enable", 0) & 0xFFFF for quadrant, words in registers.items()}
    processors = tuple(
        quadrant * PER_QUADRANT + number
        for quadrant in range(QUADRANTS)
        for number in range(PER_QUADRANT)
        if enabled.get(quadrant, 0) >> number & 1
    )
    kind, kernel = _kind(layout, post, control, ones)
    operands = (ones >> 18 & 0xF) + 1 if ones >> 13 & 1 else 1
    low_passes = second & 0xF
    passes = low_passes + 1
    if kind == "flatten":
        passes = ((post >> 18 & 0xF) << 4 | low_passes) + 1
    window, dilation = _window(layout, lead, bool(control >> 7 & 1))
    stride = (get("stride", 0) & 0xF) + 1
    pad, pooled, width = _sizes(layout, lead, window, dilation, stride)
    if kind == "conv1d":
        pad = (pad[0], 0)
    if kind == "transposed":
        pooled, width = (pooled[0] // 2, pooled[1] // 2), width // 2
    pixel_words = operands * passes
    if layout.counts_have_stops and kind != "flatten":
        pixel_words = (get("stride", 0) >> 4) // (stride if kind != "transposed" else 1)
    weight_bits = MASK_BITS[post >> 22 & 3]
    first, count, sad = _masks(layout, lead, weight_bits, ones)
    pointer = (1 << layout.pointer_bits) - 1
    increment = (second >> 4 & (0xFF if layout.counts_have_stops else 0xF)) + 1
    across = second >> (12 if layout.counts_have_stops else 8)
    wide = bool(control >> 16 & 1)
    if kind in ("passthrough", "depthwise"):
        increment *= passes if kind == "passthrough" else 1
    shift = post >> 13 & 0xF
    return LayerProgram(
        index=index,
        kind=kind,
        kernel=kernel,
        pooled=pooled,
        width=width,
        window=window,
        dilation=dilation,
        stride=stride,
        pad=pad,
        pools="none" if not control >> 7 & 1 else "max" if control >> 8 & 1 else "average",
        operands=operands,
        eltwise=ELTWISE[ones >> 14 & 3],
        pools_first=bool(ones >> 16 & 1),
        passes=passes,
        pixel_words=pixel_words,
        planar=bool(control >> 6 & 1),
        processors=processors,
        read_base=get("read_base", 0),
        weight_bits=weight_bits,
        first_mask=first,
        mask_sad=sad,
        mask_count=count,
        slots=across // weight_bits + 1,
        timeslots=(ones & 0xF) + 1,
        shift=-shift if post >> 17 & 1 else shift,
        activation="relu" if control >> 9 & 1 else "abs" if post >> 26 & 1 else "none",
        wide=wide,
        biases={
            quadrant: words.get("post", 0) & 0xFFF
            for quadrant, words in registers.items()
            if words.get("post", 0) >> 12 & 1
        },
        broadcasts=bool(control >> 29 & 1),
        targets={
            quadrant: Target(
                instance=words.get("write_base", 0) >> layout.pointer_bits,
                word=words.get("write_base", 0) & pointer,
            )
            for quadrant, words in registers.items()
        },
        output_pixel_words=increment * (SHARED if wide else 1),
        output_pass_words=get("write_channel", 0),
        streams=get("rollover", 0) != 0,
    )


def _unknown(index: int, what: str, bits: int) -> AcceleratorStopped:
    return AcceleratorStopped(
        f"layer {index}: {what} has bits {bits:#x} that the model does not know",
        hint="what the model knows of the registers stands in docs/vendor-npus.md",
    )


def _kind(layout: Layout, post: int, control: int, ones: int) -> tuple[Kind, tuple[int, int]]:
    length = ones >> 8 & 0xF
    if post >> 27 & 1:
        return "flatten", (1, 1)
    if post >> 24 & 1 and not post >> 30 & 1:
        return "passthrough", (1, 1)
    kernel = (length, 1) if ones >> 12 & 1 else (1, 1) if length else (3, 3)
    if layout.counts_have_stops:
        kernel = ((control >> 22 & 0xF) + 1, (control >> 18 & 0xF) + 1)
    if post >> 30 & 1:
        return "depthwise", kernel
    if post >> 28 & 1:
        return "transposed", kernel
    return ("conv1d" if ones >> 12 & 1 else "conv2d"), kernel


def _window(
    layout: Layout, lead: Mapping[str, int], pools: bool
) -> tuple[tuple[int, int], tuple[int, int]]:
    sizes, dilations = [], []
    for name in ("pool_rows", "pool_columns"):
        value = lead.get(name, 0)
        dilation = (value >> 4 & 0xF) + 1 if layout.counts_have_stops else 1
        dilations.append(dilation)
        sizes.append((value & 0xF) // dilation + 1 if pools else 1)
    return (sizes[0], sizes[1]), (dilations[0], dilations[1])


def _sizes(
    layout: Layout,
    lead: Mapping[str, int],
    window: tuple[int, int],
    dilation: tuple[int, int],
    stride: int,
) -> tuple[tuple[int, int], tuple[int, int], int]:
    """Padding, sizes after pooling, columns in memory."""
    pads, pooled, width = [], [], 0
    for name, size, apart in zip(("rows", "columns"), window, dilation, strict=True):
        value = lead.get(name, 0)
        if layout.counts_have_stops:
            pad = (value >> 13 & 3) + 1 if value >> 15 & 1 else 0
            stop = value & 0x7FF
            pooled.append(stop // stride + 1)
            width = stop + (value >> 16)
        else:
            pad = value >> 16 & 3
            width = (value & 0x3FF) + 1 - 2 * pad
            pooled.append((width - size - apart + 1) // stride + 1 if width > 0 else 0)
        pads.append(pad)
    return (pads[0], pads[1]), (pooled[0], pooled[1]), width


def _masks(layout: Layout, lead: Mapping[str, int], bits: int, ones: int) -> tuple[int, int, int]:
    """First kernel (in eighths), how many kernels, bytes into the first."""
    if layout.counts_have_stops:
        first, last = lead.get("mask_start", 0), lead.get("mask_end", 0)
    else:
        first, last = lead.get("mask", 0) >> 16, lead.get("mask", 0) & 0xFFFF
    return first, max(last - first, 0) // bits + 1, ones >> 4 & 0xF
