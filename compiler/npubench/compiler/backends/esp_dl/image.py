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
from npubench.compiler.graph import DType, Graph, Tensor
from npubench.compiler.plan import Arena, Constant, KnownAnswer, NpuJob, Plan
from npubench.core.errors import ConfigError, UnsupportedOp

PART = "ESP32-S3"
DRIVER = "esp_dl"
COMPONENT = """## The component manager of ESP-IDF fetches it.
dependencies:
  espressif/esp-dl: "^3.1.0"
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
    UnsupportedOp for borders that are not int8."""
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
