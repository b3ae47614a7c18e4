"""Sophgo's tpu_mlir for the CV1800B's TPU (Milk-V Duo): model_transform, then model_deploy."""

from __future__ import annotations

from npubench.compiler.backends.cvitek.simulator import CvitekSimulator
from npubench.compiler.vendor.simulated import SimulatedBackend

BACKEND = SimulatedBackend(
    name="cvitek",
    engine="CVITEK TPU",
    simulator=CvitekSimulator(),
    runtime="the board's TPU SDK (cviruntime): the model is loaded by a Linux program",
    sources=(
        "uNPU-Bench cmd_s.md",
        "Milk-V Duo documentation (--chip cv180x)",
        "tpu-mlir developer manual (model_tool --info)",
        "tpu_mlir 1.30.2 (driven)",
    ),
    unconfirmed="the cvimodel on a board; tpu_mlir does not lower an int8 .tflite (tried)",
)
