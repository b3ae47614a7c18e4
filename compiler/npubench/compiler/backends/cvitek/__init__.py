"""Sophgo's tpu_mlir for the CV1800B's TPU (Milk-V Duo): model_transform, then model_deploy."""

from __future__ import annotations

from npubench.compiler.backends.cvitek.report import FIGURES
from npubench.compiler.backends.cvitek.simulator import CvitekSimulator
from npubench.compiler.vendor.adapter import VendorBackend
from npubench.compiler.vendor.tool import VendorTool

BACKEND = VendorBackend(
    name="cvitek",
    engine="CVITEK TPU",
    tool=VendorTool(
        program="model_transform.py",
        install="pip install tpu_mlir, or work in the image sophgo/tpuc_dev",
    ),
    steps=(
        "{tool} --model_name network --model_def {model} --mlir network.mlir",
        "model_deploy.py --mlir network.mlir --quantize INT8 --quant_input --quant_output "
        "--chip {chip} --model network.cvimodel",
        "model_tool --info network.cvimodel",
    ),
    defaults={"chip": "cv180x"},
    products=("network.cvimodel",),
    figures=FIGURES,
    simulator=CvitekSimulator(),
    runtime="the board's TPU SDK (cviruntime): the model is loaded by a Linux program",
    sources=(
        "uNPU-Bench cmd_s.md",
        "Milk-V Duo documentation (--chip cv180x)",
        "tpu-mlir developer manual (model_tool --info); Sophgo's runtime, public logs (report)",
    ),
    unconfirmed="--version; tpu_mlir 1.30.2 does not lower an int8 .tflite (tried)",
)
