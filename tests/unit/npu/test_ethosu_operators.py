"""Operators that Vela maps and the folder of operators has not: exact, against whom knows them.

TFLite Micro where it has a kernel, else LiteRT's reference kernels. What differs is named in
docs/npu.md: SUM (by one or two steps; the float truth differs from both), GELU and NEG.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npubench.compiler.backends.ethos_u.output import read_vela
from support.npu_networks import Net, filled, schema
from support.npu_verdict import Interpreter
from support.vela_in_process import Reference, compile_network, run_compiled

pytest.importorskip("ethosu.vela", reason="Vela is not installed")
IMAGE = (1, 5, 6, 7)
WITHOUT_TFLM = {"EXP", "LOG", "RELU_0_TO_1", "RELU_N1_TO_1", "TILE"}


def numbers(net: Net, values: Any) -> int:
    data = np.array(values, dtype=np.int32)
    return net.tensor(data.shape, dtype="int32", data=data)


def unary(
    kind: str,
    options: Any = None,
    source: tuple[float, int] = (0.05, -10),
    target: tuple[float, int] = (0.05, -10),
) -> Net:
    net = Net()
    x = net.input(IMAGE, *source)
    net.op(kind, [x], [net.output(IMAGE, *target)], options)
    return net


def reduction(kind: str, axes: list[int], shape: tuple[int, ...]) -> Net:
    net = Net()
    x = net.input(IMAGE, 0.05, 3)
    options = filled(schema.ReducerOptionsT(), keepDims=True)
    net.op(kind, [x, numbers(net, axes)], [net.output(shape, 0.05, 3)], options)
    return net


def prelu() -> Net:
    net = Net()
    x = net.input(IMAGE, 0.05, -10)
    data = np.random.default_rng(0).integers(-100, 100, (1, 1, 7))
    alpha = net.tensor((1, 1, 7), 0.01, 3, data=data)
    net.op("PRELU", [x, alpha], [net.output(IMAGE, 0.04, 4)])
    return net


def tile() -> Net:
    net = Net()
    x = net.input((1, 3, 4, 5), 0.05, 1)
    y = net.output((1, 6, 4, 10), 0.05, 1)
    net.op("TILE", [x, numbers(net, [1, 2, 1, 2])], [y], schema.TileOptionsT())
    return net


def pack() -> Net:
    net = Net()
    sources = [net.input((1, 3, 4), 0.05, 1) for _ in range(2)]
    options = filled(schema.PackOptionsT(), valuesCount=2, axis=2)
    net.op("PACK", sources, [net.output((1, 3, 2, 4), 0.05, 1)], options)
    return net


def unpack() -> Net:
    net = Net()
    x = net.input((1, 2, 4, 6), 0.05, 1)
    targets = [net.output((1, 4, 6), 0.05, 1) for _ in range(2)]
    net.op("UNPACK", [x], targets, filled(schema.UnpackOptionsT(), num=2, axis=1))
    return net


def split_v() -> Net:
    net = Net()
    x = net.input((1, 4, 5, 7), 0.05, 1)
    targets = [net.output((1, 4, 5, size), 0.05, 1) for size in (3, 4)]
    sources = [x, numbers(net, [3, 4]), numbers(net, 3)]
    net.op("SPLIT_V", sources, targets, filled(schema.SplitVOptionsT(), numSplits=2))
    return net


def part() -> Net:
    net = Net()
    x = net.input((1, 4, 5, 7), 0.05, 1)
    sources = [x, numbers(net, [0, 1, 1, 2]), numbers(net, [1, 2, 3, 4])]
    net.op("SLICE", sources, [net.output((1, 2, 3, 4), 0.05, 1)], schema.SliceOptionsT())
    return net


def arg_max() -> Net:
    net = Net()
    x = net.input(IMAGE, 0.05, 1)
    options = filled(schema.ArgMaxOptionsT(), outputType=schema.TensorType.INT32)
    net.op("ARG_MAX", [x, numbers(net, 3)], [net.output(IMAGE[:3], dtype="int32")], options)
    return net


def batch_matmul() -> Net:
    net = Net()
    sources = [net.input((1, 2, 5, 6), 0.05, 1), net.input((1, 2, 6, 4), 0.04, 2)]
    target = net.output((1, 2, 5, 4), 0.1, 1)
    net.op("BATCH_MATMUL", sources, [target], schema.BatchMatMulOptionsT())
    return net


CASES: dict[str, Callable[[], Net]] = {
    "ABS": lambda: unary("ABS", schema.AbsOptionsT(), target=(0.05, -128)),
    "EXP": lambda: unary("EXP", schema.ExpOptionsT(), (0.01, 0), (0.02, -128)),
    "LOG": lambda: unary("LOG", None, (0.02, -128), (0.03, 0)),
    "RSQRT": lambda: unary("RSQRT", None, (0.05, -128), (0.02, -128)),
    "RELU_0_TO_1": lambda: unary("RELU_0_TO_1"),
    "RELU_N1_TO_1": lambda: unary("RELU_N1_TO_1"),
    "PRELU": prelu,
    "TILE": tile,
    "PACK": pack,
    "UNPACK": unpack,
    "SPLIT_V": split_v,
    "SLICE": part,
    "REDUCE_MAX of channels": lambda: reduction("REDUCE_MAX", [3], (1, 5, 6, 1)),
    "REDUCE_MAX of the image": lambda: reduction("REDUCE_MAX", [1, 2], (1, 1, 1, 7)),
    "REDUCE_MIN of channels": lambda: reduction("REDUCE_MIN", [3], (1, 5, 6, 1)),
    "REDUCE_MIN of the image": lambda: reduction("REDUCE_MIN", [1, 2], (1, 1, 1, 7)),
    "ARG_MAX": arg_max,
    "BATCH_MATMUL": batch_matmul,
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_is_exact(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    network = tmp_path / "in" / "network.tflite"
    network.write_bytes(CASES[name]().bytes())
    model = read_vela(compile_network(network, tmp_path).read_bytes(), name=name)
    rng = np.random.default_rng(1)
    inputs: list[NDArray[np.generic]] = [
        rng.integers(-128, 128, model.tensors[index].shape, dtype=np.int8) for index in model.inputs
    ]
    got = run_compiled(model, "ethos-u55-128", inputs)
    if name in WITHOUT_TFLM:
        assert got == Interpreter(network).run(inputs)
    else:
        assert got == Reference(network).run(inputs, len(model.outputs))
