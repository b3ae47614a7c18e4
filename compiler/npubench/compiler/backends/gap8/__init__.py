"""GreenWaves' NNTool for GAP8: it adapts an int8 network to the cluster's kernels, executes it on
the host, and writes the AutoTiler's model in C."""

from __future__ import annotations

from npubench.compiler.backends.gap8.simulator import NntoolSimulator
from npubench.compiler.vendor.simulated import SimulatedBackend

BACKEND = SimulatedBackend(
    name="gap8",
    engine="GAP8's cluster",
    simulator=NntoolSimulator(),
    runtime="the AutoTiler library (gap_sdk's installer fetches it) and PULP-OS of gap_sdk",
    sources=(
        "GreenWaves-Technologies/gap_sdk, tools/nntool 4.1 (driven: script of adjust, fusions "
        "--scale8, gen; NNGraph.execute) and its docs",
        "configs/common.sh of gap_sdk (TILER_CNN_KERNEL_PATH_SQ8)",
    ),
    brings="your own gap_sdk",
    simulates_part=False,
    unconfirmed="a build with the AutoTiler; that the cluster's kernels equal NNTool's executor",
)
