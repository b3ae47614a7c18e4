"""Vela inside the test's process: the same compiler, without a start of Python for each network."""

from __future__ import annotations

import contextlib
import io
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from npubench.compiler.backends.ethos_u.output import VelaModel, job_tensors, read_vela
from npubench.npu.ethosu.config import accelerator as accelerator_named
from npubench.npu.ethosu.functional import FunctionalCore
from npubench.npu.ethosu.hazards import check_hazards
from npubench.npu.ethosu.payload import parse_payload
from npubench.npu.ethosu.stream import operations

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIG = CHECKOUT / "boards" / "qemu-m55-u55" / "vela.ini"
SYSTEMS = {"Shared_Sram": "Mps3_U55", "Sram_Only": "Mps3_U55", "Dedicated_Sram": "Mps3_U55_Dram"}


def compile_network(
    model: Path,
    folder: Path,
    *,
    accelerator: str = "ethos-u55-128",
    mode: str = "Shared_Sram",
    debug: bool = False,
    legacy: bool = False,
) -> Path:
    """Vela's .tflite for a network; the debug database lies beside it as ``*_debug.xml``."""
    pytest.importorskip("ethosu.vela", reason="Vela is not installed")
    copy = folder / model.name
    shutil.copyfile(model, copy)
    words = [
        str(copy),
        "--accelerator-config",
        accelerator,
        "--config",
        str(CONFIG),
        "--system-config",
        SYSTEMS[mode],
        "--memory-mode",
        mode,
        "--output-dir",
        str(folder),
        *(["--enable-debug-db"] if debug else []),
        *(["--debug-force-legacy-core"] if legacy else []),
    ]
    said = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(said):
        warnings.simplefilter("ignore")
        from ethosu.vela.vela import main

        main(words)
    return folder / f"{model.stem}_vela.tflite"


def run_compiled(
    model: VelaModel,
    accelerator: str,
    inputs: list[NDArray[np.generic]],
    state: Mapping[str, bytes] | None = None,
) -> list[bytes] | None:
    """The outputs of a network that is wholly on the NPU, as bytes; None when it is not. ``state``:
    what its variables hold before, by name."""
    if not model.ops or not all(op.is_job for op in model.ops):
        return None
    free = [tensor for tensor in model.tensors if tensor.data is None]
    arena = np.zeros(
        max((tensor.offset_bytes or 0) + tensor.size_bytes for tensor in free), dtype=np.uint8
    )
    for index, values in zip(model.inputs, inputs, strict=True):
        raw = np.frombuffer(values.tobytes(), dtype=np.uint8)
        begin = model.tensors[index].offset_bytes or 0
        arena[begin : begin + raw.size] = raw
    for tensor in free:
        if state and tensor.name in state and tensor.offset_bytes is not None:
            first = np.frombuffer(state[tensor.name], np.uint8)
            arena[tensor.offset_bytes : tensor.offset_bytes + first.size] = first
    core = FunctionalCore(accelerator_named(accelerator))
    for op in model.ops:
        tensors = job_tensors(model, op)
        assert tensors.stream.data is not None
        payload = parse_payload(tensors.stream.data)
        assert payload.config == accelerator_named(accelerator).config_register
        program = tuple(operations(payload.words))
        check_hazards(program, accelerator_named(accelerator))
        fast = arena
        if tensors.fast_scratch.index != tensors.scratch.index:
            fast = np.zeros(tensors.fast_scratch.size_bytes, dtype=np.uint8)
        constants = np.frombuffer(tensors.constants.data or b"", dtype=np.uint8).copy()
        core.run(program, {0: constants, 1: arena, 2: fast})
    outputs = []
    for index in model.outputs:
        tensor = model.tensors[index]
        begin = tensor.offset_bytes or 0
        outputs.append(arena[begin : begin + tensor.size_bytes].tobytes())
    return outputs


class Reference:
    """A network in TFLM, in this process: for networks that are known not to end it."""

    def __init__(self, model: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tflm = pytest.importorskip("tflite_micro", reason="tflite-micro is not installed")
            self._interpreter = tflm.runtime.Interpreter.from_bytes(
                model.read_bytes(), arena_size=8 << 20
            )

    def inputs(self, count: int, seed: int) -> list[NDArray[np.generic]]:
        """Random inputs over the whole range of their types."""
        rng = np.random.default_rng(seed)
        found: list[NDArray[np.generic]] = []
        for index in range(count):
            details = self._interpreter.get_input_details(index)
            dtype = np.dtype(details["dtype"])
            info = np.iinfo(dtype)
            found.append(
                rng.integers(info.min, info.max, details["shape"], dtype=dtype, endpoint=True)
            )
        return found

    def run(self, inputs: list[NDArray[np.generic]], outputs: int) -> list[bytes]:
        """The outputs as bytes."""
        for index, values in enumerate(inputs):
            self._interpreter.set_input(values, index)
        self._interpreter.invoke()
        return [self._interpreter.get_output(index).tobytes() for index in range(outputs)]


def differing(
    network: Path, folder: Path, *, accelerator: str, mode: str = "Shared_Sram", seeds: int = 2
) -> int | None:
    """Output bytes in which NPU and TFLM differ; None where the NPU does not run all of it."""
    compiled = compile_network(network, folder, accelerator=accelerator, mode=mode)
    model = read_vela(compiled.read_bytes(), name=network.stem)
    if not model.ops or not all(op.is_job for op in model.ops):
        return None
    reference = Reference(network)
    wrong = 0
    for seed in range(seeds):
        inputs = reference.inputs(len(model.inputs), seed)
        got = run_compiled(model, accelerator, inputs)
        assert got is not None
        expected = reference.run(inputs, len(model.outputs))
        for left, right in zip(got, expected, strict=True):
            assert len(left) == len(right)
            wrong += sum(a != b for a, b in zip(left, right, strict=True))
    return wrong
