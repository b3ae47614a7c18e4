"""Arm's own driver, unmodified, on the modelled NPU: each of its accesses is trapped, its interrupt
is one.

The driver is not ours to bring: NPUBENCH_ETHOSU_DRIVER names a checkout of Arm's
ethos-u-core-driver.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npubench.boards import load_board
from npubench.core.tool import run_tool
from npubench.emulators.board_model.description import RegisterModel
from npubench.emulators.board_model.machine import BoardModel
from npubench.npu.ethosu.config import Accelerator, accelerator
from npubench.npu.ethosu.device import Engine, Window
from npubench.npu.ethosu.memory_system import read_memory_system
from npubench.npu.ethosu.registers import PAGE_BYTES, RegisterFile
from support.npu_device import ARENA, CONSTANTS, STREAM, Job, compile_job
from support.vela_in_process import CHECKOUT, CONFIG, Reference

pytest.importorskip("unicorn", reason="the extra board-models (Unicorn) is not installed")
DRIVER = os.environ.get("NPUBENCH_ETHOSU_DRIVER", "")
pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(not DRIVER, reason="NPUBENCH_ETHOSU_DRIVER names no checkout of the driver"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
]
NPU, IRQ, DDR, UART = 0x48102000, 56, 0x60000000, 0x40004000
PARTS = {"ethos-u55-128": "u55", "ethos-u65-256": "u65"}
"""And the driver's name for its product."""
END = 0xE0D
NETWORK = CHECKOUT / "models" / "ic" / "ic.tflite"


def build(job: Job, folder: Path, arch: str) -> Path:
    stream, constants = job.tensors.stream.data, job.tensors.constants.data
    assert stream is not None
    assert constants is not None
    support = CHECKOUT / "tests" / "support"
    source = Path(DRIVER)
    elf = folder / "client.elf"
    run_tool(
        [
            "arm-none-eabi-gcc", "-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=soft", "-std=gnu11",
            "-O2", f"-DETHOS{arch.upper()}", f"-DETHOSU_ARCH={arch}", f"-DNB_UART={UART:#x}u",
            f"-DNB_NPU={NPU:#x}u", f"-DNB_STREAM={DDR + STREAM:#x}u",
            f"-DNB_STREAM_BYTES={len(stream)}", f"-DNB_CONSTANTS={DDR + CONSTANTS:#x}u",
            f"-DNB_CONSTANT_BYTES={len(constants)}u", f"-DNB_ARENA={DDR + ARENA:#x}u",
            f"-DNB_ARENA_BYTES={job.tensors.scratch.size_bytes}u",
            "-I", source / "include", "-I", source / "src", "-I", support / "core_driver_stubs",
            "-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--no-warnings",
            "-Wl,--defsym=NB_CODE=0x10000000", "-Wl,--defsym=NB_RAM=0x38000000",
            "-Wl,--defsym=end=_stack_top", "-Wl,--build-id=none", "-T", support / "exceptions.ld",
            support / "core_driver_client.c", source / "src" / "ethosu_driver.c",
            source / "src" / "ethosu_device_u55_u65.c", source / "src" / "ethosu_pmu.c",
            "-o", elf,
        ]
    )  # fmt: skip
    return elf


class Board:
    """A Cortex-M33 on Unicorn, the NPU's registers trapped, its memory shared."""

    def __init__(self, elf: Path, size: int, part: Accelerator) -> None:
        registers = RegisterModel.model_validate(
            {
                "schema": 1,
                "console": {"transmit": "uart.0x00", "receive": "uart.0x04"},
                "block": [{"name": "uart", "base": UART, "size_bytes": 0x20}],
            }
        )
        self.model = BoardModel(load_board("qemu-m33"), elf, registers=registers)
        self.memory = np.zeros(size, dtype=np.uint8)
        engine = Engine(
            part,
            read_memory_system(
                CONFIG,
                system_config="Mps3_U55",
                memory_mode="Shared_Sram",
                axi_bytes=part.axi_bytes,
            ),
            Window(base=DDR, data=self.memory),
        )
        self.after_first: bytes = b""
        self.registers = RegisterFile(part, engine.run, line=self._line)
        emulator = self.model._uc
        pointer = self.memory.ctypes.data_as(ctypes.c_void_p)
        emulator.mem_map_ptr(DDR, size, 7, pointer)
        emulator.mmio_map(NPU, PAGE_BYTES, self._load, None, self._store, None)

    def _line(self, level: bool) -> None:
        pending = self.model.control.pending
        (pending.add if level else pending.discard)(16 + IRQ)
        if level:
            self.model._counting.stop()
            self.after_first = self.after_first or self.memory.tobytes()

    def _load(self, _: Any, offset: int, width: int, __: Any) -> int:
        word = self.registers.load(offset & ~3)
        return word >> 8 * (offset & 3) & (1 << 8 * width) - 1

    def _store(self, _: Any, offset: int, width: int, value: int, __: Any) -> None:
        assert width == 4
        self.registers.store(offset, value)

    def words(self) -> list[int]:
        """What the client sent, up to its last word."""
        for _ in range(200):
            self.model.run(20_000)
            sent = bytes(self.model.peripherals.sent)
            if sent.endswith(struct.pack("<I", END)):
                break
        return [word for (word,) in struct.iter_unpack("<I", sent)]


@pytest.mark.parametrize("kind", PARTS)
def test_arms_core_driver_initialises_runs_a_job_and_reads_the_counters(
    kind: str, tmp_path: Path
) -> None:
    job = compile_job(NETWORK, tmp_path, kind=kind)
    part = accelerator(kind)
    board = Board(build(job, tmp_path, PARTS[kind]), 0x300000, part)
    reference = Reference(NETWORK)
    inputs = reference.inputs(1, 3)
    (expected,) = reference.run(inputs, 1)
    for place, data in (
        (STREAM, job.tensors.stream.data),
        (CONSTANTS, job.tensors.constants.data),
        (ARENA + (job.model.tensors[job.model.inputs[0]].offset_bytes or 0), inputs[0].tobytes()),
    ):
        assert data is not None
        board.memory[place : place + len(data)] = np.frombuffer(data, np.uint8)
    words = board.words()
    (started, macs, architecture, ran, interrupts, cycles, active, mac, axi0, axi1,
     set_cycles, status, again, still, broken, end) = words  # fmt: skip
    assert (started, 1 << macs, architecture) == (0, part.macs, 1 << 16)
    assert (ran, interrupts) == (0, 1)
    assert cycles == active > mac > 0
    # The driver's default for a U65 puts the arena behind port 1, too.
    assert (axi0 > 0) == (PARTS[kind] == "u55")
    assert axi1 > 0
    assert set_cycles == 0x23456789
    assert status & 0xFFFFFFFF == 0x8000000F
    assert (again, still) == (0, 0x23456789), "a counter that is off stands still"
    assert broken == 0xFFFFFFFF, "a broken stream is an error that the driver sees"
    assert end == END
    output = job.model.tensors[job.model.outputs[0]]
    begin = ARENA + (output.offset_bytes or 0)
    assert board.after_first[begin : begin + output.size_bytes] == expected
