"""nncase for the K210's KPU: a kmodel, by an old release of ncc (1.x still knows the K210)."""

from __future__ import annotations

from npubench.compiler.backends.nncase.simulator import NncaseSimulator
from npubench.compiler.vendor.adapter import Figure, VendorBackend
from npubench.compiler.vendor.tool import VendorTool

BACKEND = VendorBackend(
    name="nncase",
    engine="the K210's KPU",
    tool=VendorTool(
        program="ncc",
        install="a release of kendryte/nncase before 2.0, its folder on PATH",
    ),
    steps=("{tool} compile -i tflite -t {target} {model} network.kmodel",),
    defaults={"target": "k210"},
    products=("network.kmodel",),
    figures=(
        Figure(name="input_bytes", pattern=r"^\.input\s[^(]*\((\d+) B\)"),
        Figure(name="output_bytes", pattern=r"^\.output\s[^(]*\((\d+) B\)"),
        Figure(name="activations_bytes", pattern=r"^\.data\s[^(]*\((\d+) B\)"),
        Figure(name="model_bytes", pattern=r"^MODEL\s[^(]*\((\d+) B\)"),
        Figure(name="total_bytes", pattern=r"^TOTAL\s[^(]*\((\d+) B\)"),
    ),
    simulator=NncaseSimulator(),
    runtime="the KPU run time of kendryte-standalone-sdk",
    sources=(
        "nncase 1.x docs/USAGE (ncc compile)",
        "nncase FAQ",
        "kendryte/nncase issues 396 and 534 (what ncc 1.0 and 1.3 print: MEMORY USAGES)",
    ),
    unconfirmed="ncc itself; nncase 1.9 refuses a quantized .tflite (tried)",
)
