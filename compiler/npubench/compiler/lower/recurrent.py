"""UNIDIRECTIONAL_SEQUENCE_LSTM on int8 with 16-bit cells; its states live between inferences."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType, Quantization, Tensor
from npubench.compiler.lower.requant import quantize_multiplier, single
from npubench.compiler.lower.site import Lowering, LoweringFunction, Site, read, write
from npubench.compiler.lower.weights import (
    bias_array,
    checked_multiplier,
    fold_offset,
    weight_array,
    weight_scales,
)
from npubench.compiler.plan import ConstantArg, KernelCall, ParamValue, ScratchArg, TensorArg

# Positions of inputs: gates in the kernel's order forget, input, cell, output.
_INPUT_WEIGHTS = (2, 1, 3, 4)
_STATE_WEIGHTS = (6, 5, 7, 8)
_BIASES = (13, 12, 14, 15)
_HIDDEN, _CELL = 18, 19
_ABSENT = (9, 10, 11, 16, 17, 20, 21, 22, 23)

_GATE_SCALE = 2.0**-12
_UNIT_SCALE = 2.0**-15

# Where TensorFlow Lite Micro's table of the logistic function (lite/kernels/internal/common.h) is
# one above the rounded value.
_ONE_MORE = frozenset(
    (
        4,
        8,
        12,
        14,
        15,
        16,
        17,
        19,
        20,
        21,
        22,
        25,
        27,
        28,
        29,
        30,
        31,
        33,
        34,
        35,
        37,
        39,
        40,
        41,
        43,
        44,
        45,
        46,
        49,
        50,
        54,
        62,
        63,
        64,
        66,
        82,
        86,
        93,
        100,
        103,
        112,
        116,
        135,
        255,
    )
)


def logistic_table() -> bytes:
    """logistic(i / 24) for i = 0 .. 255 in Q0.16, little-endian uint16."""
    values = [
        min(65535, math.floor(65536 / (1 + math.exp(-i / 24)) + 0.5) + (i in _ONE_MORE))
        for i in range(256)
    ]
    return np.array(values, "<u2").tobytes()


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


def _gate(
    site: Site, position: int, bias: NDArray[np.int64], given: Quantization, shape: tuple[int, int]
) -> tuple[NDArray[np.int8], NDArray[np.int32], tuple[int, int]]:
    """Weights, bias with the input's offset folded in, and the scaling to Q3.12."""
    tensor = site.input(position)
    weights = weight_array(site, tensor)
    site.require(weights.shape == shape, f"weights of shape {list(weights.shape)}")
    scales = weight_scales(site, tensor, axis=0)
    site.require(len(scales) == 1, "its weights are quantized per channel")
    folded = fold_offset(site, weights, bias, given.zero_point)
    # The reference forms this one product in float32.
    product = float(np.float32(given.scale) * np.float32(scales[0]))
    return weights, folded, checked_multiplier(site, product / _GATE_SCALE)


def _lstm(site: Site) -> Lowering:
    site.arity(inputs=(24,))
    source, target = site.activation(0), site.output()
    given = site.quantization(source, "the input")
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
    hidden = _state(site, _HIDDEN, DType.INT8, batches * units, "hidden")
    cell = _state(site, _CELL, DType.INT16, batches * units, "cell")
    state = site.quantization(hidden, "the hidden state")
    quantized = cell.quantization
    if quantized is None:
        site.fail("its cell state has no scale")
    weights, biases, pairs = [], [], []
    for gate in range(4):
        for position, quantization, width, bias in (
            (_INPUT_WEIGHTS[gate], given, depth, bias_array(site, _BIASES[gate], units)),
            (_STATE_WEIGHTS[gate], state, units, np.zeros(units, dtype=np.int64)),
        ):
            made = _gate(site, position, bias, quantization, (units, width))
            weights.append(made[0].tobytes())
            biases.append(made[1].astype("<i4").tobytes())
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
        kernel="nb_lstm_s8",
        source="lstm_s8.c",
        params_type="nb_lstm_s8_params",
        params=tuple(params.items()),
        args=(
            read(source),
            *(ConstantArg(constant=constant.name) for constant in constants),
            write(hidden),
            TensorArg(tensor=cell.index, ctype="int16_t", const=False),
            ScratchArg(ctype="int16_t"),
            write(target),
        ),
        scratch_bytes=8 * units,
    )
    return call, constants


LOWERINGS: dict[str, LoweringFunction] = {"UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm}
