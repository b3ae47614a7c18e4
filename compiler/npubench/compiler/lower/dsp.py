"""Kernels for cores with the DSP extension: their layouts, and when they serve.

The order of weights and tables is that of firmware/include/nb_kernels_dsp.h; the costs are those
that the kernels' files state.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    LARGEST_SHIFT,
    Addend,
    Layer,
    Rescale,
    Total,
    point_overlap,
    rescale,
    ring_of,
    row_overlap,
)
from npubench.compiler.lower.site import Choice, Lowering, Site, read, write
from npubench.compiler.plan import KernelCall, Overlap, ParamValue

FLAVOUR = "dsp"
_PAIR_LIMIT = 1 << 23


def convolution(site: Site, layer: Layer) -> Lowering | str:
    """CONV_2D by two windows and four channels at a time, or why not."""
    scaling = rescale(layer)
    if isinstance(scaling, str):
        return scaling
    window = layer.window
    channels, kernel_h = layer.weights.shape[:2]
    ring = ring_of(layer)
    taps = run_words(layer.weights.reshape(channels, kernel_h * ring.runs, ring.run))
    words = taps.shape[1]
    packed = paired(layer, _fours(taps), 4)
    if isinstance(packed, str):
        return packed
    plain = window.kernel == (1, 1) and window.stride == (1, 1)
    passes = -(-layer.pixels // 2)
    blocks = _blocks(site, -(-channels // 4), words, passes)
    params = {
        **ring_params(layer, ring, words=words, groups=blocks.groups, copied=int(blocks.copied)),
        **limit_params(layer, exact=scaling.exact),
    }
    stream = _stream(layer, scaling, packed, words)
    each = 16 * words + (0 if plain else -(-ring.size_bytes // 4) * 4)
    overlaps = point_overlap(layer) if plain else row_overlap(layer, ring.reach_h)
    reason = "two windows by four channels, 32 multiply-adds in 24 instructions"
    return layer_call(
        site,
        layer,
        Kernel(
            name="nb_dsp_conv1x1_s8" if plain else "nb_dsp_conv2d_s8",
            source="conv2d_dsp_s8.c",
            flavour=FLAVOUR,
            params="nb_dsp_conv2d_s8",
            scratch="uint32_t",
        ),
        params,
        (site.constant("stream", "uint32_t", stream),),
        scratch_bytes=each + blocks.copy_bytes,
        overlaps=overlaps if blocks.count == 1 else (),
        choice=Choice(
            reason=reason + blocks.words(),
            instructions=round(
                passes * blocks.total * (words * 24.75 + (90 if scaling.exact else 64))
                + passes
                * blocks.count
                * (words * 7.5 + (80 if plain else 110 + 30 * kernel_h * ring.runs))
                + blocks.copied * blocks.total * (words + 4) * 2
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blocks:
    """``total`` groups of four channels in blocks of ``groups``; ``copied``: a block's stream,
    ``group_bytes`` a group, is brought into RAM before its windows are computed."""

    total: int
    groups: int
    group_bytes: int
    copied: bool

    @property
    def count(self) -> int:
        return -(-self.total // self.groups)

    @property
    def copy_bytes(self) -> int:
        return self.groups * self.group_bytes if self.copied else 0

    def words(self) -> str:
        if not self.copied:
            return ""
        blocks = "" if self.count == 1 else f" in {self.count} blocks of channels"
        return f"; weights copied to RAM first{blocks}"


_FEWEST_PASSES = 8
_FEWEST_GROUPS = 4


def _blocks(site: Site, total: int, words: int, passes: int) -> _Blocks:
    """Weights are copied where memory is to spare and every word is read often enough: a word from
    flash costs about a cycle more each time, copying it four, and every block of channels but the
    first widens all windows again."""
    group_bytes = 16 * (words + 4)
    most = min(total, site.spare_bytes // group_bytes)
    if passes >= _FEWEST_PASSES and most >= min(total, _FEWEST_GROUPS):
        groups = -(-total // -(-total // most))
        return _Blocks(total=total, groups=groups, group_bytes=group_bytes, copied=True)
    return _Blocks(total=total, groups=total, group_bytes=group_bytes, copied=False)


def _stream(layer: Layer, scaling: Rescale, packed: bytes, words: int) -> bytes:
    """Per four channels: starting sums, ``words`` times sixteen bytes of weights, scales."""
    sums = starting_sums(layer, 4)
    scales = np.zeros((sums.size, 3), dtype=np.int64)
    scales[: layer.channels] = np.stack(
        [scaling.multipliers, scaling.roundings, scaling.shifts], axis=1
    )
    taps = np.frombuffer(packed, dtype="<i4").reshape(len(sums), 4 * words)
    stream = np.concatenate([sums, taps, scales.reshape(len(sums), 12)], axis=1)
    return stream.astype("<i4").tobytes()


def run_words(runs: NDArray[np.int8]) -> NDArray[np.int8]:
    """[channel, run, byte] as [channel, word, 4]: each run in words of four taps.

    What is left of a run beyond whole words is read from its last four bytes, so taps that came
    before are zero there; a run of less than four is filled with zeros behind.
    """
    channels, count, run = runs.shape
    rest = run % 4
    parts = [runs[:, :, : run - rest].reshape(channels, count, -1, 4)]
    if rest:
        last = np.zeros((channels, count, 1, 4), dtype=np.int8)
        if run > 4:
            last[:, :, 0, 4 - rest :] = runs[:, :, run - rest :]
        else:
            last[:, :, 0, :rest] = runs
        parts.append(last)
    return np.concatenate(parts, axis=2).reshape(channels, -1, 4)


def _fours(array: NDArray[np.int8], size: int = 4) -> NDArray[np.int8]:
    """The first axis filled with zeros to a multiple of ``size``."""
    fill = -len(array) % size
    return np.concatenate([array, np.zeros((fill, *array.shape[1:]), dtype=array.dtype)])


def paired(layer: Layer, taps: NDArray[np.int8], size: int) -> bytes | str:
    """Words of [channel, word, 4] for groups of ``size`` channels, two channels to a 16-bit number.

    Per group and word: the even taps of each pair of channels, then the odd taps.
    """
    low, high = layer.sums()
    odd_low, odd_high = low[1::2], high[1::2]
    if odd_low.size and (odd_low.min() < -_PAIR_LIMIT or odd_high.max() >= _PAIR_LIMIT):
        return "a sum may exceed the 24 bits of a channel that shares its words"
    wide = taps.astype(np.int32)
    numbers = wide[0::2] + 256 * wide[1::2]
    if int(numbers.min()) < -(2**15):
        return "a weight of -128 beside a negative one"
    groups = len(taps) // size
    return (
        numbers.reshape(groups, size // 2, taps.shape[1], 2, 2)
        .transpose(0, 2, 4, 1, 3)
        .astype("<i2")
        .tobytes()
    )


def starting_sums(layer: Layer, size: int) -> NDArray[np.int64]:
    """[group, size]: what each sum starts from; an odd channel's carries the even one's."""
    bias = np.zeros(layer.channels + -layer.channels % size, dtype=np.int64)
    bias[: layer.channels] = layer.bias
    bias[1::2] = bias[0::2] + 256 * bias[1::2]
    return wrapped(bias).reshape(-1, size)


def wrapped(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The low 32 bits, signed."""
    return (values + 2**31) % 2**32 - 2**31


