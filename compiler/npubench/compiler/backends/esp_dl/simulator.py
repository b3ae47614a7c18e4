"""esp-ppq's executor: what ESP-DL computes, by the program that writes its files. It tells no
cycles. It is no simulator of the part: it says what the .espdl file means."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from npubench.compiler.backends.esp_dl.onnx_form import onnx_form
from npubench.compiler.tflite.reader import read_tflite
from npubench.compiler.vendor.simulation import (
    Asked,
    SimulatedOp,
    Simulation,
    ToolSimulator,
    run_job,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EspDlSimulator(ToolSimulator):
    """See vendor.simulation.Simulator."""

    tool: str = "esp-ppq"
    form: Literal["int8", "float", "ranged"] = "float"
    settings: tuple[str, ...] = ("w8a8", "w8a16", "w16a16")

    def simulate(self, asked: Asked) -> Simulation:
        """Its ranges come from the calibration, in which the network saturates."""
        import numpy as np

        form = onnx_form(read_tflite(asked.model, name="network", floats=True))
        constants = io.BytesIO()
        named: dict[str, Any] = dict(form.constants)
        np.savez(constants, **named)
        found, answer = run_job(
            self.tool,
            Path(__file__).with_name("job.py"),
            asked,
            words=(asked.setting or self.settings[0],),
            more={
                "nodes.json": json.dumps(form.document()).encode(),
                "constants.npz": constants.getvalue(),
            },
            keep=("network.espdl",),
        )
        return Simulation(
            version=found.version,
            outputs=answer.outputs,
            ops=placed(answer.report["operators"]),
            figures={"model_bytes": len(answer.files["network.espdl"])},
            artifact=("network.espdl", answer.files["network.espdl"]),
        )


def placed(operators: Sequence[Mapping[str, Any]]) -> dict[int, SimulatedOp]:
    """Where each operator of the .tflite runs: with ESP-DL's vector kernels where one of its nodes
    is on integers, else as esp-ppq leaves it."""
    ops: dict[int, SimulatedOp] = {}
    for item in operators:
        number = int(item["op"])
        if item["quantized"]:
            ops[number] = SimulatedOp(engine="npu")
        elif number not in ops:
            ops[number] = SimulatedOp(
                engine="cpu", reason=f"esp-ppq leaves it on real numbers ({item['kind']})"
            )
    return ops
