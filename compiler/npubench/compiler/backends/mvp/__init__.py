"""Silicon Labs' MVP: the MLTK runs a network on the accelerator's simulator.

Its estimates of the CPU's time come over the network, and are printed although that failed: they
are neither asked for nor read.
"""

from __future__ import annotations

from npubench.compiler.backends.mvp.simulator import MvpSimulator
from npubench.compiler.vendor.simulated import SimulatedBackend

BACKEND = SimulatedBackend(
    name="mvp",
    engine="Silicon Labs MVP",
    simulator=MvpSimulator(),
    runtime="Simplicity SDK's TFLM with MVP kernels",
    sources=("siliconlabs/mltk 0.20.0 (its simulator, driven)",),
)
