"""Small networks with one, two and three inputs of several types."""

from __future__ import annotations

from support.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model

_SIZE = 12


def _tensor(name: str, dtype: str = "int8", *, zero: int = 0) -> TensorSpec:
    plain = dtype in ("float32", "bool")
    return TensorSpec(
        shape=(1, _SIZE),
        dtype=dtype,
        name=name,
        scales=None if plain else (0.5,),
        zero_points=(zero,),
    )


def _add(first: int, second: int, out: int) -> OpSpec:
    return OpSpec(kind="ADD", inputs=(first, second), outputs=(out,), options={0: ("b", 0)})


def _quantize(source: int, out: int) -> OpSpec:
    return OpSpec(kind="QUANTIZE", inputs=(source,), outputs=(out,))


NETWORKS: dict[str, bytes] = {
    "one-float": write_model(
        ModelSpec(
            tensors=(_tensor("f", "float32"), _tensor("q"), _tensor("out")),
            ops=(_quantize(0, 1), OpSpec(kind="RELU", inputs=(1,), outputs=(2,))),
            outputs=(2,),
        )
    ),
    "two-int8": write_model(
        ModelSpec(
            tensors=(_tensor("a"), _tensor("b"), _tensor("out")),
            ops=(_add(0, 1, 2),),
            inputs=(0, 1),
            outputs=(2,),
        )
    ),
    "two-int8-float": write_model(
        ModelSpec(
            tensors=(_tensor("a"), _tensor("f", "float32"), _tensor("q"), _tensor("out")),
            ops=(_quantize(1, 2), _add(0, 2, 3)),
            inputs=(0, 1),
            outputs=(3,),
        )
    ),
    "three-float-uint8-int8": write_model(
        ModelSpec(
            tensors=(
                _tensor("f", "float32"),
                _tensor("u", "uint8", zero=128),
                _tensor("a"),
                _tensor("qf"),
                _tensor("qu"),
                _tensor("sum"),
                _tensor("out"),
            ),
            ops=(_quantize(0, 3), _quantize(1, 4), _add(3, 4, 5), _add(5, 2, 6)),
            inputs=(0, 1, 2),
            outputs=(6, 5),
        )
    ),
    "three-int8": write_model(
        ModelSpec(
            tensors=(_tensor("a"), _tensor("b"), _tensor("c"), _tensor("ab"), _tensor("out")),
            ops=(_add(0, 1, 3), _add(3, 2, 4)),
            inputs=(2, 0, 1),
            outputs=(4,),
        )
    ),
}
"""By name, .tflite files whose answer depends on every input."""
