"""ESP-NN and ESP-DL: the ESP32's kernels are linked by ESP-IDF, which is found and no more."""

from __future__ import annotations

from npubench.compiler.vendor.adapter import VendorBackend
from npubench.compiler.vendor.tool import VendorTool

BACKEND = VendorBackend(
    name="esp-dl",
    engine="ESP-NN",
    tool=VendorTool(program="idf.py", install="ESP-IDF 5 (https://github.com/espressif/esp-idf)"),
    steps=(),
    products=(),
    runtime="esp-tflite-micro and esp-nn inside an ESP-IDF project: no compiler of the network's "
    "own is run",
    sources=("uNPU-Bench (IDF 5.2.3, esp-tflite-micro 1.3.3, esp-nn 1.1.0)",),
)
