"""TI's MCU Neural Network Compiler (a TVM): the network as a library for MSPM0 and C2000 NPUs."""

from __future__ import annotations

from npubench.compiler.vendor.adapter import VendorBackend
from npubench.compiler.vendor.tool import VendorTool

BACKEND = VendorBackend(
    name="ti-nnc",
    engine="TI's TinyEngine NPU",
    tool=VendorTool(
        program="tvmc",
        install="TI's MCU Neural Network Compiler, through TexasInstruments/tinyml-tensorlab",
    ),
    steps=(
        "{tool} compile --output-format=a --runtime=crt --executor=aot "
        "--executor-aot-interface-api=c --executor-aot-unpacked-api=1 "
        "--pass-config tir.disable_vectorize=1 --pass-config tir.usmp.algorithm=hill_climb "
        "'--target=c, ti-npu {npu}' --target-c-mcpu={mcpu} {model} "
        "-o artifacts/mod.a --cross-compiler={compiler}",
    ),
    defaults={
        "npu": "skip_normalize=true output_int=true",
        "mcpu": "cortex-m0plus",
        "compiler": "tiarmclang",
    },
    products=("artifacts/mod.a",),
    runtime="TI's compiler and NPU library (tiarmclang, MSPM0 SDK)",
    sources=(
        "TI's tinyml-tensorlab documentation and example notes (tvmc compile words)",
        "tinyml-modelmaker's presets for the MSPM0 (ti-npu without a type: the NPU itself)",
    ),
    unconfirmed="a .tflite as input (the documents show ONNX); --version",
)
