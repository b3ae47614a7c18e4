"""LiteRT as an interpreter of float and quantized networks on the host: real numbers in and out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import CompileError, ToolMissing

Array = NDArray[Any]


class HostNetwork:
    """One .tflite in LiteRT, on one thread, without delegates.

    ``keep_all``: every tensor stays readable after ``run`` (see ``tensor``).
    """

    def __init__(self, data: bytes, *, keep_all: bool = False) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ImportError as error:
            raise ToolMissing(
                f"LiteRT cannot be imported: {error}", hint="pip install 'npubench[import]'"
            ) from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self._interpreter: Any = Interpreter(
                    model_content=data,
                    num_threads=1,
                    experimental_op_resolver_type=(
                        OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                    ),
                    experimental_preserve_all_tensors=keep_all,
                )
                self._interpreter.allocate_tensors()
            except (RuntimeError, ValueError) as error:
                raise CompileError(
                    f"LiteRT does not take the network: {str(error).splitlines()[0][:300]}",
                    hint="replace the operator that it names in the model",
                ) from error
        self.inputs: list[dict[str, Any]] = self._interpreter.get_input_details()
        self.outputs: list[dict[str, Any]] = self._interpreter.get_output_details()

    def run(self, values: Sequence[Array]) -> list[Array]:
        """Outputs in real numbers for inputs in real numbers, each with its batch of 1."""
        for detail, value in zip(self.inputs, values, strict=True):
            self._interpreter.set_tensor(detail["index"], quantized(value, detail))
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise CompileError(
                f"LiteRT does not run the network: {str(error).splitlines()[0][:300]}"
            ) from error
        return [
            real(self._interpreter.get_tensor(detail["index"]), detail) for detail in self.outputs
        ]

    def details(self) -> list[dict[str, Any]]:
        """Every tensor."""
        found: list[dict[str, Any]] = self._interpreter.get_tensor_details()
        return found

    def tensor(self, detail: dict[str, Any]) -> Array:
        """A tensor's real values after ``run``."""
        return real(self._interpreter.get_tensor(detail["index"]), detail)

    def operators(self) -> list[dict[str, Any]]:
        """Every operator: ``op_name``, ``inputs``, ``outputs``."""
        found: list[dict[str, Any]] = self._interpreter._get_ops_details()
        return found


def quantized(value: Array, detail: dict[str, Any]) -> Array:
    """Real numbers as a tensor of ``detail`` holds them."""
    dtype = np.dtype(detail["dtype"])
    scale, zero_point = detail["quantization"]
    shaped = np.asarray(value).reshape(tuple(detail["shape"]))
    if dtype.kind == "f" or not scale:
        return shaped.astype(dtype)
    limits = np.iinfo(dtype)
    steps = np.round(shaped.astype(np.float64) / scale) + zero_point
    return np.asarray(np.clip(steps, limits.min, limits.max).astype(dtype))


def real(value: Array, detail: dict[str, Any]) -> Array:
    """A tensor's values as real numbers, float32."""
    parameters = detail["quantization_parameters"]
    scales, zero_points = parameters["scales"], parameters["zero_points"]
    if np.dtype(detail["dtype"]).kind == "f" or not len(scales):
        return np.asarray(value)
    if len(scales) > 1:
        shape = [1] * value.ndim
        shape[parameters["quantized_dimension"]] = -1
        scales, zero_points = scales.reshape(shape), zero_points.reshape(shape)
    return np.asarray((value.astype(np.float64) - zero_points) * scales, dtype=np.float32)
