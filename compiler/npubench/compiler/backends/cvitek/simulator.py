"""tpu_mlir's simulator of the CV180x: the network on int8 with symmetric ranges, taken from the
int8 network (what is rectified has half of the codes), or on bfloat16, which saturates nowhere. It
tells no cycles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from npubench.compiler.backends.cvitek.report import FIGURES
from npubench.compiler.graph import Graph
from npubench.compiler.tflite.reader import read_tflite
from npubench.compiler.vendor.adapter import read_figures
from npubench.compiler.vendor.simulation import (
    Asked,
    SimulatedOp,
    Simulation,
    ToolSimulator,
    run_job,
)

_ROUTINE = re.compile(r"^ *#\d+ +cpu\n(?:.*\n)*? +outputs : (.*)\n +function: (\w+)", re.MULTILINE)
_OP = re.compile(r"npubench_op(\d+)")
_FORMS = ("quant", "dequant")
"""Functions of the run time that change a tensor's form and compute nothing of the network."""
_JOINS = ("ADD", "SUB", "MUL", "DIV", "MINIMUM", "MAXIMUM")
INT8 = "INT8"
FITTED = "INT8, ranges fitted"
"""Narrowed to what costs least over the calibration: as cheap on the part, but what is clipped was
chosen by drawn inputs."""
MIXED = "INT8, ranges fitted, last two thirds BF16"
"""The first third of the operators has the large images, and what they lose is lost once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CvitekSimulator(ToolSimulator):
    """See vendor.simulation.Simulator."""

    tool: str = "cvitek"
    form: Literal["int8", "float", "ranged"] = "ranged"
    settings: tuple[str, ...] = (INT8, FITTED, MIXED, "BF16")

    def simulate(self, asked: Asked) -> Simulation:
        """The table is written from ``ranges``; the calibration fits them where that is asked."""
        graph = read_tflite(asked.model, name="network", floats=True)
        order = ("channels-last",) if reads_in_order(graph) else ()
        found, answer = run_job(
            self.tool,
            Path(__file__).with_name("job.py"),
            asked,
            words=(*words_of(asked.setting or INT8, asked.ranges), *order),
            keep=("network.cvimodel", "info.txt"),
        )
        info = answer.files["info.txt"].decode(errors="replace")
        return Simulation(
            version=found.version,
            outputs=answer.outputs,
            ops=placed(asked.ranges, info),
            figures=read_figures(FIGURES, info),
            artifact=("network.cvimodel", answer.files["network.cvimodel"]),
        )


def reads_in_order(graph: Graph) -> bool:
    """Whether an operator takes the values of an image in the order in which they lie, or joins it
    with a tensor of fewer dimensions, whose last one is its channels.

    tpu_mlir puts channels first and relabels there what it should move: such a network is given
    with its channels where they are, and every convolution is transposed around."""

    def is_image(index: int) -> bool:
        shape = graph.tensor(index).shape
        return len(shape) == 4 and shape[3] > 1 and shape[1] * shape[2] > 1

    for op in graph.ops:
        given, made = op.inputs[0], op.outputs[0]
        moves = graph.tensor(given).shape != graph.tensor(made).shape
        if op.kind == "FULLY_CONNECTED" and is_image(given):
            return True
        if op.kind == "RESHAPE" and moves and (is_image(given) or is_image(made)):
            return True
        if op.kind in _JOINS and len(graph.tensor(made).shape) == 4:
            sides = [graph.tensor(index) for index in op.inputs]
            if any(len(side.shape) < 4 and side.count > 1 for side in sides):
                return True
    return False


def words_of(setting: str, ranges: Mapping[str, object]) -> tuple[str, ...]:
    """The job's arguments for a setting."""
    operators = len(_numbers(ranges))
    return {
        INT8: ("INT8",),
        FITTED: ("INT8", "fitted"),
        MIXED: ("INT8", "fitted", f"{operators // 3}"),
    }.get(setting, (setting,))


def _numbers(ranges: Mapping[str, object]) -> list[int]:
    return [int(found[1]) for name in ranges if (found := _OP.fullmatch(name)) is not None]


def placed(ranges: Mapping[str, object], info: str) -> dict[int, SimulatedOp]:
    """Where each operator runs: on the TPU, but for those that a routine of the CPU puts out."""
    ops = {number: SimulatedOp(engine="npu") for number in _numbers(ranges)}
    for outputs, function in _ROUTINE.findall(info):
        if function in _FORMS:
            continue
        for number in _OP.findall(outputs):
            ops[int(number)] = SimulatedOp(
                engine="cpu", reason=f"tpu_mlir keeps it on the CPU ({function})"
            )
    return ops
