"""Lowered networks as one host program with the portable kernels, under the sanitizers.

Every buffer is its own allocation of the exact size, so that a read or write outside ends the
program. What a network keeps between inferences lives over the rounds of one start.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType, Graph
from npubench.compiler.lower import lower_op
from npubench.compiler.plan import (
    Alias,
    Arg,
    Constant,
    ConstantArg,
    Free,
    KernelCall,
    Lowered,
    ScratchArg,
    TensorArg,
)
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.paths import data_root

PAIRS = 256 * 256

NUMPY = {
    DType.INT8: np.int8,
    DType.UINT8: np.uint8,
    DType.INT16: np.int16,
    DType.INT64: np.int64,
    DType.BOOL: np.bool_,
    DType.INT32: np.int32,
    DType.FLOAT32: np.float32,
}

DRIVER_HEAD = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nb_kernels.h"

static void *fetch(size_t bytes)
{
    void *block = malloc(bytes);
    if (block == NULL || fread(block, 1, bytes, stdin) != bytes) {
        exit(2);
    }
    return block;
}

static uint32_t number(void)
{
    uint32_t value;
    if (fread(&value, sizeof value, 1, stdin) != 1) {
        exit(3);
    }
    return value;
}
"""

DRIVER_MAIN = r"""
int main(void)
{
    const uint32_t model = number();
    const uint32_t rounds = number();
    const uint32_t tensors = number();
    const uint32_t constants = number();
    void **t = calloc(tensors, sizeof *t);
    void **own = calloc(tensors, sizeof *own);
    uint32_t *bytes = calloc(tensors, sizeof *bytes);
    uint8_t *kind = calloc(tensors, sizeof *kind);
    void **c = calloc(constants + 1, sizeof *c);
    for (uint32_t i = 0; i < constants; i++) {
        c[i] = fetch(number());
    }
    for (uint32_t i = 0; i < tensors; i++) {
        bytes[i] = number();
        kind[i] = (uint8_t)number();
    }
    for (uint32_t r = 0; r < rounds; r++) {
        for (uint32_t i = 0; i < tensors; i++) {
            if (kind[i] == 1) {
                own[i] = fetch(bytes[i]);
            } else if (kind[i] == 3) {
                own[i] = r == 0 ? fetch(bytes[i]) : own[i];
            } else if (kind[i] == 2) {
                own[i] = malloc(bytes[i]);
                memset(own[i], 0xa5, bytes[i]);
            }
            t[i] = own[i];
        }
        run(model, t, c);
        for (uint32_t i = 0; i < tensors; i++) {
            if (kind[i] == 2 && fwrite(t[i], 1, bytes[i], stdout) != bytes[i]) {
                exit(4);
            }
        }
        for (uint32_t i = 0; i < tensors; i++) {
            if (kind[i] != 3 || r + 1 == rounds) {
                free(own[i]);
            }
        }
    }
    for (uint32_t i = 0; i < constants; i++) {
        free(c[i]);
    }
    free(t);
    free(own);
    free(bytes);
    free(kind);
    free(c);
    return 0;
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A lowered network: its steps and constants, and which tensors its program holds."""

    graph: Graph
    steps: tuple[Lowered, ...]
    constants: tuple[Constant, ...]

    def made(self) -> list[int]:
        """Tensors that a step writes, in the order of their indices."""
        kept = {variable.tensor for variable in self.graph.variables}
        made: set[int] = set()
        for step in self.steps:
            if isinstance(step, Alias):
                made.add(step.target_tensor)
            elif isinstance(step, KernelCall):
                made.update(written(step))
        return sorted(made - kept)


def written(call: KernelCall) -> list[int]:
    """The tensors that a call writes."""
    return [arg.tensor for arg in call.args if isinstance(arg, TensorArg) and not arg.const]


def lower(
    data: bytes, name: str, flavours: tuple[str, ...] = ("portable",), spare_bytes: int = 0
) -> Program:
    """A model's bytes, lowered to kernels of the flavours, with memory to spare for each."""
    graph = read_tflite(data, name=name)
    steps: list[Lowered] = []
    constants: list[Constant] = []
    for op in graph.ops:
        step, owned = lower_op(graph, op, flavours=flavours, spare_bytes=spare_bytes)
        steps.append(step)
        constants.extend(owned)
    return Program(graph=graph, steps=tuple(steps), constants=tuple(constants))


def argument(arg: Arg, names: dict[str, int], scratch: str) -> str:
    match arg:
        case TensorArg():
            return f"({'const ' if arg.const else ''}{arg.ctype} *)t[{arg.tensor}]"
        case ConstantArg(constant=None):
            return "NULL"
        case ConstantArg(constant=name):
            return f"c[{names[str(name)]}]"
        case ScratchArg():
            return scratch


def value(item: int | tuple[int, ...]) -> str:
    return "{" + ", ".join(map(str, item)) + "}" if isinstance(item, tuple) else str(item)


