"""The MLTK's simulator of the MVP: TFLM with Silicon Labs' kernels, the accelerator's cycles by
layer. What runs on the CPU beside it costs no cycles there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from npubench.compiler.vendor.simulation import (
    Asked,
    SimulatedOp,
    Simulation,
    ToolSimulator,
    run_job,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MvpSimulator(ToolSimulator):
    """See vendor.simulation.Simulator."""

    tool: str = "mltk"
    form: Literal["int8", "float", "ranged"] = "int8"
    tells_cycles: bool = True
    is_slow: bool = True

    def simulate(self, asked: Asked) -> Simulation:
        """The network as it is: the MVP's kernels take TFLM's int8, nothing is calibrated."""
        found, answer = run_job(
            self.tool,
            Path(__file__).with_name("job.py"),
            asked,
        )
        return Simulation(
            version=found.version,
            outputs=answer.outputs,
            ops=placed(answer.report["layers"]),
            figures={"ram_bytes": int(answer.report["ram_bytes"])},
        )


def placed(layers: Sequence[Mapping[str, Any]]) -> dict[int, SimulatedOp]:
    """Where each operator runs: on the accelerator, where it counted cycles there."""
    ops = {}
    for index, layer in enumerate(layers):
        cycles, error = int(layer["cycles"]), " ".join(str(layer["error"]).split())
        if cycles:
            ops[index] = SimulatedOp(engine="npu", cycles=cycles)
        else:
            ops[index] = SimulatedOp(
                engine="cpu", reason=error or "the MVP's kernels have no such operator"
            )
    return ops
