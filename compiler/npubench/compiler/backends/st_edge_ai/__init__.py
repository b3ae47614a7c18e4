"""ST Edge AI Core (stedgeai): C for the STM32N6's Neural-ART."""

from __future__ import annotations

from npubench.compiler.vendor.adapter import Figure, VendorBackend
from npubench.compiler.vendor.tool import VendorTool

BACKEND = VendorBackend(
    name="st-edge-ai",
    engine="ST Edge AI",
    tool=VendorTool(
        program="stedgeai",
        variable="STEDGEAI",
        install="get ST Edge AI Core from https://www.st.com (a free account is needed; choose "
        "the STM32N6's component) and set STEDGEAI to its Utilities/linux/stedgeai",
        version_pattern=r"Core v(\d+(?:\.\d+)+)",
    ),
    # Without --st-neural-art the tool compiles for the Cortex-M55 alone, and does not say so.
    steps=(
        "{tool} generate --model {model} --target {target} --st-neural-art --output out "
        "--workspace workspace",
    ),
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
        "STMicroelectronics/stm32ai-modelzoo-services (--model, --st-neural-art, --version)",
        "public notes of the tool's 4.0 (what is left out without --st-neural-art)",
        "public logs of the tool (report lines of CPU targets)",
    ),
    unconfirmed="the tool's own Neural-ART profile is taken (--st-neural-art without one); its "
    "report for the NPU may lack the lines that are read; the tool was never run here",
)
