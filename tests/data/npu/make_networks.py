"""Write the networks of this folder, which Vela splits between the NPU and the CPU.

Run from the root: ``.venv/bin/python tests/data/npu/make_networks.py``. Equal code gives equal
bytes. A nearest-neighbour resize with unequal factors is what Vela leaves on the CPU.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "ops"))

from make_ops import NONE, SAME, VALID, Net, schema  # noqa: E402


def pool(kind: str, net: Net, source: int, target: int, size: int, step: int, padding: int) -> None:
    options = schema.Pool2DOptionsT()
    options.filterHeight = options.filterWidth = size
    options.strideH = options.strideW = step
    options.padding = padding
    options.fusedActivationFunction = NONE
    net.op(kind, [source], [target], options)


def resize(net: Net, source: int, target: int, size: tuple[int, int]) -> None:
    wanted = net.tensor([2], dtype="int32", data=np.array(size))
    options = schema.ResizeNearestNeighborOptionsT()
    options.alignCorners = options.halfPixelCenters = False
    net.op("RESIZE_NEAREST_NEIGHBOR", [source, wanted], [target], options)


def head(net: Net, source: int, count: int, scale: float = 0.05, zero: int = 3) -> int:
    """RESHAPE, FULLY_CONNECTED to ten classes, SOFTMAX's input."""
    rng = np.random.default_rng(7)
    flat = net.tensor([1, count], scale, zero)
    shape = net.tensor([2], dtype="int32", data=np.array([1, count]))
    reshape = schema.ReshapeOptionsT()
    reshape.newShape = [1, count]
    net.op("RESHAPE", [source, shape], [flat], reshape)
    weights = net.tensor([10, count], 0.01, dtype="int8", data=rng.integers(-127, 128, (10, count)))
    bias = net.tensor([10], 0.0005, dtype="int32", data=rng.integers(-4000, 4000, 10))
    scores = net.tensor([1, 10], 0.08, -4)
    dense = schema.FullyConnectedOptionsT()
    dense.fusedActivationFunction = NONE
    net.op("FULLY_CONNECTED", [flat, weights, bias], [scores], dense)
    return scores


def softmax(net: Net, source: int) -> None:
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    net.op("SOFTMAX", [source], [net.output([1, 10], 1.0 / 256, -128)], options)


def sandwich() -> bytes:
    """NPU, CPU, NPU: one tensor crosses each border."""
    net = Net()
    source = net.input([1, 9, 8, 4], 0.05, 3)
    pooled = net.tensor([1, 9, 8, 4], 0.05, 3)
    pool("MAX_POOL_2D", net, source, pooled, 3, 1, SAME)
    small = net.tensor([1, 4, 3, 4], 0.05, 3)
    resize(net, pooled, small, (4, 3))
    softmax(net, head(net, small, 48))
    return net.bytes()


def branches() -> bytes:
    """Two paths, one of them over the CPU, that meet again on the NPU."""
    net = Net()
    source = net.input([1, 9, 8, 4], 0.05, 3)
    pooled = net.tensor([1, 9, 8, 4], 0.05, 3)
    pool("MAX_POOL_2D", net, source, pooled, 3, 1, SAME)
    small = net.tensor([1, 4, 3, 4], 0.05, 3)
    resize(net, pooled, small, (4, 3))
    mean = net.tensor([1, 4, 3, 4], 0.05, 3)
    half = net.tensor([1, 4, 4, 4], 0.05, 3)
    pool("AVERAGE_POOL_2D", net, pooled, half, 2, 2, VALID)
    resize(net, half, mean, (4, 3))
    total = net.tensor([1, 4, 3, 4], 0.07, -5)
    options = schema.AddOptionsT()
    options.fusedActivationFunction = NONE
    net.op("ADD", [small, mean], [total], options)
    scores = head(net, total, 48, 0.07, -5)
    softmax(net, scores)
    return net.bytes()


def float_end() -> bytes:
    """The CPU has the last word: the scores leave as floats."""
    net = Net()
    source = net.input([1, 4, 3, 4], 0.05, 3)
    pooled = net.tensor([1, 4, 3, 4], 0.05, 3)
    pool("MAX_POOL_2D", net, source, pooled, 3, 1, SAME)
    scores = head(net, pooled, 48)
    net.op(
        "DEQUANTIZE", [scores], [net.output([1, 10], dtype="float32")], schema.DequantizeOptionsT()
    )
    return net.bytes()


def main() -> None:
    """Write every network."""
    for name, data in (
        ("sandwich", sandwich()),
        ("branches", branches()),
        ("float_end", float_end()),
    ):
        (FOLDER / f"{name}.tflite").write_bytes(data)


if __name__ == "__main__":
    main()
