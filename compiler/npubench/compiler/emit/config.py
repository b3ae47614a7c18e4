"""nb_board.h, nb_config.h and nb_errors.h: what the firmware knows of itself."""

from __future__ import annotations

import json
import tomllib
from itertools import groupby
from pathlib import Path
from typing import Literal

from npubench.boards import Board
from npubench.compiler.emit.context import Header, Macro
from npubench.compiler.emit.identity import Identity
from npubench.compiler.emit.names import (
    c_float,
    c_integer,
    c_macro_integer,
    c_string,
    identifier,
    wire_name,
)
from npubench.compiler.graph import DType, Graph, Tensor
from npubench.compiler.plan import Plan

PROTOCOL_VERSION = 1
MIN_ARENA_BYTES = 16
_UPLOAD_KIND: dict[Literal["int8", "u8", "f32le"], int] = {"int8": 0, "u8": 1, "f32le": 2}
_RUN_KIND = {DType.FLOAT32: 1, DType.BOOL: 2}


def board_header(board: Board) -> Header:
    """The macros that depend on the board alone, so that the HAL compiles once for all models."""
    counter_hz = board.counter.hz or 0
    macros = [
        Macro(name="NB_BOARD_ID", value=c_string(board.id)),
        Macro(name="NB_CPU_HZ", value=c_macro_integer(board.cpu.hz or 0)),
        Macro(name="NB_COUNTER_HZ", value=c_macro_integer(counter_hz)),
        Macro(name="NB_COUNTER_NONE", value=str(int(board.counter.unit == "none"))),
        Macro(name="NB_CONSOLE_BAUD", value=c_macro_integer(board.console.baud)),
        Macro(name="NB_STACK_BYTES", value=c_macro_integer(board.stack_bytes)),
    ]
    macros += [
        Macro(
            name=identifier(name),
            value=c_macro_integer(value) if isinstance(value, int) else value,
        )
        for name, value in sorted(board.defines.items())
    ]
    return Header(
        file="nb_board.h",
        purpose="the board",
        guard="NB_BOARD_H",
        includes=(),
        macros=tuple(macros),
    )


def fixture_bytes(graph: Graph, identity: Identity) -> int:
    """What the firmware keeps of an uploaded input: itself, and the floats that it is made from."""
    inputs = [graph.tensor(index) for index in graph.inputs]
    floats = 4 * sum(tensor.count for tensor in inputs)
    return sum(tensor.size_bytes for tensor in inputs) + (
        floats if identity.mlperf_input == "f32le" else 0
    )


def config_header(
    graph: Graph, plan: Plan, board: Board, identity: Identity, *, build: str
) -> Header:
    """The macros of one network on one board. ``build``: 16 hex digits of the project's hash."""
    inputs = [graph.tensor(index) for index in graph.inputs]
    outputs = [graph.tensor(index) for index in graph.outputs]
    first_in, first_out = inputs[0], outputs[0]
    input_bytes = sum(tensor.size_bytes for tensor in inputs)
    upload_bytes = {
        "int8": input_bytes,
        "u8": sum(tensor.count for tensor in inputs),
        "f32le": 4 * sum(tensor.count for tensor in inputs),
    }[identity.mlperf_input]
    model = wire_name(identity.model_id)
    mse = int(identity.mlperf_result == "mse")
    values: dict[str, str] = {
        "NB_VERSION": c_string(wire_name(identity.version)),
        "NB_BACKEND": c_string(wire_name(plan.backend)),
        "NB_MODEL_ID": c_string(model),
        "NB_MLPERF_MODEL": c_string(wire_name(identity.mlperf_id or model)),
        "NB_OP_COUNT": c_integer(len(graph.ops)),
        "NB_INPUT_BYTES": c_integer(input_bytes),
        "NB_OUTPUT_BYTES": c_integer(sum(tensor.size_bytes for tensor in outputs)),
        "NB_OUTPUT_COUNT": c_integer(first_out.count),
        "NB_ARENA_BYTES": c_integer(arena_bytes(plan)),
        "NB_UPLOAD_BYTES": c_integer(upload_bytes),
        "NB_UPLOAD_KIND": c_integer(_UPLOAD_KIND[identity.mlperf_input]),
        "NB_RESULT_KIND": c_integer(mse),
        "NB_POST_MSE": c_integer(mse),
        "NB_INPUT_RUNS": _input_runs(inputs),
        "NB_INPUT_F32": c_integer(int(first_in.dtype is DType.FLOAT32)),
        "NB_IN_SCALE_F": c_float(_scale(first_in)),
        "NB_IN_ZERO": c_macro_integer(_zero(first_in)),
        "NB_OUT_F32": c_integer(int(first_out.dtype is DType.FLOAT32)),
        "NB_OUT_U8": c_integer(int(first_out.dtype is DType.UINT8)),
        "NB_OUT_SCALE_F": c_float(_scale(first_out)),
        "NB_OUT_ZERO": c_macro_integer(_zero(first_out)),
        "NB_CAPS_JSON": c_string(
            caps_json(graph, plan, board, identity, input_bytes=input_bytes, build=build)
        ),
    }
    if identity.boxes:
        rows, columns, channels = first_out.shape[1:]
        values |= {
            "NB_POST_BOXES": c_integer(identity.boxes),
            "NB_POST_ROWS": c_integer(rows),
            "NB_POST_COLUMNS": c_integer(columns),
            "NB_POST_CHANNELS": c_integer(channels),
        }
    if graph.variables:
        values["NB_STATE_INFERENCES"] = c_integer(graph.inferences)
    values.update({identifier(name): value for name, value in sorted(plan.defines.items())})
    return Header(
        file="nb_config.h",
        purpose="the network on this board",
        guard="NB_CONFIG_H",
        includes=("nb_board.h",),
        macros=tuple(Macro(name=name, value=value) for name, value in values.items()),
    )


