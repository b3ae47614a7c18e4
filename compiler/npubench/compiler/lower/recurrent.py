"""UNIDIRECTIONAL_SEQUENCE_LSTM on int8 or int16 with 16-bit cells; its states live between
inferences."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType, Quantization, Tensor
from npubench.compiler.lower.requant import quantize_multiplier, single
from npubench.compiler.lower.sigmoid import logistic_table
from npubench.compiler.lower.site import Lowering, LoweringFunction, Site, read, write
from npubench.compiler.lower.weights import (
    bias_array,
    checked_multiplier,
    fold_offset,
    weight_array,
    weight_scales,
)
from npubench.compiler.lower.wide import sums_of, wide_bias, wide_pair
from npubench.compiler.plan import ConstantArg, KernelCall, ParamValue, ScratchArg, TensorArg

# Positions of inputs: gates in the kernel's order forget, input, cell, output.
_INPUT_WEIGHTS = (2, 1, 3, 4)
_STATE_WEIGHTS = (6, 5, 7, 8)
_BIASES = (13, 12, 14, 15)
_HIDDEN, _CELL = 18, 19
_ABSENT = (9, 10, 11, 16, 17, 20, 21, 22, 23)

_GATE_SCALE = 2.0**-12
_UNIT_SCALE = 2.0**-15


def _state(site: Site, position: int, dtype: DType, count: int, what: str) -> Tensor:
    tensor = site.input(position)
    site.require(tensor.dtype is dtype, f"its {what} state is {tensor.dtype}, not {dtype}")
    site.require(tensor.count == count, f"its {what} state has {tensor.count} values, not {count}")
    kept = {variable.tensor for variable in site.graph.variables}
    site.require(tensor.index in kept, f"its {what} state is no variable")
    return tensor


def _power(site: Site, scale: float) -> int:
    exponent = round(math.log2(scale))
    site.require(
        abs(math.log2(scale) - exponent) < 1e-3, f"its cell state has scale {scale}, no power of 2"
    )
    return exponent


def _bias(site: Site, position: int, units: int) -> NDArray[np.int64]:
    if site.is_wide():
        return wide_bias(site, position, units, (DType.INT64,))[0]
    return bias_array(site, position, units)


def _gate(
    site: Site, position: int, bias: NDArray[np.int64], given: Quantization, shape: tuple[int, int]
) -> tuple[bytes, bytes, tuple[int, int]]:
    """Weights, bias with the input's offset folded in, and the scaling to Q3.12."""
    tensor = site.input(position)
    weights = weight_array(site, tensor)
    site.require(weights.shape == shape, f"weights of shape {list(weights.shape)}")
    scales = weight_scales(site, tensor, axis=0)
    site.require(len(scales) == 1, "its weights are quantized per channel")
    # The reference forms this one product in float32.
    product = float(np.float32(given.scale) * np.float32(scales[0]))
    pair = checked_multiplier(site, product / _GATE_SCALE)
    if site.is_wide():
        sums_of(site, weights, bias, twice=False)
        return weights.tobytes(), bias.astype("<i8").tobytes(), wide_pair(site, *pair)
    folded = fold_offset(site, weights, bias, given.zero_point)
    return weights.tobytes(), folded.astype("<i4").tobytes(), pair


def _lstm(site: Site) -> Lowering:
    site.arity(inputs=(24,))
    source, target = site.activation(0), site.output()
    given = site.codes(source, "the input")
    wide = site.is_wide()
    ctype = "int16_t" if wide else "int8_t"
    site.require(source.dtype is target.dtype, f"{source.dtype} to {target.dtype}")
    site.require(len(source.shape) == 3, f"input of shape {list(source.shape)}")
    site.require(
        all(site.optional_input(position) is None for position in _ABSENT),
        "has a peephole, a projection or a layer normalization",
    )
    activation = site.word("fused_activation_function", "NONE")
    site.require(activation == "TANH", f"its cell's activation is {activation}")
    site.require(not site.flag("diagonal_recurrent_tensors"), "its recurrent weights are diagonal")
    time_major = site.flag("time_major")
    first, second, depth = source.shape
    batches, steps = (second, first) if time_major else (first, second)
    units = target.shape[-1]
    site.require(target.shape == (first, second, units), f"output of shape {list(target.shape)}")
    hidden = _state(site, _HIDDEN, source.dtype, batches * units, "hidden")
    cell = _state(site, _CELL, DType.INT16, batches * units, "cell")
    state = site.codes(hidden, "the hidden state")
    quantized = cell.quantization
    if quantized is None:
        site.fail("its cell state has no scale")
    weights, biases, pairs = [], [], []
    for gate in range(4):
        for position, quantization, width, bias in (
            (_INPUT_WEIGHTS[gate], given, depth, _bias(site, _BIASES[gate], units)),
            (_STATE_WEIGHTS[gate], state, units, np.zeros(units, dtype=np.int64)),
        ):
            made = _gate(site, position, bias, quantization, (units, width))
            weights.append(made[0])
            if not wide or position in _INPUT_WEIGHTS:
                biases.append(made[1])
            pairs.append(made[2])
    clip = site.number("cell_clip", 0.0)
    cell_scale = single(quantized.scale)
    limit = int(max(-32768.0, min(32767.0, single(clip) / cell_scale))) if clip > 0 else 0
    products = (
        quantize_multiplier(_UNIT_SCALE * cell_scale / cell_scale),
        quantize_multiplier(_UNIT_SCALE * _UNIT_SCALE / cell_scale),
        quantize_multiplier(_UNIT_SCALE * _UNIT_SCALE / single(state.scale)),
    )
    shift = 12 + _power(site, cell_scale)
    site.require(-15 <= shift <= 12, f"its cell state has scale {cell_scale}")
    params: dict[str, ParamValue] = {
        "batches": batches,
        "steps": steps,
        "depth": depth,
        "units": units,
        "step_stride": (batches if time_major else 1) * depth,
        "batch_stride": (1 if time_major else steps) * depth,
        "out_step_stride": (batches if time_major else 1) * units,
        "out_batch_stride": (1 if time_major else steps) * units,
        "multiplier": tuple(pair[0] for pair in pairs),
        "shift": tuple(pair[1] for pair in pairs),
        "product_multiplier": tuple(pair[0] for pair in products),
        "product_shift": tuple(pair[1] for pair in products),
        "cell_shift": shift,
        "clip": limit,
        "hidden_zero": state.zero_point,
    }
    constants = (
        site.constant("weights", "int8_t", b"".join(weights)),
        site.constant("bias", "int32_t", b"".join(biases)),
        site.constant("logistic", "uint16_t", logistic_table()),
    )
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_lstm_s16" if wide else "nb_lstm_s8",
        source="lstm_s16.c" if wide else "lstm_s8.c",
        params_type="nb_lstm_s8_params",
        params=tuple(params.items()),
        args=(
            read(source, ctype),
            *(ConstantArg(constant=constant.name) for constant in constants),
            write(hidden, ctype),
            TensorArg(tensor=cell.index, ctype="int16_t", const=False),
            ScratchArg(ctype="int16_t"),
            write(target, ctype),
        ),
        scratch_bytes=8 * units,
    )
    return call, constants


LOWERINGS: dict[str, LoweringFunction] = {"UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm}
