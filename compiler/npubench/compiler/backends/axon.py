"""Nordic's Axon: the Edge AI add-on's compiler executor makes a C header of a .tflite."""

from __future__ import annotations

from npubench.compiler.adapter import VendorBackend
from npubench.compiler.vendor import VendorTool

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
    inputs={"network.yaml": "NETWORK:\n  MODEL_NAME: network\n  TFLITE_MODEL: network.tflite\n"},
    products=("output*/**/nrf_axon_model_network*.h",),
    runtime="Nordic's Axon driver (nrf_edgeai_lib, nRF Connect SDK)",
    sources=("nrfconnect/sdk-edge-ai doc/axon_compiler (YAML parameters, command, output header)",),
    unconfirmed="the name above a model's parameters in the YAML",
)
