"""MLPerf Tiny's benchmarks by the shape of their networks: does a network fit one, is it one.

A trained network brought by path has no word of its data set. Its shape gives it away, and the
form in which MLCommons' runner uploads the data is the benchmark's, not the network's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npubench.compiler.findings import OTHER_SCALE, OTHER_ZERO_POINT, SHAPE_OF_A_BENCHMARK
from npubench.compiler.graph import DType, Graph
from npubench.core.errors import UsageError
from npubench.core.finding import Found
from npubench.zoo import BENCHMARKS, Mlperf

# A data set quantized with one scale is as good as raw for a network whose scale is within this.
SCALE_TOLERANCE_RATIO = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a benchmark's data set and score need: elements of the one input and the one output.

    ``scale`` and ``zero_point`` are those that the data set's bytes are quantized with; None where
    that is left to the network. Source: the reference models of mlcommons/tiny at 1afd2c9.
    """

    inputs: int
    outputs: int
    scale: float | None = None
    zero_point: int | None = None


SHAPES: dict[str, Shape] = {
    "kws01": Shape(inputs=490, outputs=12, scale=0.58470, zero_point=83),
    "vww01": Shape(inputs=96 * 96 * 3, outputs=2, zero_point=-128),
    "ic01": Shape(inputs=32 * 32 * 3, outputs=10, zero_point=-128),
    "ic02": Shape(inputs=32 * 32 * 3, outputs=10, zero_point=-128),
    "ad01": Shape(inputs=640, outputs=640),
}


def alike(graph: Graph) -> tuple[str, ...]:
    """The benchmarks whose data the network could take; none for most networks."""
    return tuple(name for name in SHAPES if _misfit(name, graph) is None)


def check_fit(name: str, graph: Graph) -> None:
    """Raises UsageError, with what was wanted, for a network that the benchmark's data do not
    fit."""
    misfit = _misfit(name, graph)
    if misfit is not None:
        fitting = alike(graph)
        raise UsageError(
            f"{graph.name}: not a network of {name}: {misfit}",
            hint=f"its shape is that of {' and '.join(fitting)}"
            if fitting
            else "leave --mlperf out: the network is uploaded as raw bytes",
        )


def remarks(brought: Mlperf | None, graph: Graph, *, named: bool) -> tuple[Found, ...]:
    """What a user should know before MLCommons' runner gives a wrong accuracy without a word.

    ``brought``: how the network presents itself. ``named``: by its user or the zoo.
    """
    if brought is None:
        found = () if named else alike(graph)
        if not found:
            return ()
        form = BENCHMARKS[found[0]]
        return (
            SHAPE_OF_A_BENCHMARK.found(
                network=graph.name,
                fitting=" and ".join(found),
                first=found[0],
                upload=form.input,
                result=form.result,
            ),
        )
    return () if _misfit(brought.model, graph) else _scale_remarks(brought.model, graph)


def raw_upload(brought: Mlperf, graph: Graph) -> bool:
    """Whether pixels go into the network as they are: its input is unsigned already."""
    return brought.input == "u8" and graph.tensor(graph.inputs[0]).dtype is DType.UINT8


def _misfit(name: str, graph: Graph) -> str | None:
    """Why the network cannot be the benchmark's, or None."""
    shape = SHAPES[name]
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return (
            f"it has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, one of each is "
            "wanted"
        )
    given, result = graph.tensor(graph.inputs[0]), graph.tensor(graph.outputs[0])
    if (given.count, result.count) != (shape.inputs, shape.outputs):
        return (
            f"it takes {given.count} values and gives {result.count}, "
            f"{shape.inputs} and {shape.outputs} are wanted"
        )
    wanted: Sequence[DType] = {
        "int8": (DType.INT8,),
        "u8": (DType.INT8, DType.UINT8),
        "f32le": (DType.INT8, DType.FLOAT32),
    }[BENCHMARKS[name].input]
    if given.dtype not in wanted:
        return (
            f"its input is {given.dtype.name.lower()}, "
            f"{' or '.join(dtype.name.lower() for dtype in wanted)} is wanted"
        )
    if BENCHMARKS[name].result == "mse" and result.dtype not in wanted:
        return f"its output is {result.dtype.name.lower()}, the error needs int8 or float32"
    return None


def _scale_remarks(name: str, graph: Graph) -> tuple[Found, ...]:
    """Where the data set's bytes mean other values to this network."""
    shape, given = SHAPES[name], graph.tensor(graph.inputs[0])
    if shape.zero_point is None or given.dtype is not DType.INT8:
        return ()
    if given.quantization is None or not given.quantization.scales:
        return ()
    scale, zero = given.quantization.scales[0], given.quantization.zero_points[0]
    if zero != shape.zero_point:
        return (
            OTHER_ZERO_POINT.found(
                network=graph.name, benchmark=name, wanted=shape.zero_point, found=zero
            ),
        )
    if shape.scale is not None and abs(scale / shape.scale - 1) > SCALE_TOLERANCE_RATIO:
        return (
            OTHER_SCALE.found(network=graph.name, benchmark=name, wanted=shape.scale, found=scale),
        )
    return ()
