"""ST Edge AI Core (stedgeai): C for STM32 CPUs (X-CUBE-AI) and for the STM32N6's Neural-ART."""

from __future__ import annotations

from npubench.compiler.vendor.adapter import Figure, VendorBackend
from npubench.compiler.vendor.tool import VendorTool

BACKEND = VendorBackend(
    name="st-edge-ai",
    engine="ST Edge AI",
    tool=VendorTool(
        program="stedgeai",
        variable="STEDGEAI",
        install="ST Edge AI Core from https://www.st.com, with a free account",
    ),
    steps=("{tool} generate -m {model} --target {target} --output out --workspace workspace",),
    defaults={"target": "stm32n6"},
    products=("out/*.c",),
    figures=(
        Figure(name="macs", pattern=r"macc\s+:\s+([\d,]+)"),
        Figure(name="weights_bytes", pattern=r"weights \(ro\)\s+:\s+([\d,]+) B"),
        Figure(name="activations_bytes", pattern=r"activations \(rw\)\s+:\s+([\d,]+) B"),
        Figure(name="ram_bytes", pattern=r"ram \(total\)\s+:\s+([\d,]+) B"),
    ),
    runtime="ST's run-time library (NetworkRuntime, for Neural-ART the ll_aton sources)",
    sources=(
        "ST Edge AI Core command line reference 2.2 and 3.0 (generate, --target, --output)",
        "public logs of the tool (report lines)",
    ),
    unconfirmed="--st-neural-art is left at the tool's default profile",
)
