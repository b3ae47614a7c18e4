"""Espressif's ESP-DL on the ESP32-S3: esp-ppq quantizes a network with scales that are powers of
two, writes it as .espdl, and executes what it wrote on the host."""

from __future__ import annotations

from npubench.compiler.backends.esp_dl.image import espdl_plan
from npubench.compiler.backends.esp_dl.simulator import EspDlSimulator
from npubench.compiler.vendor.simulated import SimulatedBackend

BACKEND = SimulatedBackend(
    name="esp-dl",
    engine="ESP-DL",
    simulator=EspDlSimulator(),
    runtime="ESP-IDF 5.3 with the component espressif/esp-dl, which loads the .espdl file",
    sources=(
        "espressif/esp-dl docs (how to quantize, .espdl)",
        "esp-ppq 1.3.12 (espdl_quantize_onnx, TorchExecutor; driven)",
        "headers of espressif/esp-dl 3.2.0 to 3.3.9 and of ESP-IDF 5.3 (driver and HAL compiled "
        "against them)",
        "espdl.fbs and dl_module_softmax.hpp of esp-dl 3.3.9 (the file; a softmax leaves float)",
    ),
    simulates_part=False,
    image=espdl_plan,
    unconfirmed="a build with ESP-IDF; the file on a board; that the part's kernels equal "
    "esp-ppq's executor",
)
