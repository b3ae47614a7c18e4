"""Nordic's simulator of Axon, in the user's own copy of sdk-edge-ai: the network through the
compiler, the header that comes out through the add-on's driver, built for the host. Its model of
the accelerator tells cycles; what the driver computes on the CPU costs none there."""

from __future__ import annotations

import os
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
from npubench.compiler.vendor.tool import VendorTool, locate
from npubench.core.tool import find_tool

EXECUTOR = VendorTool(
    program="axons_ml_nn_compiler_executor.py",
    variable="AXON_COMPILER_DIR",
    inside="scripts/axons_ml_nn_compiler_executor.py",
    install="clone nrfconnect/sdk-edge-ai and set AXON_COMPILER_DIR to its tools/axon/compiler",
    version_words=(),
)
CPU_REASON = "Axon has no such operation: the driver computes it on the CPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class AxonSimulator(ToolSimulator):
    """See vendor.simulation.Simulator."""

    tool: str = "axon"
    form: Literal["int8", "float", "ranged"] = "int8"
    tells_cycles: bool = True
    is_slow: bool = True

    def check(self) -> None:
        """See Simulator."""
        ToolSimulator.check(self)
        self._programs()

    def simulate(self, asked: Asked) -> Simulation:
        """The int8 network as it is, one input and one output."""
        asked.needs_one_input("Axon's compiler")
        executor, compiler = self._programs()
        here = Path(__file__).resolve()
        found, answer = run_job(
            self.tool,
            here.with_name("job.py"),
            asked,
            words=(os.fspath(executor), os.fspath(here.with_name("simulate.c")), f"{compiler}"),
            keep=("outputs/nrf_axon_model_network_.h",),
        )
        del found
        report = answer.report
        return Simulation(
            version=str(report["version"]),
            outputs=answer.outputs,
            ops=placed(report["layers"], report["cycles"]),
            cycles=int(report["network_cycles"]),
            figures={name: int(value) for name, value in report["figures"].items()},
            artifact=(
                "nrf_axon_model_network_.h",
                answer.files["outputs/nrf_axon_model_network_.h"],
            ),
        )

    def _programs(self) -> tuple[Path, Path]:
        """Nordic's executor in the user's copy, and the C compiler that its driver is built with;
        raises ToolMissing."""
        return locate(EXECUTOR, engine="Nordic Axon"), find_tool("gcc", package="gcc")


def placed(
    layers: Sequence[Mapping[str, Any]], cycles: Mapping[str, int]
) -> dict[int, SimulatedOp]:
    """Where each operator of the .tflite runs: the compiler's list of its layers names the operator
    of each, and marks those of the driver's extensions. What it passes through is in no layer."""
    ops = {}
    for layer in layers:
        if str(layer["kind"]).startswith("CPU_"):
            ops[int(layer["op"])] = SimulatedOp(
                engine="cpu", reason=f"{CPU_REASON} ({layer['kind'][4:]})"
            )
        else:
            ops[int(layer["op"])] = SimulatedOp(
                engine="npu", cycles=cycles.get(str(layer["layer"]))
            )
    return ops
