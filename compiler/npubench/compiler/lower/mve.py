"""Kernels for cores with Helium (MVE): their layouts, and when they serve.

The order of weights and tables is that of firmware/include/nb_kernels_mve.h; the costs are those
that the kernels' files state.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.lower.call import (
    Kernel,
    layer_call,
    limit_params,
    plane_params,
    ring_params,
)
from npubench.compiler.lower.layer import (
    Addend,
    Layer,
    Total,
    point_overlap,
    rescale,
    ring_of,
    row_overlap,
)
from npubench.compiler.lower.site import Choice, Lowering, Site, read, write
from npubench.compiler.plan import KernelCall, Overlap, ParamValue

FLAVOUR = "mve"
_TAPS = 16


def convolution(site: Site, layer: Layer) -> Lowering | str:
    """CONV_2D by two windows and four channels at a time, or why not."""
    if (refusal := _refusal(layer)) is not None:
        return refusal
    window = layer.window
    kernel_h = layer.weights.shape[1]
    ring = ring_of(layer)
    packed, blocks = _blocks(layer, 4)
    exact = not layer.opens_at_zero
    plain = window.kernel == (1, 1) and window.stride == (1, 1)
    params = {
        **ring_params(layer, ring, blocks=blocks),
        "output_zero": layer.output_zero,
        **limit_params(layer, exact=exact),
    }
    constants = (
        site.constant("weights", "int8_t", packed),
        site.constant("quant", "int32_t", _table(layer)),
    )
    groups = -(-layer.channels // 4)
    each = groups * (blocks * 15 + (40 if exact else 34)) + 60
    copying = (
        2 * (blocks * 3 + 12) if plain else 2 * (20 + kernel_h * ring.runs * (14 + ring.run / 5))
    )
    return layer_call(
        site,
        layer,
        Kernel(
            name="nb_mve_conv1x1_s8" if plain else "nb_mve_conv2d_s8",
            source="conv2d_mve_s8.c",
            flavour=FLAVOUR,
            params="nb_mve_conv2d_s8",
            scratch="int8_t",
        ),
        params,
        constants,
        scratch_bytes=2 * _TAPS * blocks + (0 if plain else ring.size_bytes + 3 * _TAPS),
        overlaps=point_overlap(layer) if plain else row_overlap(layer, ring.reach_h),
        choice=Choice(
            reason="two windows by four channels, 128 multiply-adds in 14 instructions",
            instructions=round(-(-layer.pixels // 2) * (each + copying)),
        ),
    )


WHOLE_BYTES = 8192
PLANES_BYTES = 4096
_BLOCK = 16


def depthwise(site: Site, layer: Layer) -> Lowering | str:
    """DEPTHWISE_CONV_2D 3x3 by planes of words that hold neighbouring rows, or why not."""
    scaling = rescale(layer, unshifted=True)
    if isinstance(scaling, str):
        return scaling
    window = layer.window
    channels = layer.channels
    if window.kernel != (3, 3) or window.dilation != (1, 1):
        return "the window is not 3x3"
    if layer.source.shape[3] != channels:
        return "it makes several outputs of one channel"
    out_h, out_w = layer.target.shape[1:3]
    lines = 2 if window.stride == (1, 1) else 1
    columns = (out_w - 1) * window.stride[1] + 3
    # What the last four outputs of a row read, some of them for nobody.
    held = out_w + out_w % 2 + 2 if lines == 2 else (out_w + -out_w % 4 - 1) * window.stride[1] + 3
    pitch = 4 * min(channels, _BLOCK)
    all_strips = -(-out_h // lines)
    strips = 1 if site.lean else _strips(all_strips, held * pitch)
    params = {
        **plane_params(layer),
        "lines": lines,
        "strips": strips,
        "strip_bytes": held * pitch,
        "pitch": pitch,
        "columns": columns,
        "width": min(layer.source.shape[2], columns - window.pad[1]),
        "input_zero": layer.input_zero,
        **limit_params(layer, exact=scaling.exact),
    }
    words = np.zeros((channels, 4, 4), dtype=np.int8)
    words[:, :3, :3] = layer.weights.transpose(2, 1, 0)
    table = np.stack(
        [layer.bias, scaling.multipliers, scaling.roundings, 24 - scaling.shifts], axis=1
    )
    constants = (
        site.constant("weights", "int8_t", bytes(4) + words.tobytes()),
        site.constant("quant", "int32_t", table.astype("<i4").tobytes()),
    )
    return layer_call(
        site,
        layer,
        Kernel(
            name="nb_mve_depthwise_3x3_s8",
            source="depthwise_3x3_mve_s8.c",
            flavour=FLAVOUR,
            scratch="int8_t",
        ),
        params,
        constants,
        scratch_bytes=strips * held * pitch + 64,
        overlaps=_strip_overlap(layer, lines, strips),
        choice=Choice(
            reason="planes of words of neighbouring rows, "
            + ("four" if lines == 2 else "one")
            + f" of a channel's outputs from a vector, {strips} strips at a time",
            instructions=_depthwise_cost(layer, lines, strips, scaling.exact),
        ),
    )


def _strips(count: int, size_bytes: int) -> int:
    """Strips in the planes at once: all where they are small, else what fits PLANES_BYTES, in
    groups of about one size; at least one."""
    if count * size_bytes <= WHOLE_BYTES:
        return count
    most = max(1, PLANES_BYTES // size_bytes)
    return -(-count // -(-count // most))


def _strip_overlap(layer: Layer, lines: int, strips: int) -> tuple[Overlap, ...]:
    """All channels of a group of strips are read before its outputs are written where they are no
    more than sixteen: the output may lie ahead by what is unread then. Else only in place, where
    one group is the whole image."""
    batches, _, in_w, channels = layer.source.shape
    _, out_h, out_w, _ = layer.target.shape
    if batches != 1:
        return ()
    rows = strips * lines
    if channels > _BLOCK:
        if rows < out_h or layer.source.shape != layer.target.shape:
            return ()
        return (Overlap(tensor=layer.source.index, lead_bytes=None),)
    lead = 0
    for done in range(rows, out_h, rows):
        unread = max(done * layer.window.stride[0] - layer.window.pad[0], 0)
        lead = max(lead, (done * out_w - unread * in_w) * channels)
    return (Overlap(tensor=layer.source.index, lead_bytes=lead),)


def _depthwise_cost(layer: Layer, lines: int, strips: int, exact: bool) -> int:
    batches, out_h, out_w, channels = layer.target.shape
    all_strips = -(-out_h // lines)
    each, wide = (17, 2) if lines == 2 else (23, 4)
    fours = all_strips * -(-out_w // wide)
    blocks = -(-channels // _BLOCK)
    loads = layer.source.shape[2] * (channels / _BLOCK if blocks == 1 else blocks)
    return round(
        batches
        * (
            channels * (fours * (each + (7 if exact else 0)) + all_strips * 10)
            + channels * 25 * -(-all_strips // strips)
            + all_strips * (loads * (14 if lines == 2 else 12) + 100 * blocks)
        )
    )


def dense(site: Site, layer: Layer) -> Lowering | str:
    """FULLY_CONNECTED with one scale, eight channels at a time, or why not."""
    if (refusal := _refusal(layer)) is not None:
        return refusal
    if len(set(layer.pairs)) != 1:
        return "one scale per channel"
    channels, depth = layer.weights.shape
    packed, blocks = _blocks(layer, 8)
    if len(packed) > 1.5 * channels * depth:
        return f"{channels} by {depth} weights would be filled to {len(packed)}"
    multiplier, shift = layer.pairs[0]
    exact = not layer.opens_at_zero
    params: dict[str, ParamValue] = {
        "batches": layer.pixels,
        "in_c": depth,
        "out_c": channels,
        "multiplier": multiplier,
        "shift": shift,
        "output_zero": layer.output_zero,
        **limit_params(layer, exact=exact),
    }
    sums = np.zeros(channels + -channels % 8, dtype="<i4")
    sums[:channels] = layer.bias
    constants = (
        site.constant("weights", "int8_t", packed),
        site.constant("sums", "int32_t", sums.tobytes()),
    )
    groups = -(-channels // 8)
    each = groups * (blocks * 18 + (48 if exact else 41)) + 60
    return layer_call(
        site,
        layer,
        Kernel(
            name="nb_mve_fully_connected_s8",
            source="fully_connected_mve_s8.c",
            flavour=FLAVOUR,
            scratch="int8_t",
        ),
        params,
        constants,
        scratch_bytes=_TAPS * blocks if depth % _TAPS else 0,
        choice=Choice(
            reason="eight channels at a time, 128 multiply-adds in 17 instructions",
            instructions=layer.pixels * each,
        ),
    )


def addition(site: Site, first: Addend, second: Addend, total: Total) -> Lowering | str:
    """ADD of two activations of one shape, or why not."""
    if (
        first.tensor.shape != second.tensor.shape
        or first.tensor.is_constant
        or second.tensor.is_constant
    ):
        return "its inputs are not two activations of one shape"
    params: dict[str, ParamValue] = {"count": total.tensor.count}
    for name, term in (("1", first), ("2", second)):
        params |= {
            f"zero{name}": term.zero,
            f"multiplier{name}": term.multiplier,
            f"shift{name}": term.shift,
        }
    params |= {
        "left_shift": 20,
        "multiplier": total.multiplier,
        "shift": total.shift,
        "output_zero": total.zero,
        "low": total.low,
        "high": total.high,
    }
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_mve_add_s8",
        source="add_mve_s8.c",
        flavour=FLAVOUR,
        params_type="nb_mve_add_s8_params",
        params=tuple(params.items()),
        args=(read(first.tensor), read(second.tensor), write(total.tensor)),
        overlaps=(
            Overlap(tensor=first.tensor.index, lead_bytes=None),
            Overlap(tensor=second.tensor.index, lead_bytes=None),
        ),
        choice=Choice(
            reason="four elements side by side", instructions=round(7.5 * total.tensor.count)
        ),
    )
    return call, ()


def _refusal(layer: Layer) -> str | None:
    """The kernels shift to the right only."""
    if max(shift for _, shift in layer.pairs) > 0:
        return "a scale multiplies by one or more"
    return None


def _blocks(layer: Layer, size: int) -> tuple[bytes, int]:
    """Weights per ``size`` channels, per block of sixteen taps, sixteen taps of each; and how many
    blocks there are. Missing taps and channels are zero."""
    taps = layer.by_channel
    channels, depth = taps.shape
    blocks = -(-depth // _TAPS)
    filled: NDArray[np.int8] = np.zeros(
        (channels + -channels % size, blocks * _TAPS), dtype=np.int8
    )
    filled[:channels, :depth] = taps
    return filled.reshape(-1, size, blocks, _TAPS).transpose(0, 2, 1, 3).tobytes(), blocks


def _table(layer: Layer) -> bytes:
    """Per four channels: biases, multipliers, shifts; a settled channel's bias is its code, which
    a multiplier of zero would lose, so that its scale is one."""
    channels = layer.channels
    table = np.zeros((3, channels + -channels % 4), dtype=np.int64)
    table[0, :channels] = layer.bias
    table[1:, :channels] = np.array(layer.pairs).T
    for channel, code in layer.settled.items():
        # One half of twice the value: 2 * v * 2**30 / 2**31, exact.
        table[:, channel] = (2 * (code - layer.output_zero), 1 << 30, 0)
    return table.reshape(3, -1, 4).transpose(1, 0, 2).astype("<i4").tobytes()
