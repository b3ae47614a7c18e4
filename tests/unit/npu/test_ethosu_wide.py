"""What the NPU does with 16-bit curves and tables, backward strides and 32-bit overflow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from npubench.compiler.backends.ethos_u.output import read_vela
from npubench.npu.ethosu.curves import sigmoid16, tanh16
from support.npu_networks import Net, filled, schema
from support.vela_in_process import Reference, compile_network, differing, run_compiled

pytest.importorskip("ethosu.vela", reason="Vela is not installed")


def unary(
    kind: str,
    shape: list[int],
    source: tuple[float, int],
    target: tuple[float, int],
    dtype: str,
    options: object = None,
) -> bytes:
    net = Net()
    x = net.input(shape, *source, dtype=dtype)
    net.op(kind, [x], [net.output(shape, *target, dtype=dtype)], options)
    return net.bytes()


def saved(folder: Path, data: bytes) -> Path:
    (folder / "in").mkdir(exist_ok=True)
    path = folder / "in" / "network.tflite"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("scale", [1 / 4096, 1 / 2048, 0.00013, 0.0003, 0.001])
@pytest.mark.parametrize("kind", ["TANH", "LOGISTIC"])
def test_all_int16_values_of_the_curves_equal_tflm(kind: str, scale: float, tmp_path: Path) -> None:
    network = saved(tmp_path, unary(kind, [1, 256, 256, 1], (scale, 0), (1 / 32768, 0), "int16"))
    compiled = compile_network(network, tmp_path, accelerator="ethos-u55-128")
    inputs = [np.arange(-32768, 32768, dtype=np.int16).reshape(1, 256, 256, 1)]
    got = run_compiled(read_vela(compiled.read_bytes(), name=kind), "ethos-u55-128", list(inputs))
    assert got == Reference(network).run(list(inputs), 1)


@pytest.mark.parametrize("depth", [2, 7, 40])
@pytest.mark.parametrize("scale", [0.00003, 0.0002, 0.0005])
def test_int16_softmax_equals_tflm(scale: float, depth: int, tmp_path: Path) -> None:
    options = filled(schema.SoftmaxOptionsT(), beta=1.0)
    data = unary("SOFTMAX", [1, depth], (scale, 0), (1 / 32768, 0), "int16", options)
    network = saved(tmp_path, data)
    assert differing(network, tmp_path, accelerator="ethos-u55-128") == 0


def test_the_curves_are_symmetric_and_saturate() -> None:
    values = np.arange(0, 140_000, 37, dtype=np.int64)
    assert (sigmoid16(values) + sigmoid16(-values) - 32768 <= 1).all()
    assert sigmoid16(np.array([1 << 20]))[0] == 32767
    assert tanh16(np.array([1 << 20]))[0] == 32767
    assert tanh16(np.array([-(1 << 20)]))[0] == -32767


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("depth", [1, 5, 16])
def test_mirror_padding_walks_backwards(
    depth: int, mode: int, legacy: bool, tmp_path: Path
) -> None:
    pads = np.array([[0, 0], [2, 1], [1, 2], [0, 0]])
    net = Net()
    x = net.input([1, 6, 7, depth], 0.05, 3)
    p = net.tensor([4, 2], dtype="int32", data=pads)
    y = net.output([1, 9, 10, depth], 0.05, 3)
    net.op("MIRROR_PAD", [x, p], [y], filled(schema.MirrorPadOptionsT(), mode=mode))
    network = saved(tmp_path, net.bytes())
    reference = Reference(network)
    inputs = reference.inputs(1, 0)
    compiled = compile_network(network, tmp_path, legacy=legacy)
    got = run_compiled(read_vela(compiled.read_bytes(), name="pad"), "ethos-u55-128", inputs)
    assert got == reference.run(inputs, 1)


@pytest.mark.parametrize("legacy", [False, True])
def test_softmax_of_equal_values_does_not_overflow(legacy: bool, tmp_path: Path) -> None:
    """The legacy core doubles 1.0 in 31 bits at its end: the NPU saturates there."""
    options = filled(schema.SoftmaxOptionsT(), beta=1.0)
    data = unary("SOFTMAX", [1, 2, 1, 4], (0.05, 0), (1 / 256, -128), "int8", options)
    network = saved(tmp_path, data)
    inputs: list[np.ndarray] = [np.array([[7] * 4, [-128] * 4], dtype=np.int8).reshape(1, 2, 1, 4)]
    compiled = compile_network(network, tmp_path, legacy=legacy)
    got = run_compiled(read_vela(compiled.read_bytes(), name="softmax"), "ethos-u55-128", inputs)
    assert got == [bytes([192] * 8)]
