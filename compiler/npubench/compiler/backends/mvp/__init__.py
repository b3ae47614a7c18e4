"""Silicon Labs' MVP: the MLTK's profiler runs a network on the accelerator's simulator.

Its estimates of the CPU's time come over the network, and are printed although that failed: they
are neither asked for nor read.
"""

from __future__ import annotations

from npubench.compiler.backends.mvp.simulator import MvpSimulator
from npubench.compiler.vendor.adapter import Figure, VendorBackend
from npubench.compiler.vendor.tool import VendorTool

BACKEND = VendorBackend(
    name="mvp",
    engine="Silicon Labs MVP",
    tool=VendorTool(program="mltk", install="pip install silabs-mltk", version_words=()),
    steps=("{tool} profile {model} --accelerator MVP",),
    products=(),
    figures=(
        Figure(name="accelerator_cycles", pattern=r"Accelerator Cycle Count: ([\d.]+[kMG]?)"),
        Figure(name="layers_count", pattern=r"^\s*Layer Count: (\d+)"),
        Figure(name="unsupported_layers_count", pattern=r"Unsupported Layer Count: (\d+)"),
        Figure(name="macs", pattern=r"Multiply-Accumulate Count: ([\d.]+[kMG]?)"),
        Figure(name="model_bytes", pattern=r"Model File Size \(bytes\): ([\d.]+[kMG]?)"),
        Figure(name="ram_bytes", pattern=r"Runtime Memory Size \(bytes\): ([\d.]+[kMG]?)"),
    ),
    simulator=MvpSimulator(),
    runtime="Simplicity SDK's TFLM with MVP kernels",
    sources=(
        "siliconlabs/mltk documentation (mltk profile --accelerator MVP --estimates)",
        "siliconlabs/mltk models (profiling summaries, printed beside each model)",
    ),
)