def empty_config_header() -> Header:
    """nb_config.h of a firmware without a network."""
    return Header(
        file="nb_config.h",
        purpose="no network",
        guard="NB_CONFIG_H",
        includes=("nb_board.h",),
        macros=(),
    )


def caps_json(
    graph: Graph, plan: Plan, board: Board, identity: Identity, *, input_bytes: int, build: str
) -> str:
    """The ``caps`` record of docs/wire-protocol.md: compact JSON, integers and strings only."""
    return json.dumps(
        {
            "t": "caps",
            "proto": PROTOCOL_VERSION,
            "firmware": f"npubench {wire_name(identity.version)}",
            "board": board.id,
            "backend": wire_name(plan.backend),
            "model": wire_name(identity.model_id),
            "artifact": plan.artifact_sha256,
            "build": build,
            "unit": board.counter.unit,
            "hz": board.counter.hz or 0,
            "bits": board.counter.bits,
            "ops": len(graph.ops),
            "in": input_bytes,
            "out": sum(graph.tensor(index).size_bytes for index in graph.outputs),
            "arena": arena_bytes(plan),
            "post": "mse"
            if identity.mlperf_result == "mse"
            else "boxes"
            if identity.boxes
            else "argmax",
            "markers": 0 if board.markers is None else len(board.markers.codes),
        },
        separators=(",", ":"),
    )


def errors_header(protocol: Path) -> Header:
    """The extension's error numbers and texts, from firmware/protocol.toml."""
    table = tomllib.loads(protocol.read_text(encoding="utf-8"))["errors"]
    macros: list[Macro] = []
    for name, entry in sorted(table.items(), key=lambda item: int(item[1]["number"])):
        macro = identifier(f"NB_E_{name.upper().replace('-', '_')}")
        number = int(entry["number"])
        macros.append(Macro(name=macro, value=str(number)))
        macros.append(Macro(name=f"{macro}_TEXT", value=c_string(f"E{number} {entry['text']}")))
    return Header(
        file="nb_errors.h",
        purpose="errors of the protocol's extension",
        guard="NB_ERRORS_H",
        includes=(),
        macros=tuple(macros),
    )


def arena_bytes(plan: Plan) -> int:
    """The arena's size as emitted; C has no array of no elements."""
    return max(plan.arena.size_bytes, MIN_ARENA_BYTES)


def _input_runs(inputs: list[Tensor]) -> str:
    """How the generated input fills the inputs (docs/wire-protocol.md): runs of bytes of one kind,
    0 raw, 1 float32, 2 bool, in the network's order."""
    runs = [
        (kind, sum(tensor.size_bytes for tensor in group))
        for kind, group in groupby(inputs, key=lambda tensor: _RUN_KIND.get(tensor.dtype, 0))
    ]
    return ", ".join(f"{{{size_bytes}u, {kind}u}}" for kind, size_bytes in runs)


def _scale(tensor: Tensor) -> float:
    return 1.0 if tensor.quantization is None else tensor.quantization.scale


def _zero(tensor: Tensor) -> int:
    return 0 if tensor.quantization is None else tensor.quantization.zero_point
