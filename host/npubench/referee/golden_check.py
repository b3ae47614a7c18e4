"""Whether an image's outputs are the reference model's, by TensorFlow Lite Micro.

Images print three decimals; engines may round otherwise than TFLM by a quantized step.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import ModelFormatError, NpubenchError
from npubench.golden import golden_outputs
from npubench.referee.session import benchmark_input

PRINTED = 0.0006
STEPS = 1.0
CLOSE = 0.1
SIZES = {"kws01": (490, 12), "vww01": (27648, 2), "ic01": (3072, 10), "ad01": (640, 640)}


def compare(model: str, results: Sequence[float], references: Sequence[Path], seed: int) -> str:
    """``match`` (within a quantized step), ``close`` (same answer), ``differs``, or
    ``unavailable: why``."""
    if model not in SIZES:
        return f"unavailable: the benchmark {model!r} is not known"
    problem = "no reference model was given for it"
    for path in references:
        try:
            data = path.read_bytes()
            graph = read_tflite(data, name=path.name)
            source, target = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
            if (source.count, target.count) != SIZES[model]:
                continue
            if source.quantization is None or target.quantization is None:
                raise ModelFormatError(f"{path.name} is not quantized")
            scale, zero = target.quantization.scales[0], target.quantization.zero_points[0]
            stimulus = benchmark_input(model, seed)
            assert stimulus is not None
            raw = _quantized(
                model, stimulus, source.quantization.scales[0], source.quantization.zero_points[0]
            )
            answer = golden_outputs(data, raw).output_bytes
        except (NpubenchError, OSError) as error:
            problem = str(error)
            continue
        values = [(byte - 256 * (byte > 127) - zero) * scale for byte in answer]
        if model == "ad01":
            floats = struct.unpack(f"<{len(values)}f", stimulus)
            loss = sum((a - b) ** 2 for a, b in zip(values, floats, strict=True)) / len(values)
            return _verdict([loss], results, tolerance=loss * 0.001 + PRINTED, close=loss * 0.1)
        return _verdict(values, results, tolerance=STEPS * scale + PRINTED, close=CLOSE)
    return f"unavailable: {problem}"


def _verdict(
    wanted: Sequence[float], found: Sequence[float], *, tolerance: float, close: float
) -> str:
    if len(wanted) != len(found):
        return "differs"
    largest = max(abs(a - b) for a, b in zip(wanted, found, strict=True))
    if largest <= tolerance:
        return "match"
    same = max(range(len(wanted)), key=wanted.__getitem__) == max(
        range(len(found)), key=found.__getitem__
    )
    return "close" if same and largest <= close else "differs"


def _quantized(model: str, stimulus: bytes, scale: float, zero: int) -> bytes:
    if model == "kws01":
        return stimulus
    if model == "ad01":
        floats = struct.unpack(f"<{len(stimulus) // 4}f", stimulus)
        steps = [max(-128, min(127, round(value / scale) + zero)) for value in floats]
        return struct.pack(f"<{len(steps)}b", *steps)
    return bytes(byte ^ 0x80 for byte in stimulus)
