"""The typed network that everything after the parser works on.

A Graph is plain frozen data, already checked: every index is in range, every shape static,
every constant as long as its shape and dtype say.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod


class DType(StrEnum):
    """Element types that a parsed network may hold."""

    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    BOOL = "bool"
    RESOURCE = "resource"
    """A handle: it names a variable and has no bytes of its own."""

    @property
    def size_bytes(self) -> int:
        return _SIZE[self]


_SIZE = {
    DType.INT8: 1,
    DType.UINT8: 1,
    DType.BOOL: 1,
    DType.INT16: 2,
    DType.INT32: 4,
    DType.FLOAT32: 4,
    DType.INT64: 8,
    DType.RESOURCE: 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Affine quantization, real = scale * (q - zero_point); per channel along ``axis`` if many."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def scale(self) -> float:
        """The scale of a per-tensor quantized tensor."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a per-tensor quantized tensor."""
        return self.zero_points[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A value of the network; ``data`` holds little-endian bytes when it is constant."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None
    data: bytes | None

    @property
    def count(self) -> int:
        """Number of elements; 1 for a scalar."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        return self.count * self.dtype.size_bytes

    @property
    def is_constant(self) -> bool:
        return self.data is not None


OptionValue = int | float | bool | str | tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operator. ``kind`` is TFLite's builtin name, e.g. ``CONV_2D``; a missing optional
    input is -1. ``options`` holds the builtin options under their schema names, with enums as
    their schema names (``padding: "SAME"``, ``fused_activation_function: "RELU"``)."""

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, OptionValue]
    custom_code: str = ""
    custom_options: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What a network keeps between inferences: ``tensor`` is its memory, ``initial`` what ``init``
    puts there (all bytes). ``handles`` are the tensors that stand for it; an operator that updates
    ``tensor`` itself needs none."""

    tensor: int
    name: str
    initial: bytes
    handles: tuple[int, ...] = ()


STATE_INFERENCES = 4
"""Inferences that a known answer of a network with state takes, from its first state on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A network with one subgraph, its operators in execution order. ``variables``: its state."""

    name: str
    sha256: str
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    variables: tuple[Variable, ...] = ()

    @property
    def inferences(self) -> int:
        """How many inferences in a row a known answer takes: 1 without state."""
        return STATE_INFERENCES if self.variables else 1

    @property
    def state_bytes(self) -> int:
        """Bytes kept between inferences."""
        return sum(len(variable.initial) for variable in self.variables)

    def variable(self, handle: int) -> Variable:
        """The variable that a tensor stands for. Raises KeyError."""
        for variable in self.variables:
            if handle in variable.handles or handle == variable.tensor:
                return variable
        raise KeyError(handle)

    def tensor(self, index: int) -> Tensor:
        return self.tensors[index]
