"""NXP's eIQ Neutron: neutron-converter turns a .tflite into one with Neutron operators."""

from __future__ import annotations

from npubench.compiler.vendor.adapter import Figure, VendorBackend
from npubench.compiler.vendor.tool import VendorTool

BACKEND = VendorBackend(
    name="neutron",
    engine="eIQ Neutron",
    tool=VendorTool(
        program="neutron-converter",
        variable="EIQ_NEUTRON_PATH",
        install="pip install --index-url https://eiq.nxp.com/repository eiq-neutron-sdk; the "
        "release must match the MCUXpresso SDK",
    ),
    steps=("{tool} --input {model} --output network_neutron.tflite --target {target}",),
    defaults={"target": "mcxn94x"},
    products=("network_neutron.tflite",),
    figures=(
        Figure(
            name="npu_share_ratio",
            pattern=r"Operator conversion ratio\s*=\s*(\d+)\s*/\s*(\d+)",
        ),
    ),
    runtime="NXP's Neutron driver and firmware (MCUXpresso SDK): the NPU has no public registers",
    sources=(
        "uNPU-Bench cmd_s.md (words)",
        "public repositories with the tool's output (--target mcxn94x, operator conversion ratio)",
    ),
    unconfirmed="--version",
)
