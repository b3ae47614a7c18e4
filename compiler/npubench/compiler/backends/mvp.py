"""Silicon Labs' MVP: the MLTK's profiler estimates a network on the accelerator's simulator."""

from __future__ import annotations

from npubench.compiler.adapter import Figure, VendorBackend
from npubench.compiler.vendor import VendorTool

BACKEND = VendorBackend(
    name="mvp",
    engine="Silicon Labs MVP",
    tool=VendorTool(program="mltk", install="pip install silabs-mltk", version_words=()),
    steps=("{tool} profile {model} --accelerator MVP --estimates",),
    products=(),
    figures=(
        Figure(name="accelerator_cycles_k", pattern=r"Accelerator [Cc]ycles\s*:\s*([\d.]+)\s*k"),
        Figure(name="accelerator_cycles_m", pattern=r"Accelerator [Cc]ycles\s*:\s*([\d.]+)\s*M"),
    ),
    runtime="Simplicity SDK's TFLM with MVP kernels",
    sources=("siliconlabs/mltk documentation (mltk profile --accelerator MVP --estimates)",),
    unconfirmed="the report's wording of the accelerator's cycles",
)
