"""A file that Vela compiled, run on the NPU's model alone: no board, no firmware, no emulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from npubench.boards import load_board
from npubench.compiler.backends.ethos_u import memory_system_of, settings_of
from npubench.compiler.backends.ethos_u.output import (
    JobTensors,
    VelaModel,
    VelaTensor,
    job_tensors,
    read_vela,
)
from npubench.compiler.graph import Tensor
from npubench.compiler.stimulus import read_values
from npubench.core.errors import UsageError
from npubench.npu.ethosu.config import ACCELERATORS, Accelerator
from npubench.npu.ethosu.isa import disassemble
from npubench.npu.ethosu.payload import Payload, parse_payload

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MEMORY_BOARD: Final = "qemu-m55-u55"
"""The board whose memories the timing assumes when none is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NpuFileResult:
    """What a file computed. ``outputs`` by name, raw quantized values; ``cycles`` are modelled."""

    accelerator: str
    outputs: tuple[tuple[str, npt.NDArray[np.generic]], ...]
    cycles: int
    macs: int
    config_sha256: str
    memory_board: str


def load_vela(path: Path) -> VelaModel:
    """Read a file that Vela wrote. Raises UsageError when it is not there or holds no NPU job."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    model = read_vela(data, name=path.name)
    if not any(op.is_job for op in model.ops):
        raise UsageError(
            f"{path.name} holds no ethos-u operator",
            hint="give the file that Vela wrote: a run's artifact.tflite, or *_vela.tflite",
        )
    return model


def run_file(path: Path, stimulus: Path, *, board_id: str = MEMORY_BOARD) -> NpuFileResult:
    """Run a file whose operators are all on the NPU.

    ``stimulus``: the network's inputs as a .npy or .npz of their types and shapes, or their raw
    bytes. Raises UsageError, and StreamError when a command stream cannot be run.
    """
    import numpy as np

    from npubench.npu.ethosu.functional import FunctionalCore
    from npubench.npu.ethosu.hazards import check_hazards
    from npubench.npu.ethosu.stream import operations
    from npubench.npu.ethosu.timeline import program_time

    model = load_vela(path)
    cpu = [op.kind for op in model.ops if not op.is_job]
    if cpu:
        raise UsageError(
            f"{path.name} leaves operators on the CPU: {', '.join(dict.fromkeys(cpu))}",
            hint=f"run the whole network on a board: npubench bench MODEL --board {MEMORY_BOARD}",
        )
    board = load_board(board_id)
    arena = np.zeros(_arena_bytes(model), dtype=np.uint8)
    _store_inputs(model, arena, stimulus)
    cycles = macs = 0
    accelerator: Accelerator | None = None
    system = memory_system_of(settings_of(board))
    for op in model.ops:
        tensors = job_tensors(model, op)
        payload = _payload(tensors)
        if accelerator is None:
            accelerator = _accelerator(payload)
            core = FunctionalCore(accelerator)
        program = tuple(operations(payload.words))
        check_hazards(program, accelerator)
        core.run(program, _regions(tensors, arena))
        time = program_time(program, accelerator, system)
        cycles += time.cycles
        macs += time.macs
    assert accelerator is not None
    return NpuFileResult(
        accelerator=accelerator.name,
        outputs=tuple(_output(model.tensors[index], arena) for index in model.outputs),
        cycles=cycles,
        macs=macs,
        config_sha256=system.sha256(accelerator),
        memory_board=board.id,
    )


def disassemble_file(path: Path) -> Iterator[str]:
    """Every command stream of a file as text, a line per command."""
    model = load_vela(path)
    jobs = [op for op in model.ops if op.is_job]
    for number, op in enumerate(jobs):
        payload = _payload(job_tensors(model, op))
        yield (
            f"; job {number} of {len(jobs)}: CONFIG {payload.config:#010x} "
            f"({payload.macs} MACs), ID {payload.identity:#010x}, {len(payload.words)} words"
        )
        yield from disassemble(payload.words)


def _payload(tensors: JobTensors) -> Payload:
    assert tensors.stream.data is not None
    return parse_payload(tensors.stream.data)


def _accelerator(payload: Payload) -> Accelerator:
    for accelerator in ACCELERATORS.values():
        if accelerator.config_register == payload.config:
            return accelerator
    raise UsageError(
        f"the file is for CONFIG {payload.config:#010x}, of which there is no model",
        hint=f"known: {', '.join(ACCELERATORS)}",
    )


def _arena_bytes(model: VelaModel) -> int:
    return max(
        (tensor.offset_bytes or 0) + tensor.size_bytes
        for tensor in model.tensors
        if tensor.data is None
    )


def _regions(tensors: JobTensors, arena: npt.NDArray[np.uint8]) -> dict[int, npt.NDArray[np.uint8]]:
    import numpy as np

    scratch = arena[tensors.scratch.offset_bytes or 0 :]
    fast = scratch
    if tensors.fast_scratch.index != tensors.scratch.index:
        fast = np.zeros(tensors.fast_scratch.size_bytes, dtype=np.uint8)
    constants = np.frombuffer(tensors.constants.data or b"", dtype=np.uint8).copy()
    return {0: constants, 1: scratch, 2: fast}


def _store_inputs(model: VelaModel, arena: npt.NDArray[np.uint8], stimulus: Path) -> None:
    import numpy as np

    tensors = [model.tensors[index] for index in model.inputs]
    data = read_values(stimulus, [_typed(tensor) for tensor in tensors])
    position = 0
    for tensor in tensors:
        begin = tensor.offset_bytes or 0
        part = data[position : position + tensor.size_bytes]
        arena[begin : begin + len(part)] = np.frombuffer(part, dtype=np.uint8)
        position += len(part)


def _typed(tensor: VelaTensor) -> Tensor:
    """A tensor of the file as one of a network. Raises UsageError for a type that none has."""
    if tensor.dtype is None:
        raise UsageError(f"the network's input {tensor.name!r} has a type that no NPU reads")
    return Tensor(
        index=tensor.index,
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        quantization=None,
        data=None,
    )


def _output(
    tensor: VelaTensor, arena: npt.NDArray[np.uint8]
) -> tuple[str, npt.NDArray[np.generic]]:
    import numpy as np

    begin = tensor.offset_bytes or 0
    raw = arena[begin : begin + tensor.size_bytes].copy()
    dtype = np.dtype("int8" if tensor.dtype is None else str(tensor.dtype))
    return tensor.name, raw.view(dtype).reshape(tensor.shape)
