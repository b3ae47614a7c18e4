"""Nordic's Axon: the Edge AI add-on's compiler executor makes a C header of a .tflite."""

from __future__ import annotations

from npubench.compiler.vendor.adapter import Figure, VendorBackend
from npubench.compiler.vendor.tool import VendorTool

BACKEND = VendorBackend(
    name="axon",
    engine="Nordic Axon",
    tool=VendorTool(
        program="axons_ml_nn_compiler_executor.py",
        variable="AXON_COMPILER_DIR",
        inside="scripts/axons_ml_nn_compiler_executor.py",
        install="clone nrfconnect/sdk-edge-ai and set AXON_COMPILER_DIR to its Axon compiler",
        version_words=(),
    ),
    steps=("{tool} network.yaml",),
    inputs={"network.yaml": "network:\n  model_name: network\n  tflite_model: network.tflite\n"},
    figures=(
        Figure(name="command_buffer_bytes", pattern=r"command_buf size=(\d+)"),
        Figure(name="weights_bytes", pattern=r"model constants buffer size=(\d+)"),
        Figure(
            name="activations_bytes",
            pattern=r"interlayer buffer size: provisioned \d+, needed (\d+)",
        ),
        Figure(name="psum_bytes", pattern=r"Psum buffer size: provisioned \d+, needed (\d+)"),
    ),
    products=("output*/**/nrf_axon_model_network*.h",),
    runtime="Nordic's Axon driver (nrf_edgeai_lib, nRF Connect SDK)",
    sources=(
        "nrfconnect/sdk-edge-ai doc/axon_compiler (command, output header)",
        "its tools/axon/compiler/scripts: YAML template, compile_logs.txt (report)",
    ),
)