PLANES_BYTES = 4096


def depthwise(site: Site, layer: Layer) -> Lowering | str:
    """DEPTHWISE_CONV_2D 3x3 by planes of one channel, or why not."""
    scaling = rescale(layer)
    if isinstance(scaling, str):
        return scaling
    window = layer.window
    channels = layer.channels
    if window.kernel != (3, 3) or window.dilation != (1, 1):
        return "the window is not 3x3"
    if layer.source.shape[3] != channels:
        return "it makes several outputs of one channel"
    if window.stride[1] > 2:
        return f"a horizontal stride of {window.stride[1]}"
    if channels < 4:
        return "fewer than four channels"
    out_h, out_w = layer.target.shape[1:3]
    columns = (out_w - 1) * window.stride[1] + 3
    pitch = -(-columns // 4) * 4  # rows that begin at a word: fewer loads are unaligned
    strip_rows = 1 if site.lean else _strip(out_h, pitch, window.stride[0])
    plane_rows = (strip_rows - 1) * window.stride[0] + 3
    params = {
        **plane_params(layer),
        "strip_rows": strip_rows,
        "pitch": pitch,
        "plane_bytes": plane_rows * pitch,
        "width": min(layer.source.shape[2], columns - window.pad[1]),
        "input_zero": layer.input_zero,
        **limit_params(layer, exact=scaling.exact),
    }
    sums = 2 * layer.bias.astype(np.int64)
    table = np.stack([sums, scaling.multipliers, scaling.roundings, scaling.shifts], axis=1)
    constants = (
        site.constant("weights", "int8_t", layer.by_channel.tobytes()),
        site.constant("quant", "int32_t", table.astype("<i4").tobytes()),
    )
    return layer_call(
        site,
        layer,
        Kernel(
            name="nb_dsp_depthwise_3x3_s8",
            source="depthwise_3x3_dsp_s8.c",
            flavour=FLAVOUR,
            scratch="int8_t",
        ),
        params,
        constants,
        scratch_bytes=4 * plane_rows * pitch + 4,
        overlaps=_plane_overlap(layer, strip_rows),
        choice=Choice(
            reason=f"planes of one channel in strips of {strip_rows} rows, nine weights held",
            instructions=_depthwise_cost(layer, strip_rows, scaling.exact),
        ),
    )


def _strip(out_h: int, pitch: int, stride_h: int) -> int:
    """Output rows of which the input's rows fit four planes of PLANES_BYTES in all; at least 1."""
    most = max(1, ((PLANES_BYTES // (4 * pitch)) - 3) // stride_h + 1)
    strips = -(-out_h // most)
    return -(-out_h // strips)


def _depthwise_cost(layer: Layer, strip_rows: int, exact: bool) -> int:
    batches, out_h, out_w, channels = layer.target.shape
    strips = -(-out_h // strip_rows)
    stride_h, stride_w = layer.window.stride
    more = 8 if exact else 0
    pairs = strips * (strip_rows // 2) if (stride_h, stride_w) == (1, 1) else 0
    singles = out_h - 2 * pairs
    row = out_w * (24 + more) if stride_w == 2 else out_w * (17 + more) + out_w % 2 * 8
    both = out_w // 2 * (64 + 4 * more) + out_w % 2 * (40 + 2 * more)
    rows = strips * ((strip_rows - 1) * stride_h + 3)
    read_in = rows * (1.85 * layer.source.shape[2] + 4) + strips * 110
    return round(batches * channels * (pairs * (both + 18) + singles * (row + 18) + read_in))


def _plane_overlap(layer: Layer, strip_rows: int) -> tuple[Overlap, ...]:
    """In place where all of a group's input is in the planes before its output is written."""
    whole = layer.source.shape == layer.target.shape and layer.source.shape[0] == 1
    if not whole or strip_rows < layer.target.shape[1] or layer.channels % 4:
        return ()
    return (Overlap(tensor=layer.source.index, lead_bytes=None),)


def dense(site: Site, layer: Layer) -> Lowering | str:
    """FULLY_CONNECTED with one scale, eight channels at a time, or why not."""
    if len(set(layer.pairs)) != 1:
        return "one scale per channel"
    scaling = rescale(layer)
    if isinstance(scaling, str):
        return scaling
    channels, depth = layer.weights.shape
    if -(-channels // 8) * 8 > 1.5 * channels:
        return f"{channels} channels would be filled to {-(-channels // 8) * 8}"
    filled = np.zeros((channels, -(-depth // 4) * 4), dtype=np.int8)
    filled[:, :depth] = layer.weights
    taps = filled.reshape(channels, -1, 4)
    words = taps.shape[1]
    packed = paired(layer, _fours(taps, 8), 8)
    if isinstance(packed, str):
        return packed
    params: dict[str, ParamValue] = {
        "batches": layer.pixels,
        "in_c": depth,
        "out_c": channels,
        "multiplier": int(scaling.multipliers[0]),
        "rounding": int(scaling.roundings[0]),
        "shift": int(scaling.shifts[0]),
        **limit_params(layer, exact=scaling.exact),
    }
    constants = (
        site.constant("weights", "int8_t", packed),
        site.constant("sums", "int32_t", starting_sums(layer, 8).astype("<i4").tobytes()),
    )
    groups = -(-channels // 8)
    each = groups * (words * 31.75 + (76 if scaling.exact else 52) + 32) + 40
    return layer_call(
        site,
        layer,
        Kernel(
            name="nb_dsp_fully_connected_s8", source="fully_connected_dsp_s8.c", flavour=FLAVOUR
        ),
        params,
        constants,
        choice=Choice(
            reason="eight channels at a time, 32 multiply-adds in 31 instructions",
            instructions=round(layer.pixels * each),
        ),
    )


def addition(site: Site, first: Addend, second: Addend, total: Total) -> Lowering | str:
    """ADD of two activations of one shape, or why not."""
    if first.tensor.shape != second.tensor.shape or first.tensor.is_constant:
        return "its inputs are not two activations of one shape"
    if second.tensor.is_constant:
        return "its inputs are not two activations of one shape"
    if max(-first.shift, -second.shift, -total.shift) > LARGEST_SHIFT:
        return "a scale shifts too far"
    if total.shift == 0:
        return "the output's scale needs no shift"
    opens = total.low == total.zero == -128 and total.high == 127
    if second.is_half and not first.is_half:
        first, second = second, first
    plain = opens and first.is_half and second.shift != 0
    params: dict[str, ParamValue] = {"count": total.tensor.count}
    for name, term in (("1", first), ("2", second)):
        right = -term.shift
        params |= {
            f"zero{name}": term.zero << 21,
            f"multiplier{name}": term.multiplier,
            f"mask{name}": -1 if right else 0,
            f"rounding{name}": 1 << (right - 1) if right else 0,
            f"shift{name}": right,
        }
    right = -total.shift
    params |= {
        "multiplier": total.multiplier,
        "rounding": (total.zero << right) + (1 << (right - 1)),
        "shift": right,
        "plain": int(plain),
        "low": total.low,
        "high": total.high,
    }
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_dsp_add_s8",
        source="add_dsp_s8.c",
        flavour=FLAVOUR,
        params_type="nb_dsp_add_s8_params",
        params=tuple(params.items()),
        args=(read(first.tensor), read(second.tensor), write(total.tensor)),
        overlaps=(
            Overlap(tensor=first.tensor.index, lead_bytes=None),
            Overlap(tensor=second.tensor.index, lead_bytes=None),
        ),
        choice=Choice(
            reason="four elements of a word at a time",
            instructions=total.tensor.count * (19 if plain else 35),
        ),
    )
    return call, ()
