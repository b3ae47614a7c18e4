"""A modelled NPU on plain memory, driven register by register as the firmware's driver does."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npubench.compiler.backends.ethos_u.output import JobTensors, VelaModel, job_tensors, read_vela
from npubench.npu.ethosu.config import accelerator
from npubench.npu.ethosu.device import RING_JOB, RING_RESET, Device, Window
from npubench.npu.ethosu.memory_system import read_memory_system
from npubench.npu.ethosu.payload import parse_payload
from npubench.npu.ethosu.registers import Command, Register
from support.vela_in_process import CONFIG, compile_network

BASE = 0x60000000
STREAM, CONSTANTS, ARENA, END = 0x000000, 0x100000, 0x200000, 0x300000
REGIONS_AS_SHARED_SRAM = 0b10
ALL_COUNTERS = 1 << 31 | 0xF


@dataclass(frozen=True)
class Job:
    """A network that is one job, as Vela compiled it."""

    model: VelaModel
    tensors: JobTensors
    words: tuple[int, ...]


def compile_job(network: Path, folder: Path, *, kind: str = "ethos-u55-128") -> Job:
    compiled = compile_network(network, folder, accelerator=kind)
    model = read_vela(compiled.read_bytes(), name=network.stem)
    (op,) = model.ops
    tensors = job_tensors(model, op)
    assert tensors.stream.data is not None
    return Job(model=model, tensors=tensors, words=parse_payload(tensors.stream.data).words)


class Bench:
    """The device with its memory; ``run`` does what the driver does for one job."""

    def __init__(self, kind: str = "ethos-u55-128") -> None:
        self.memory = np.zeros(END, dtype=np.uint8)
        self.page = memoryview(bytearray(b"\xa5" * 0x1000))
        self.device = Device(
            accelerator(kind),
            read_memory_system(CONFIG, system_config="Mps3_U55", memory_mode="Shared_Sram"),
            page=self.page,
            window=Window(base=BASE, data=self.memory),
        )
        self.reset()

    def reset(self, privilege: int = 1) -> None:
        self.device.write(Register.RESET, privilege)
        self.device.ring(RING_RESET)

    def load(self, job: Job, stimulus: bytes) -> None:
        """Fresh memory with the job's constants and its input."""
        self.memory[:] = 0
        constants = job.tensors.constants.data or b""
        self.memory[CONSTANTS : CONSTANTS + len(constants)] = np.frombuffer(constants, np.uint8)
        begin = ARENA + (job.model.tensors[job.model.inputs[0]].offset_bytes or 0)
        self.memory[begin : begin + len(stimulus)] = np.frombuffer(stimulus, np.uint8)

    def start(
        self,
        words: tuple[int, ...],
        *,
        events: tuple[int, ...] = (0x23, 0x30, 0x82, 0x87),
        base: int = BASE + STREAM,
        arena: int = BASE + ARENA,
        control: int = 7,
    ) -> int:
        """Queue a stream and ring; the STATUS afterwards."""
        raw = struct.pack(f"<{len(words)}I", *words)
        self.memory[STREAM : STREAM + len(raw)] = np.frombuffer(raw, np.uint8)
        write = self.device.write
        for register, value in (
            (Register.QBASE, base),
            (Register.BASEP, BASE + CONSTANTS),
            (Register.BASEP + 8, arena),
            (Register.BASEP + 16, arena),
        ):
            struct.pack_into("<Q", self.page, register, value)
        write(Register.QSIZE, len(raw))
        write(Register.REGIONCFG, REGIONS_AS_SHARED_SRAM)
        for index in range(4):
            write(Register.AXI_LIMIT + 4 * index, 0x0F1F0000)
        write(Register.PMCR, control)
        for index, event in enumerate(events):
            write(Register.PMEVTYPER + 4 * index, event)
        write(Register.PMCNTENSET, ALL_COUNTERS)
        write(Register.CMD, Command.RUN)
        self.device.ring(RING_JOB)
        return self.device.read(Register.STATUS)

    def output(self, job: Job) -> bytes:
        tensor = job.model.tensors[job.model.outputs[0]]
        begin = ARENA + (tensor.offset_bytes or 0)
        return self.memory[begin : begin + tensor.size_bytes].tobytes()
