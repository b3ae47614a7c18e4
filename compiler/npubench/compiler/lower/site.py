"""The place of one operator: what its lowering reads, and how it refuses.

A lowering checks every assumption through its Site, so that each refusal names the operator, its
index, the reason with the values, and where support would be added.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from npubench.compiler.graph import DType, Graph, Op, Quantization, Tensor
from npubench.compiler.plan import Arg, Choice, Constant, ConstantArg, Lowered, TensorArg
from npubench.core.errors import UnsupportedOp

HINT = "convert the model without this form of it (npubench coverage lists what runs)"
LARGEST_BYTES = 2**31 - 1
SMALLEST_SCALE = 2.0**-40
PORTABLE = "portable"

Lowering = tuple[Lowered, tuple[Constant, ...]]
LoweringFunction = Callable[["Site"], Lowering]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A tensor as a kernel's argument; ``constants`` holds its data when it is constant."""

    arg: Arg
    constants: tuple[Constant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One operator of a graph, seen by its lowering. ``flavours`` are the kernels that the core
    can run, best first; ``lean``: a kernel that can do with less scratch memory does;
    ``spare_bytes``: what a kernel may take beyond what it needs, where that saves time."""

    graph: Graph
    op: Op
    flavours: tuple[str, ...] = (PORTABLE,)
    lean: bool = False
    spare_bytes: int = 0

    def fail(self, reason: str) -> NoReturn:
        """Refuse the operator. Raises UnsupportedOp."""
        raise UnsupportedOp(op=self.op.kind, index=self.op.index, reason=reason, hint=HINT)

    def require(self, condition: bool, reason: str) -> None:
        """Refuse the operator for ``reason`` unless ``condition`` holds."""
        if not condition:
            self.fail(reason)

    def arity(self, *, inputs: tuple[int, ...]) -> None:
        """Require one of the given numbers of inputs, and one output."""
        count = len(self.op.inputs)
        self.require(count in inputs, f"has {count} inputs")
        self.require(len(self.op.outputs) == 1, f"has {len(self.op.outputs)} outputs")

    def input(self, position: int) -> Tensor:
        """The input at ``position``, which must be there and not be empty."""
        tensor = self.optional_input(position)
        if tensor is None:
            self.fail(f"input {position} is missing")
        return tensor

    def optional_input(self, position: int) -> Tensor | None:
        """The input at ``position``, or None when the model leaves it out."""
        if position >= len(self.op.inputs) or self.op.inputs[position] < 0:
            return None
        return self._checked(self.graph.tensor(self.op.inputs[position]), f"input {position}")

    def output(self) -> Tensor:
        """The only output."""
        tensor = self._checked(self.graph.tensor(self.op.outputs[0]), "the output")
        self.require(not tensor.is_constant, "its output is a constant")
        return tensor

    def _checked(self, tensor: Tensor, what: str) -> Tensor:
        self.require(
            all(size >= 1 for size in tensor.shape) and tensor.size_bytes <= LARGEST_BYTES,
            f"{what} has shape {list(tensor.shape)}",
        )
        return tensor

    def integer(self, name: str, default: int) -> int:
        """An integer option."""
        value = self.op.options.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(f"option {name} is {value!r}")
        return value

    def number(self, name: str, default: float) -> float:
        """A real option, finite."""
        value = self.op.options.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(f"option {name} is {value!r}")
        self.require(math.isfinite(value), f"option {name} is {value}")
        return float(value)

    def flag(self, name: str) -> bool:
        """A Boolean option, False by default."""
        return bool(self.op.options.get(name, False))

    def word(self, name: str, default: str) -> str:
        """An option that is an enum's name."""
        return str(self.op.options.get(name, default))

    def quantization(self, tensor: Tensor, what: str) -> Quantization:
        """The per-tensor quantization of an int8 tensor; refuses any other tensor."""
        self.require(tensor.dtype is DType.INT8, f"{what} is {tensor.dtype}, not int8")
        return self.affine(tensor, what)

    def is_wide(self, position: int = 0) -> bool:
        """Whether an input holds int16 codes."""
        tensor = self.optional_input(position)
        return tensor is not None and tensor.dtype is DType.INT16

    def symmetric(self, tensor: Tensor, what: str, *, tiny: bool = False) -> Quantization:
        """The per-tensor quantization of an int16 tensor, whose zero point must be zero."""
        self.require(tensor.dtype is DType.INT16, f"{what} is {tensor.dtype}, not int16")
        quantization = self.affine(tensor, what, tiny=tiny)
        self.require(
            quantization.zero_point == 0, f"{what} has zero point {quantization.zero_point}"
        )
        return quantization

    def codes(self, tensor: Tensor, what: str, *, tiny: bool = False) -> Quantization:
        """The per-tensor quantization of an int8 or an int16 tensor; ``tiny`` as `affine` has it,
        of int16."""
        if tensor.dtype is DType.INT16:
            return self.symmetric(tensor, what, tiny=tiny)
        return self.quantization(tensor, what)

    def affine(self, tensor: Tensor, what: str, *, tiny: bool = False) -> Quantization:
        """The per-tensor quantization of an 8-bit tensor of either signedness, or of int16;
        ``tiny``: whatever its scale, which may have underflowed where all is zero."""
        quantization = tensor.quantization
        if quantization is None:
            self.fail(f"{what} is not quantized")
        self.require(
            len(quantization.scales) == 1 and len(quantization.zero_points) == 1,
            f"{what} is quantized per channel",
        )
        low, high = (0, 255) if tensor.dtype is DType.UINT8 else (-128, 127)
        if tensor.dtype is DType.INT16:
            low, high = -32768, 32767
        self.require(
            math.isfinite(quantization.scale)
            and (quantization.scale >= SMALLEST_SCALE or tiny)
            and low <= quantization.zero_point <= high,
            f"{what} has scale {quantization.scale} and zero point {quantization.zero_point}",
        )
        return quantization

    def same_quantization(self, first: Tensor, second: Tensor, what: str) -> None:
        """Require that two tensors of codes are quantized alike: the operator only moves values."""
        a = self.codes(first, "the input")
        b = self.codes(second, "the output")
        self.require(first.dtype is second.dtype, f"{what} are {first.dtype} and {second.dtype}")
        self.require(
            a.scale == b.scale and a.zero_point == b.zero_point,
            f"{what} are quantized differently ({a.scale}, {a.zero_point} and {b.scale}, "
            f"{b.zero_point}), which the reference does not rescale",
        )

    def constant(self, what: str, ctype: str, data: bytes) -> Constant:
        """A named array of this operator."""
        return Constant(name=f"nb_c{self.op.index}_{what}", ctype=ctype, data=data)

    def operand(self, tensor: Tensor, what: str, ctype: str = "int8_t") -> Operand:
        """An input that may be constant, as an argument."""
        if tensor.data is None:
            return Operand(arg=read(tensor, ctype), constants=())
        constant = self.constant(what, ctype, tensor.data)
        return Operand(arg=ConstantArg(constant=constant.name), constants=(constant,))

    def activation(self, position: int) -> Tensor:
        """An input that must not be constant."""
        tensor = self.input(position)
        self.require(not tensor.is_constant, f"input {position} is a constant")
        return tensor

    def integers(self, position: int, what: str) -> tuple[int, ...]:
        """The values of a constant int32 or int64 input."""
        tensor = self.input(position)
        if tensor.data is None:
            self.fail(f"{what} is not a constant")
        self.require(
            tensor.dtype in (DType.INT32, DType.INT64), f"{what} is {tensor.dtype}, not int32"
        )
        size = tensor.dtype.size_bytes
        return tuple(
            int.from_bytes(tensor.data[at : at + size], "little", signed=True)
            for at in range(0, len(tensor.data), size)
        )


def read(tensor: Tensor, ctype: str = "int8_t") -> TensorArg:
    """A kernel's argument that reads a tensor of the arena."""
    return TensorArg(tensor=tensor.index, ctype=ctype, const=True)


def write(tensor: Tensor, ctype: str = "int8_t") -> TensorArg:
    """A kernel's argument that writes a tensor of the arena."""
    return TensorArg(tensor=tensor.index, ctype=ctype, const=False)


__all__ = [
    "HINT",
    "LARGEST_BYTES",
    "PORTABLE",
    "Choice",
    "Lowering",
    "LoweringFunction",
    "Operand",
    "Site",
    "read",
    "write",
]
