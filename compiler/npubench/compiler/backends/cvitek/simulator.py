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
from npubench.compiler.vendor.adapter import read_figures
from npubench.compiler.vendor.simulation import Asked, SimulatedOp, Simulation, run_job

_ROUTINE = re.compile(r"^ *#\d+ +cpu\n(?:.*\n)*? +outputs : (.*)\n +function: (\w+)", re.MULTILINE)
_OP = re.compile(r"npubench_op(\d+)")
_FORMS = ("quant", "dequant")
"""Functions of the run time that change a tensor's form and compute nothing of the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CvitekSimulator:
    """See vendor.simulation.Simulator."""

    tool: str = "cvitek"
    form: Literal["int8", "float", "ranged"] = "ranged"
    tells_cycles: bool = False
    is_slow: bool = False
    settings: tuple[str, ...] = ("INT8", "BF16")

    def simulate(self, asked: Asked) -> Simulation:
        """Nothing is calibrated: the table is written from ``ranges``."""
        found, answer = run_job(
            self.tool,
            Path(__file__).with_name("job.py"),
            asked,
            words=(asked.setting or self.settings[0],),
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


def placed(ranges: Mapping[str, object], info: str) -> dict[int, SimulatedOp]:
    """Where each operator runs: on the TPU, but for those that a routine of the CPU puts out."""
    ops = {
        int(match[1]): SimulatedOp(engine="npu")
        for name in ranges
        if (match := _OP.fullmatch(name)) is not None
    }
    for outputs, function in _ROUTINE.findall(info):
        if function in _FORMS:
            continue
        for number in _OP.findall(outputs):
            ops[int(number)] = SimulatedOp(
                engine="cpu", reason=f"tpu_mlir keeps it on the CPU ({function})"
            )
    return ops
