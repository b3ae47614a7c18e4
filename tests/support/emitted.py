"""A board and two small networks for tests of the emitter and of builds, all made by hand."""

from __future__ import annotations

import hashlib
import shutil
import struct

import pytest

from npubench.boards import Board
from npubench.compiler.emit.identity import Identity
from npubench.compiler.emit.project import Project, render_project
from npubench.compiler.graph import DType, Graph, Op, Quantization, Tensor
from npubench.compiler.plan import (
    Alias,
    Arena,
    Constant,
    ConstantArg,
    KernelCall,
    Place,
    Plan,
    TensorArg,
)

WEIGHTS = bytes((7 * i + 3) % 256 for i in range(12 * 8))
BIAS = struct.pack("<12i", *range(-6, 6))
IDENTITY = Identity(
    model_id="dense", mlperf_id=None, mlperf_input="int8", mlperf_result="scores", version="1.2.3"
)
needs_arm = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)


def make_board(**changes: object) -> Board:
    """A Cortex-M4 with code and RAM apart; ``changes`` replace whole fields."""
    document: dict[str, object] = {
        "schema": 1,
        "id": "test-m4",
        "name": "Test board",
        "kind": "physical",
        "hal": "cmsdk",
        "stack_bytes": 2048,
        "cpu": {
            "core": "cortex-m4",
            "hz": 25_000_000,
            "flags": ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
        },
        "toolchain": {"prefix": "arm-none-eabi-", "package": "gcc-arm-none-eabi"},
        "counter": {"unit": "cycles", "hz": 25_000_000},
        "memory": [
            {"name": "flash", "base": 0, "size_bytes": 0x40000, "roles": ["code", "weights"]},
            {"name": "ram", "base": 0x20000000, "size_bytes": 0x10000, "roles": ["ram", "arena"]},
        ],
        "flash": {
            "protocol": "openocd",
            "arguments": ["-f", "board/test board.cfg"],
            "tool": "openocd",
            "package": "openocd",
            "probe_usb": ["0483:374b"],
        },
        "defines": {
            "NB_CMSDK_UART_BASE": 0x40004000,
            "NB_CMSDK_FPGAIO_BASE": 0x40028000,
            "NB_CMSDK_UART_HZ": 25_000_000,
        },
        "status": {"cpu": "described"},
    }
    return Board.model_validate(document | changes)


def make_graph() -> Graph:
    """Eight values to twelve by a dense layer, a reshape, a softmax."""
    quantization = Quantization(scales=(0.5,), zero_points=(-1,))
    softmax = Quantization(scales=(1 / 256,), zero_points=(-128,))
    shapes = (('*/ x" y', (1, 8)), ("int", (1, 12)), ("", (12,)), ("\n#error hostile", (1, 12)))
    tensors = tuple(
        Tensor(
            index=index,
            name=name,
            shape=shape,
            dtype=DType.INT8,
            quantization=softmax if index == 3 else quantization,
            data=None,
        )
        for index, (name, shape) in enumerate(shapes)
    )
    return Graph(
        name="dense",
        sha256=hashlib.sha256(b"dense").hexdigest(),
        tensors=tensors,
        ops=(
            Op(index=0, kind="FULLY_CONNECTED", inputs=(0,), outputs=(1,), options={}),
            Op(index=1, kind="RESHAPE", inputs=(1,), outputs=(2,), options={}),
            Op(index=2, kind="SOFTMAX", inputs=(2,), outputs=(3,), options={}),
        ),
        inputs=(0,),
        outputs=(3,),
    )


def make_plan() -> Plan:
    """``make_graph`` on the CPU; the alias has no place of its own."""
    dense = KernelCall(
        op_index=0,
        kernel="nb_fully_connected_s8",
        source="fully_connected_s8.c",
        params_type="nb_fully_connected_s8_params",
        params=(
            ("batches", 1),
            ("in_c", 8),
            ("out_c", 12),
            ("multiplier", 1 << 30),
            ("shift", -7),
            ("output_zero", -1),
            ("low", -128),
            ("high", 127),
        ),
        args=(
            TensorArg(tensor=0, ctype="int8_t", const=True),
            ConstantArg(constant="nb_c0_weights"),
            ConstantArg(constant="nb_c0_bias"),
            ConstantArg(constant=None),
            TensorArg(tensor=1, ctype="int8_t", const=False),
        ),
    )
    softmax = KernelCall(
        op_index=2,
        kernel="nb_softmax_s8",
        source="softmax_s8.c",
        params_type="nb_softmax_s8_params",
        params=(
            ("rows", 1),
            ("depth", 12),
            ("multiplier", 1 << 30),
            ("left_shift", 25),
            ("diff_min", -31),
        ),
        args=(
            TensorArg(tensor=2, ctype="int8_t", const=True),
            TensorArg(tensor=3, ctype="int8_t", const=False),
        ),
    )
    artifact = b"dense artifact"
    return Plan(
        backend="cpu",
        steps=(dense, Alias(op_index=1, source_tensor=1, target_tensor=2), softmax),
        constants=(
            Constant(name="nb_c0_weights", ctype="int8_t", data=WEIGHTS),
            Constant(name="nb_c0_bias", ctype="int32_t", data=BIAS),
        ),
        arena=Arena(
            size_bytes=48,
            places=(
                Place(tensor=0, offset_bytes=0, size_bytes=8),
                Place(tensor=1, offset_bytes=16, size_bytes=12),
                Place(tensor=3, offset_bytes=32, size_bytes=12),
            ),
        ),
        artifact=artifact,
        artifact_sha256=hashlib.sha256(artifact).hexdigest(),
    )


def make_project(board: Board | None = None, identity: Identity = IDENTITY) -> Project:
    """The emitted project of ``make_graph`` on a board."""
    graph = make_graph()
    return render_project(graph, make_plan(), board or make_board(), identity)