def driver(programs: list[Program]) -> str:
    """The C program that runs any of the networks."""
    parts = [DRIVER_HEAD]
    for index, program in enumerate(programs):
        names = {constant.name: at for at, constant in enumerate(program.constants)}
        lines = [f"static void model_{index}(void **t, void **c)", "{", "    (void)c;"]
        for step in program.steps:
            if isinstance(step, Free):
                continue
            if isinstance(step, Alias):
                lines.append(f"    t[{step.target_tensor}] = t[{step.source_tensor}];")
                continue
            fields = ", ".join(f".{name} = {value(item)}" for name, item in step.params)
            scratch = f"malloc({step.scratch_bytes})" if step.scratch_bytes else "NULL"
            call = ", ".join(argument(arg, names, "scratch") for arg in step.args)
            lines += [
                "    {",
                f"        static const {step.params_type} p = {{{fields}}};",
                f"        void *scratch = {scratch};",
                f"        {step.kernel}(&p, {call});",
                "        free(scratch);",
                "    }",
            ]
        parts.append("\n".join([*lines, "}"]))
    cases = "\n".join(f"    case {i}: model_{i}(t, c); break;" for i in range(len(programs)))
    parts.append(
        "static void run(uint32_t model, void **t, void **c)\n{\n    switch (model) {\n"
        f"{cases}\n    default: exit(5);\n    }}\n}}"
    )
    return "\n".join([*parts, DRIVER_MAIN])


def build(programs: list[Program], folder: Path) -> Path:
    """One executable with all kernels, under the sanitizers; warnings are errors."""
    (folder / "driver.c").write_text(driver(programs))
    firmware = data_root() / "firmware"
    command = [
        "gcc", "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror",
        "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
        "-I", str(firmware / "include"), "-o", str(folder / "driver"), str(folder / "driver.c"),
        *map(str, sorted((firmware / "kernels" / "portable").glob("*.c"))), "-lm",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder / "driver"


def stimuli(graph: Graph, seed: int) -> list[NDArray[Any]]:
    """Inputs: every pair or every value where the shapes allow, random codes otherwise."""
    rng = np.random.default_rng(seed)
    tensors = [graph.tensor(index) for index in graph.inputs]
    arrays: list[NDArray[Any]] = []
    for position, tensor in enumerate(tensors):
        if tensor.dtype is DType.FLOAT32:
            values = rng.normal(0, 20, tensor.shape).astype(np.float32)
            halves = np.arange(tensor.count, dtype=np.float32).reshape(tensor.shape) / 16
            arrays.append(halves - 8 if seed == 0 else values)
            continue
        if tensor.dtype is DType.BOOL:
            arrays.append(rng.integers(0, 2, tensor.shape).astype(np.bool_))
            continue
        info = np.iinfo(NUMPY[tensor.dtype])
        codes = rng.integers(info.min, info.max + 1, tensor.shape, dtype=np.int64)
        if seed == 0 and tensor.count == 256:
            codes = np.arange(info.min, info.max + 1).reshape(tensor.shape)
        if seed == 0 and tensor.count == PAIRS and len(tensors) == 2:
            grid = np.indices((256, 256))[position] + info.min
            codes = grid.reshape(tensor.shape)
        if seed == 1 and tensor.count != PAIRS:
            codes = np.full(tensor.shape, info.max if position == 0 else info.min)
        arrays.append(codes.astype(NUMPY[tensor.dtype]))
    return arrays


def pack(model: int, program: Program, rounds: list[list[NDArray[Any]]]) -> bytes:
    """The driver's input."""
    graph = program.graph
    made = set(program.made())
    kept = {variable.tensor: variable.initial for variable in graph.variables}
    parts = [struct.pack("<4I", model, len(rounds), len(graph.tensors), len(program.constants))]
    for constant in program.constants:
        parts += [struct.pack("<I", len(constant.data)), constant.data]
    for tensor in graph.tensors:
        kind = 1 if tensor.index in graph.inputs else 2 if tensor.index in made else 0
        kind = 3 if tensor.index in kept else kind
        parts.append(struct.pack("<2I", tensor.size_bytes if kind else 0, kind))
    for number, arrays in enumerate(rounds):
        given = {graph.inputs[at]: array.tobytes() for at, array in enumerate(arrays)}
        if number == 0:
            given |= kept
        parts += [given[index] for index in sorted(given)]
    return b"".join(parts)


def unpack(program: Program, rounds: int, data: bytes) -> Iterator[dict[int, NDArray[Any]]]:
    """Per round, the tensors that the driver computed."""
    at = 0
    for _ in range(rounds):
        tensors = {}
        for index in program.made():
            tensor = program.graph.tensor(index)
            raw = data[at : at + tensor.size_bytes]
            tensors[index] = np.frombuffer(raw, NUMPY[tensor.dtype]).reshape(tensor.shape)
            at += tensor.size_bytes
        yield tensors
    assert at == len(data)


def interpreter(data: bytes) -> Any:
    """TensorFlow Lite Micro on a model, every tensor kept."""
    from tflite_micro.python.tflite_micro import runtime

    return runtime.Interpreter.from_bytes(
        data,
        arena_size=max(16 << 20, 20 * len(data)),
        intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
    )


def check(executable: Path, number: int, program: Program, model: bytes, rounds: int) -> None:
    """Run the rounds here and in TensorFlow Lite Micro; every tensor must be equal."""
    given = [stimuli(program.graph, seed) for seed in range(rounds)]
    packed = pack(number, program, given)
    done = subprocess.run([executable], input=packed, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    golden = interpreter(model)
    for arrays, tensors in zip(given, unpack(program, rounds, done.stdout), strict=True):
        for position, array in enumerate(arrays):
            golden.set_input(array, position)
        golden.invoke()
        for index, array in tensors.items():
            expected = golden.GetTensor(index, 0)["tensor_data"]
            np.testing.assert_array_equal(
                array, np.asarray(expected).reshape(array.shape), err_msg=f"tensor {index}"
            )
