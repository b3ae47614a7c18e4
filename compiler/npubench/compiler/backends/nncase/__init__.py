"""nncase for the K210's KPU: a kmodel, by an old release (1.x still knows the K210)."""

from __future__ import annotations

from npubench.compiler.backends.nncase.simulator import NncaseSimulator
from npubench.compiler.vendor.simulated import SimulatedBackend

BACKEND = SimulatedBackend(
    name="nncase",
    engine="the K210's KPU",
    simulator=NncaseSimulator(),
    runtime="the KPU run time of kendryte-standalone-sdk",
    sources=("nncase 1.x docs/USAGE", "nncase 1.9.0.20230322 (driven)"),
    unconfirmed="the kmodel on a board; nncase refuses a quantized .tflite (tried)",
)
