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
        install="get the eIQ Neutron SDK for Linux or the eIQ Toolkit from https://www.nxp.com "
        "(an account is needed), of the release that your MCUXpresso SDK names, and set "
        "EIQ_NEUTRON_PATH to its bin/neutron-converter, LD_LIBRARY_PATH to its lib",
    ),
    steps=("{tool} --input {model} --output network_neutron.tflite --target {target}",),
    defaults={"target": "mcxn94x"},
    products=("network_neutron.tflite",),
    figures=(
        Figure(
            name="npu_share_ratio",
            pattern=r"Operator conversion ratio\s*=\s*(\d+)\s*/\s*(\d+)",
        ),
        Figure(name="operators_on_npu", pattern=r"Number of operators converted\s*=\s*(\d+)"),
        Figure(name="neutron_graphs_count", pattern=r"Number of Neutron graphs\s*=\s*(\d+)"),
        Figure(
            name="scratch_bytes",
            pattern=r"Minimum size of SRAM scratch memory\s*=\s*(\d+) \(bytes\)",
        ),
        Figure(name="total_bytes", pattern=r"Total size\s*=\s*([\d,]+) \(bytes\)"),
    ),
    runtime="NXP's Neutron driver and firmware (MCUXpresso SDK): the NPU has no public registers",
    sources=(
        "uNPU-Bench cmd_s.md (words)",
        "public notes on the SDK's 3.1.3 (--version, --target with mcxn94x as its default, "
        "--output)",
        "public logs of the tool (conversion statistics, total size) and a readme of NXP's "
        "MCUXpresso SDK (imxrt700, scratch memory)",
        "ExecuTorch backends/nxp (targets, eiq-neutron-sdk 3.2.0 as a Python module)",
    ),
    unconfirmed="the tool itself was never run here",
)
