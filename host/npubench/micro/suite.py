"""The suite: about a hundred operator shapes in one network, so that one image and boot run all.

Every shape reads a small input of the network, seen in another form where it must be (RESHAPE moves
nothing), and its output is an output of the network, so that no compiler drops it. The suite is
fixed: a change of any shape raises VERSION, and tables of two versions are not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Final

from npubench.compiler.synthetic import NetworkBuilder, Node, Padding

VERSION: Final = 1
NAME: Final = "micro"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One member: ``name`` says operator and shape, ``input`` the shape that it reads."""

    name: str
    kind: str
    input: tuple[int, ...]
    apply: Callable[[NetworkBuilder, Node], Node]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The network and, by operator of it, which shape that is; RESHAPEs are none."""

    data: bytes
    shapes: tuple[Shape, ...]
    operators: tuple[int, ...]


@cache
def suite() -> Suite:
    """The suite as a .tflite; the same bytes every time."""
    net = NetworkBuilder(f"{NAME}{VERSION}", seed=VERSION)
    sources: dict[int, Node] = {}
    views: dict[tuple[int, ...], Node] = {}
    outputs: list[Node] = []
    operators: list[int] = []
    for shape in SHAPES:
        size = prod(shape.input)
        if size not in sources:
            sources[size] = net.input(shape.input)
            views[shape.input] = sources[size]
        if shape.input not in views:
            views[shape.input] = net.reshape(sources[size], shape.input)
        outputs.append(shape.apply(net, views[shape.input]))
        operators.append(net.operators - 1)
    return Suite(data=net.finish(*outputs), shapes=SHAPES, operators=tuple(operators))


def _conv(
    side: int,
    inputs: int,
    channels: int,
    kernel: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: Padding = "SAME",
) -> Shape:
    words = f"conv {kernel}x{kernel} {side}x{side}x{inputs} to {channels}"
    return Shape(
        name=words + _suffix(stride, dilation, padding),
        kind=f"conv{kernel}x{kernel}",
        input=(1, side, side, inputs),
        apply=lambda net, x: net.conv(
            x, channels, kernel, stride=stride, dilation=dilation, padding=padding
        ),
    )


def _line(length: int, inputs: int, channels: int, taps: int, dilation: int = 1) -> Shape:
    return Shape(
        name=f"conv 1x{taps} {length}x{inputs} to {channels}" + _suffix(1, dilation, "SAME"),
        kind="conv1d",
        input=(1, 1, length, inputs),
        apply=lambda net, x: net.conv(x, channels, (1, taps), dilation=(1, dilation)),
    )


def _depthwise(
    side: int,
    channels: int,
    kernel: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    multiplier: int = 1,
    padding: Padding = "SAME",
) -> Shape:
    words = f"depthwise {kernel}x{kernel} {side}x{side}x{channels}"
    if multiplier != 1:
        words += f" times {multiplier}"
    return Shape(
        name=words + _suffix(stride, dilation, padding),
        kind=f"depthwise{kernel}x{kernel}",
        input=(1, side, side, channels),
        apply=lambda net, x: net.depthwise(
            x,
            kernel,
            stride=stride,
            dilation=dilation,
            multiplier=multiplier,
            padding=padding,
        ),
    )


def _suffix(stride: int, dilation: int, padding: str) -> str:
    words = "" if stride == 1 else f" stride {stride}"
    words += "" if dilation == 1 else f" dilation {dilation}"
    return words + ("" if padding == "SAME" else " valid")


def _dense(inputs: int, units: int) -> Shape:
    return Shape(
        name=f"dense {inputs} to {units}",
        kind="dense",
        input=(1, inputs),
        apply=lambda net, x: net.dense(x, units),
    )


def _pool(word: str, side: int, channels: int, size: int, stride: int | None = None) -> Shape:
    kind = "AVERAGE" if word == "average" else "MAX"
    return Shape(
        name=f"{word} pool {size}x{size} {side}x{side}x{channels}"
        + _suffix(stride or 1, 1, "SAME"),
        kind=f"{word} pool",
        input=(1, side, side, channels),
        apply=lambda net, x: net.pool(
            x,
            kind,  # type: ignore[arg-type]
            size,
            stride=stride,
        ),
    )


def _mean(side: int, channels: int) -> Shape:
    return Shape(
        name=f"mean {side}x{side}x{channels}",
        kind="mean",
        input=(1, side, side, channels),
        apply=lambda net, x: net.mean(x),
    )


def _each(word: str, side: int, channels: int) -> Shape:
    def apply(net: NetworkBuilder, x: Node) -> Node:
        if word == "add":
            return net.add(x, x)
        if word == "multiply":
            return net.mul(x, x)
        return net.curve(x, "LOGISTIC" if word == "logistic" else "TANH")

    return Shape(
        name=f"{word} {side}x{side}x{channels}",
        kind=word,
        input=(1, side, side, channels),
        apply=apply,
    )


def _softmax(rows: int, columns: int) -> Shape:
    return Shape(
        name=f"softmax {rows}x{columns}",
        kind="softmax",
        input=(rows, columns) if rows == 1 else (1, 1, rows, columns),
        apply=lambda net, x: net.softmax(x),
    )


SHAPES: Final = (
    *(
        _conv(side, inputs, channels, 1)
        for side, inputs, channels in (
            (8, 16, 16), (8, 16, 32), (8, 32, 16), (8, 64, 16), (4, 64, 64), (4, 64, 128),
            (4, 256, 32), (16, 16, 8), (16, 4, 16), (2, 256, 64), (8, 12, 20), (5, 24, 40),
            (1, 256, 128), (16, 8, 8), (3, 128, 128), (8, 64, 64), (16, 64, 32),
        )
    ),
    _conv(16, 16, 16, 1, stride=2),
    _conv(8, 64, 32, 1, stride=2),
    *(
        _conv(side, inputs, channels, 3)
        for side, inputs, channels in (
            (8, 16, 16), (8, 16, 8), (8, 4, 16), (4, 64, 32), (4, 64, 64), (16, 4, 8),
            (16, 16, 8), (6, 24, 24), (8, 32, 16), (2, 64, 64), (16, 1, 8), (32, 3, 4),
            (16, 16, 16), (8, 64, 64),
        )
    ),
    _conv(8, 16, 16, 3, padding="VALID"),
    _conv(32, 3, 8, 3, stride=2),
    _conv(32, 3, 16, 3, stride=2),
    _conv(16, 16, 16, 3, stride=2),
    _conv(8, 16, 32, 3, stride=2),
    _conv(8, 64, 16, 3, stride=2),
    _conv(8, 16, 16, 3, dilation=2),
    _conv(16, 4, 8, 3, dilation=2),
    _conv(8, 16, 16, 5),
    _conv(16, 4, 8, 5),
    _conv(32, 3, 8, 5, stride=2),
    _conv(16, 1, 16, 5, stride=2),
    _conv(32, 3, 8, 7, stride=2),
    _line(64, 16, 16, 3),
    _line(64, 16, 16, 3, dilation=4),
    _line(64, 16, 32, 5),
    _line(256, 1, 8, 8),
    *(
        _depthwise(side, channels, 3)
        for side, channels in (
            (8, 16), (8, 64), (4, 64), (4, 256), (16, 16), (16, 4), (2, 256), (6, 24), (3, 128),
            (8, 32), (16, 64), (5, 24),
        )
    ),
    _depthwise(8, 32, 3, stride=2),
    _depthwise(16, 16, 3, stride=2),
    _depthwise(4, 256, 3, stride=2),
    _depthwise(16, 64, 3, stride=2),
    _depthwise(8, 16, 3, padding="VALID"),
    _depthwise(8, 16, 3, dilation=2),
    _depthwise(16, 1, 3, multiplier=8),
    _depthwise(8, 16, 5),
    _depthwise(8, 32, 5, stride=2),
    _depthwise(4, 64, 5),
    _depthwise(16, 16, 5),
    *(
        _dense(inputs, units)
        for inputs, units in (
            (64, 16), (64, 64), (256, 10), (256, 64), (256, 128), (1024, 10), (1024, 32),
            (64, 256), (16, 256), (640, 128), (128, 640),
        )
    ),
    _pool("max", 8, 16, 2, 2), _pool("max", 16, 16, 2, 2), _pool("max", 8, 64, 2, 2),
    _pool("max", 8, 16, 3, 2), _pool("average", 8, 16, 2, 2), _pool("average", 8, 64, 2, 2),
    _pool("average", 8, 64, 8), _pool("average", 4, 256, 4), _pool("average", 3, 128, 3),
    _mean(8, 16), _mean(8, 64), _mean(4, 256), _mean(2, 256),
    _each("add", 8, 16), _each("add", 8, 64), _each("add", 16, 16), _each("add", 5, 24),
    _each("multiply", 8, 16), _each("multiply", 8, 64),
    _each("logistic", 8, 16), _each("logistic", 8, 64), _each("tanh", 8, 16),
    _softmax(1, 16), _softmax(1, 64), _softmax(1, 256), _softmax(64, 16), _softmax(16, 64),
    _softmax(16, 256),
)  # fmt: skip
"""Attention is here by its projections (1x1) and its softmax over rows; the product of two
activations has no kernel."""
