"""The .espdl file in an ESP-IDF project: one job of ESP-DL's for the whole network, with the answer
of esp-ppq's executor as what the part should give."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.boards import Board
from npubench.compiler.arena import plan_arena
from npubench.compiler.backends.esp_dl.espdl_file import TYPES, End, read_ends
from npubench.compiler.graph import DType, Graph, Tensor
from npubench.compiler.plan import Arena, Constant, KnownAnswer, NpuJob, Plan
from npubench.core.errors import CompileError, ConfigError, UnsupportedOp

PART = "ESP32-S3"
DRIVER = "esp_dl"
COMPONENT = """## The component manager of ESP-IDF fetches it; it wants ESP-IDF 5.3 or newer.
dependencies:
  espressif/esp-dl: "^3.2.0"
"""


def espdl_plan(
    graph: Graph,
    artifact: bytes,
    outputs: Sequence[NDArray[Any]],
    board: Board,
    *,
    names: Sequence[str],
    version: str,
    seed: int,
) -> Plan:
    """See ImageMaker; ``outputs`` are real numbers. Raises ConfigError on another part,
    UnsupportedOp for borders that are not int8, CompileError for a file whose ends are others than
    the driver takes."""
    if board.part != PART:
        raise ConfigError(
            f"esp-dl compiles for the {PART}, and {board.id} has a {board.part or 'core'}",
            hint="choose esp32-s3-devkitc, or --backend cpu",
        )
    tensors = [graph.tensor(index) for index in (*graph.inputs, *graph.outputs)]
    for tensor in tensors:
        if tensor.dtype is not DType.INT8 or tensor.quantization is None:
            raise UnsupportedOp(
                op=graph.ops[0].kind,
                index=0,
                reason=f"inputs and outputs must be int8, not {tensor.dtype}",
                hint="quantize the network with int8 borders, or --backend cpu",
            )
    ends = read_ends(artifact)
    for end, index, name in zip(
        (*ends.inputs, *ends.outputs), (*graph.inputs, *graph.outputs), names, strict=True
    ):
        _check(end, name, graph.tensor(index).shape, may_be_float=index not in graph.inputs)
    steps = (
        NpuJob(
            op_indices=tuple(op.index for op in graph.ops),
            job=0,
            inputs=graph.inputs,
            outputs=graph.outputs,
        ),
    )
    arena = plan_arena(graph, steps)
    return Plan(
        backend="esp-dl",
        steps=steps,
        constants=(Constant(name="nb_espdl", ctype="uint8_t", data=artifact, align=16),),
        arena=arena,
        artifact=artifact,
        artifact_sha256=hashlib.sha256(artifact).hexdigest(),
        driver=DRIVER,
        extra_files={
            "src/idf_component.yml": COMPONENT,
            "include/nb_esp_dl_config.h": _header(graph, arena, names),
        },
        defines={"NB_NPU": "1"},
        known_answer=KnownAnswer(
            version=f"esp-ppq {version}",
            seed=seed,
            output=b"".join(
                codes(graph.tensor(index), values[0]).tobytes()
                for index, values in zip(graph.outputs, outputs, strict=True)
            ),
        ),
    )


def _check(end: End, name: str, shape: tuple[int, ...], *, may_be_float: bool) -> None:
    """The driver copies values in the network's order, channels last."""
    known = [dtype for dtype in TYPES.values() if may_be_float or dtype != "float32"]
    if (end.name, end.shape) != (name, tuple(shape)) or end.dtype not in known:
        raise CompileError(
            f"esp-ppq's file has {end.name}, {end.dtype} of {'x'.join(map(str, end.shape))}, where "
            f"the driver takes {name}, {' or '.join(known)} of {'x'.join(map(str, shape))}",
            hint="run the network on the CPU: --backend cpu",
        )


def _header(graph: Graph, arena: Arena, names: Sequence[str]) -> str:
    from npubench.compiler.emit.context import Header, Macro
    from npubench.compiler.emit.render import render

    rows = []
    for index, name in zip((*graph.inputs, *graph.outputs), names, strict=True):
        tensor, place = graph.tensor(index), arena.place(index)
        zero, scale = _affine(tensor)
        where = f"{place.offset_bytes}u, {tensor.size_bytes}u"
        rows.append(f"{{{json.dumps(name)}, {where}, {zero}, {scale!r}f}}")
    ends = {"INPUTS": rows[: len(graph.inputs)], "OUTPUTS": rows[len(graph.inputs) :]}
    header = Header(
        file="nb_esp_dl_config.h",
        purpose="what ESP-DL's driver must know of the network",
        guard="NB_ESP_DL_CONFIG_H",
        includes=(),
        macros=tuple(
            Macro(name=f"NB_ESP_DL_{end}", value=f"{{{', '.join(found)}}}")
            for end, found in ends.items()
        ),
    )
    return render("header.h.j2", header).decode()


def _affine(tensor: Tensor) -> tuple[int, float]:
    quantization = tensor.quantization
    assert quantization is not None
    return (quantization.zero_points or (0,))[0], quantization.scale


def codes(tensor: Tensor, values: NDArray[Any]) -> NDArray[np.int8]:
    """Real numbers as a tensor's int8, rounded half up on float32 as the driver does."""
    zero, scale = _affine(tensor)
    real = values.astype(np.float32) / np.float32(scale) + np.float32(0.5)
    found: NDArray[np.int8] = np.clip(np.floor(real) + np.float32(zero), -128, 127).astype(np.int8)
    return found
