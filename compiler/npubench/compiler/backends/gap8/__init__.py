"""GreenWaves' NNTool: from a quantized .tflite to the AutoTiler's model in C."""

from __future__ import annotations

from npubench.compiler.vendor.adapter import VendorBackend
from npubench.compiler.vendor.tool import VendorTool

BACKEND = VendorBackend(
    name="gap8",
    engine="GAP8's cluster",
    tool=VendorTool(
        program="nntool",
        install="gap_sdk with NNTool (GreenWaves-Technologies/gap_sdk)",
        version_words=(),
    ),
    steps=("{tool} -s nntool_script {model} -q",),
    inputs={
        "nntool_script": "adjust\nfusion --scale8\ngen network_model.c -t -T tensors\nsave_state\n"
    },
    products=("network_model.c",),
    runtime="the AutoTiler library and PULP-OS of gap_sdk",
    sources=("public notes on NNTool's scripting mode (adjust, fusion --scale8, gen, save_state)",),
    unconfirmed="that the tool ends after the script; it prints no figures that are read here",
)
