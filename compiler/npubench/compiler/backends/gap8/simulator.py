"""NNTool's executor, in the user's own copy of gap_sdk: what the AutoTiler's model computes, by the
program that writes it. It tells no cycles, and is no simulator of the part."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from npubench.compiler.tflite.reader import read_tflite
from npubench.compiler.vendor.simulation import (
    Array,
    Asked,
    SimulatedOp,
    Simulation,
    ToolSimulator,
    run_job,
)
from npubench.compiler.vendor.tool import VendorTool, locate
from npubench.core.errors import CompileError

NNTOOL = VendorTool(
    program="nntool",
    variable="GAP_SDK_HOME",
    inside="tools/nntool/scripts/nntool",
    install="clone GreenWaves-Technologies/gap_sdk and set GAP_SDK_HOME to it",
    version_words=(),
)
FILES = ("network_model.c", "Expression_Kernels.*", "tensors/*")


@dataclass(frozen=True, slots=True, kw_only=True)
class NntoolSimulator(ToolSimulator):
    """See vendor.simulation.Simulator."""

    tool: str = "nntool"
    form: Literal["int8", "float", "ranged"] = "int8"

    def check(self) -> None:
        """See Simulator."""
        ToolSimulator.check(self)
        locate(NNTOOL, engine="GAP8's cluster")

    def simulate(self, asked: Asked) -> Simulation:
        """The int8 network as it is, one input and int8 outputs; NNTool makes its tensors
        symmetric where a kernel of the cluster wants that, a softmax's output 16 bits wide."""
        asked.needs_one_input("this adapter of NNTool")
        graph = read_tflite(asked.model, name="network")
        ends = [graph.tensor(index) for index in (*graph.inputs, *graph.outputs)]
        if any(tensor.dtype.value != "int8" or tensor.quantization is None for tensor in ends):
            raise CompileError(
                "NNTool is asked with int8 inputs and outputs alone",
                hint="quantize the network with int8 borders, or --backend cpu",
            )
        program = locate(NNTOOL, engine="GAP8's cluster")
        affine = [
            (tensor.quantization.scale, tensor.quantization.zero_point)
            for tensor in ends
            if tensor.quantization is not None
        ]
        _, answer = run_job(
            self.tool,
            Path(__file__).with_name("job.py"),
            asked,
            words=(os.fspath(program),),
            more={"ends.json": json.dumps(affine).encode()},
            keep=FILES,
        )
        report = answer.report
        outputs = tuple(
            _codes(values, scale, zero)
            for values, (scale, zero) in zip(answer.outputs, affine[1:], strict=True)
        )
        return Simulation(
            version=str(report["version"]),
            outputs=tuple(
                codes.reshape(len(codes), *graph.tensor(index).shape[1:])
                for codes, index in zip(outputs, graph.outputs, strict=True)
            ),
            ops=placed(report["nodes"], [op.kind for op in graph.ops]),
            figures={name: int(value) for name, value in report["figures"].items()},
            artifact=("network_model.tar", packed(answer.files)),
        )


def placed(nodes: Sequence[str], kinds: Sequence[str]) -> dict[int, SimulatedOp]:
    """Where each operator runs: NNTool names a node by kind and number of its operator
    (CONV_2D_0_4), alone or within a fusion; what it has no node of was folded away."""
    wanted = {f"{kind}_0_{index}": index for index, kind in enumerate(kinds)}
    return {
        wanted[name]: SimulatedOp(engine="npu")
        for name in sorted(nodes, key=lambda name: wanted.get(name, -1))
        if name in wanted
    }


def packed(files: Mapping[str, bytes]) -> bytes:
    """Model and tensors as one file, the same for the same."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size = len(files[name])
            archive.addfile(info, io.BytesIO(files[name]))
    return buffer.getvalue()


def _codes(values: Array, scale: float, zero: int) -> Array:
    """Real numbers as the network's own int8, rounded half up."""
    import numpy as np

    real: Any = np.floor(values.astype(np.float64) / scale + 0.5) + zero
    codes: Array = np.clip(real, -128, 127).astype(np.int8)
    return codes
