"""TI's MCU Neural Network Compiler (a TVM): the network as a library for MSPM0 and C2000 NPUs."""

from __future__ import annotations

from npubench.compiler.vendor.adapter import VendorBackend
from npubench.compiler.vendor.tool import VendorTool

BACKEND = VendorBackend(
    name="ti-nnc",
    engine="TI's TinyEngine NPU",
    tool=VendorTool(
        program="tvmc",
        install="with CPython 3.10, pip install the wheel ti_mcu_nnc that pyproject.toml of "
        "TexasInstruments/tinyml-tensorlab names (tinyml-tinyverse; 2.1.2 at software-dl.ti.com), "
        "and put its tvmc and tiarmclang of TI's Arm compiler 5.1.1.LTS on PATH",
    ),
    steps=(
        "{tool} compile --output-format=a --runtime=crt --executor=aot "
        "--executor-aot-interface-api=c --executor-aot-unpacked-api=1 "
        "--pass-config tir.disable_vectorize=1 --pass-config tir.usmp.algorithm=hill_climb "
        "'--target=c, ti-npu {npu}' --target-c-mcpu={mcpu} {model} "
        "-o artifacts/mod.a --cross-compiler={compiler} '--cross-compiler-options={flags}'",
    ),
    # The MSPM0G5187's preset, for which the NPU has to be asked: type=soft is the CPU.
    defaults={
        "npu": "type=hard skip_normalize=true output_int=true",
        "mcpu": "cortex-m0plus",
        "compiler": "tiarmclang",
        "flags": "-Os -mcpu=cortex-m0plus -march=thumbv6m -mtune=cortex-m0plus -mthumb "
        "-mfloat-abi=soft -I. -Wno-return-type",
    },
    products=("artifacts/mod.a",),
    runtime="TI's compiler and NPU library (tiarmclang, MSPM0 SDK)",
    sources=(
        "tinyml-tensorlab docs/source/deployment (tvmc compile words)",
        "tinyml-modelmaker's constants.py (the MSPM0G5187's preset, target and compiler options)",
        "tinyml-tinyverse references/common/compilation.py (executor, runtime, pass configs; a "
        "model is .tflite or ONNX)",
        "Apache TVM's tvmc (--version, --pass-config more than once)",
    ),
    unconfirmed="whether the NPU takes this network's scheme (TI's models come from its own "
    "quantization); the tool was never run here",
)
