"""nncase's own simulator of the K210: the KPU's modules by nncase's model of it, the rest by its
stack machine. It tells no cycles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from npubench.compiler.vendor.adapter import Figure, read_figures
from npubench.compiler.vendor.simulation import (
    Asked,
    SimulatedOp,
    Simulation,
    ToolSimulator,
    run_job,
)

_BUFFER = re.compile(r"^%(\d+)\((.*)\)\s+: <", re.MULTILINE)
_STEP = re.compile(r"^ +%(\d+) = (\w+)\(", re.MULTILINE)
_OP = re.compile(r"npubench_op(\d+)(?!\d)")
_MOVES = ("Input", "Constant", "Output", "KPUUpload", "KPUDownload")
FIGURES = (
    Figure(name="input_bytes", pattern=r"^input:[^(]*\((\d+) B\)"),
    Figure(name="output_bytes", pattern=r"^output:[^(]*\((\d+) B\)"),
    Figure(name="activations_bytes", pattern=r"^data:[^(]*\((\d+) B\)"),
    Figure(name="model_bytes", pattern=r"^MODEL:[^(]*\((\d+) B\)"),
    Figure(name="total_bytes", pattern=r"^TOTAL:[^(]*\((\d+) B\)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NncaseSimulator(ToolSimulator):
    """See vendor.simulation.Simulator."""

    tool: str = "nncase"
    form: Literal["int8", "float", "ranged"] = "float"
    settings: tuple[str, ...] = ("weights by range", "weights by least squares")

    def simulate(self, asked: Asked) -> Simulation:
        """One network input alone: nncase 1.x calibrates no more. Its ranges come from the
        calibration, in which the network saturates."""
        asked.needs_one_input("nncase 1.x")
        found, answer = run_job(
            self.tool,
            Path(__file__).with_name("job.py"),
            asked,
            words=(asked.setting or self.settings[0],),
            keep=("network.kmodel", "dump/codegen/*.sched", "dump/kmodel_info.txt"),
        )
        schedules = {
            Path(name).stem: data.decode(errors="replace")
            for name, data in answer.files.items()
            if name.endswith(".sched")
        }
        info = answer.files.get("dump/kmodel_info.txt", b"").decode(errors="replace")
        figures = {name: int(value) for name, value in read_figures(FIGURES, info).items()}
        return Simulation(
            version=found.version,
            outputs=answer.outputs,
            ops=placed(schedules),
            figures={**figures, "kpu_modules_count": len(schedules) - ("main" in schedules)},
            artifact=("network.kmodel", answer.files["network.kmodel"]),
        )


def placed(schedules: Mapping[str, str]) -> dict[int, SimulatedOp]:
    """Where each operator runs, from nncase's schedules by module.

    ``main`` is the CPU's, the others are the KPU's. An operator of which a part beyond moving data
    is in ``main``, and none on the KPU, is the CPU's; one that appears nowhere was folded away.
    """
    npu: set[int] = set()
    cpu: dict[int, list[str]] = {}
    for module, text in schedules.items():
        names = dict(_BUFFER.findall(text))
        for number, kind in _STEP.findall(text):
            match = _OP.search(names.get(number, ""))
            if kind in _MOVES or match is None:
                continue
            if module == "main":
                cpu.setdefault(int(match[1]), []).append(kind)
            else:
                npu.add(int(match[1]))
    ops = {op: SimulatedOp(engine="npu") for op in npu}
    for op, kinds in cpu.items():
        if op not in npu:
            words = ", ".join(dict.fromkeys(kinds))
            ops[op] = SimulatedOp(engine="cpu", reason=f"nncase keeps it on the CPU ({words})")
    return ops
