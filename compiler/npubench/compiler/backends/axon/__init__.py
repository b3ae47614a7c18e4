"""Nordic's Axon: the compiler of the Edge AI add-on makes a C header of a .tflite; its simulator
and its model of the accelerator's time run with the add-on's own driver on the host."""

from __future__ import annotations

from npubench.compiler.backends.axon.simulator import AxonSimulator
from npubench.compiler.vendor.simulated import SimulatedBackend

BACKEND = SimulatedBackend(
    name="axon",
    engine="Nordic Axon",
    simulator=AxonSimulator(),
    runtime="Nordic's Axon driver (nrf_edgeai_lib, nRF Connect SDK)",
    sources=(
        "nrfconnect/sdk-edge-ai doc/axon_compiler (command, YAML, output headers)",
        "its include/ and tests/axon/inference (the simulator, the performance model)",
        "sdk-edge-ai 2.2.0, compiler 1.4.0 (driven)",
    ),
    brings="your own sdk-edge-ai",
    unconfirmed="the header on a board; the model's cycles against silicon",
)
