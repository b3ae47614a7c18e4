"""Networks of one operator, and the tensors that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from support.tflite_writer import Field, ModelSpec, OpSpec, TensorSpec, write_model

Rng = np.random.Generator
Network = tuple[str, bytes]


def act(
    shape: Sequence[int], dtype: str = "int8", *, scale: float = 0.05, zero: int = 0
) -> TensorSpec:
    """An activation; only 8- and 16-bit integers carry a scale."""
    narrow = dtype in ("int8", "uint8", "int16")
    return TensorSpec(
        shape=shape, dtype=dtype, scales=(scale,) if narrow else None, zero_points=(zero,), name="a"
    )


def const(values: Any, dtype: str = "int32", *, scale: float | None = None) -> TensorSpec:
    """A constant in its own shape."""
    array = np.asarray(values).astype(np.dtype(dtype))
    return TensorSpec(
        shape=array.shape,
        dtype=dtype,
        data=array.tobytes(),
        scales=None if scale is None else (scale,),
        name="c",
    )


def one(
    kind: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    options: dict[int, Field] | None = None,
) -> bytes:
    """A network of one operator."""
    tensors = (*inputs, *outputs)
    made = range(len(inputs), len(tensors))
    return write_model(
        ModelSpec(
            tensors=tensors,
            ops=(OpSpec(kind=kind, inputs=range(len(inputs)), outputs=made, options=options),),
            inputs=[index for index, tensor in enumerate(inputs) if tensor.data is None],
            outputs=made,
        )
    )


def quant(rng: Rng) -> dict[str, Any]:
    """A scale and a zero point."""
    return {"scale": float(2.0 ** rng.uniform(-7, 0)), "zero": int(rng.integers(-128, 128))}
