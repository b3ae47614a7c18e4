"""The register file, access by access."""

from __future__ import annotations

import pytest

from npubench.npu.ethosu.config import ACCELERATORS
from npubench.npu.ethosu.events import UNKNOWN, Event
from npubench.npu.ethosu.memory_system import read_memory_system
from npubench.npu.ethosu.registers import (
    ALL_COUNTERS,
    PM_CYCLES,
    Command,
    Outcome,
    Register,
    RegisterFile,
    Status,
)
from npubench.npu.ethosu.stream import operations
from support.vela_in_process import CONFIG

PART = ACCELERATORS["ethos-u55-128"]


class Line:
    """The interrupt line, as levels."""

    def __init__(self) -> None:
        self.levels: list[bool] = []

    def __call__(self, level: bool) -> None:
        self.levels.append(level)


def register_file(
    outcome: Outcome | None = None, line: Line | None = None
) -> tuple[RegisterFile, list[int]]:
    ran: list[int] = []

    def run(registers: RegisterFile) -> Outcome:
        ran.append(registers.load(Register.QSIZE))
        return outcome or Outcome(
            status=Status.END, qread=64, history=0xFFFF, counts={0x23: 90}, cycles=100
        )

    return RegisterFile(PART, run, line=line or Line()), ran


def test_identification_needs_nothing_before() -> None:
    registers, _ = register_file()
    assert registers.load(Register.CONFIG) == PART.config_register
    assert registers.load(Register.ID) == 0x10066001
    assert registers.load(Register.PROT) == 1
    assert registers.load(Register.PMCR) >> 11 == 4
    registers.store(Register.CONFIG, 0)
    assert registers.load(Register.CONFIG) == PART.config_register


@pytest.mark.parametrize("privilege", [0, 1, 2, 3])
def test_a_reset_is_over_at_once_and_changes_protection(privilege: int) -> None:
    registers, _ = register_file()
    registers.store(Register.PMCNTENSET, PM_CYCLES)
    registers.store(Register.RESET, privilege)
    assert registers.load(Register.PROT) == privilege
    assert not registers.load(Register.STATUS)
    assert not registers.load(Register.PMCNTENSET)


def test_a_job_raises_the_line_until_it_is_cleared() -> None:
    line = Line()
    registers, ran = register_file(line=line)
    registers.store(Register.QSIZE, 64)
    registers.store(Register.CMD, Command.RUN | Command.POWER_OFF)
    assert ran == [64]
    assert registers.load(Register.STATUS) == 0xFFFF << 16 | Status.IRQ | Status.END
    assert registers.load(Register.CMD) == Command.POWER_OFF
    assert registers.load(Register.QREAD) == 64
    registers.store(Register.CMD, Command.CLEAR_IRQ)
    assert registers.load(Register.STATUS) == 0xFFFF << 16 | Status.END
    registers.store(Register.CMD, 0x00FF << 16)
    assert registers.load(Register.STATUS) == 0xFF00 << 16 | Status.END
    registers.store(Register.QSIZE, 64)
    assert not registers.load(Register.STATUS) & Status.END
    assert line.levels == [True, False]


def test_a_stop_in_the_same_store_leaves_nothing_to_run() -> None:
    registers, ran = register_file()
    registers.store(Register.CMD, Command.RUN | Command.STOP)
    registers.store(Register.CMD, Command.STOP)
    assert ran == []
    assert not registers.load(Register.STATUS)


def test_counters_follow_every_access() -> None:
    registers, _ = register_file()
    registers.store(Register.PMCR, 1)
    registers.store(Register.PMEVTYPER, 0x23)
    registers.store(Register.PMCNTENSET, ALL_COUNTERS)
    registers.store(Register.PMCNTENCLR, ALL_COUNTERS)
    registers.store(Register.PMCNTENSET, PM_CYCLES | 1)
    assert registers.load(Register.PMCNTENSET) == PM_CYCLES | 1
    registers.store(Register.CMD, Command.RUN)
    assert registers.load(Register.PMCCNTR) == 100
    assert registers.load(Register.PMEVCNTR) == 90
    registers.store(Register.PMCCNTR, 7)
    registers.store(Register.PMCCNTR + 4, 0x1_0001)
    assert registers.load64(Register.PMCCNTR) == 1 << 32 | 7
    registers.store(Register.PMCR, 1 | 4)
    assert (registers.load(Register.PMCCNTR), registers.load(Register.PMEVCNTR)) == (0, 90)
    registers.store(Register.PMCR, 2)
    registers.store(Register.CMD, Command.RUN)
    assert registers.load(Register.PMEVCNTR) == 0, "switched off by the same store"


def test_an_overflow_raises_the_line_where_it_may() -> None:
    line = Line()
    registers, _ = register_file(line=line)
    registers.store(Register.PMCR, 1)
    registers.store(Register.PMINTSET, 1)
    registers.store(Register.PMEVTYPER, 0x23)
    registers.store(Register.PMEVCNTR, 0xFFFFFFFF)
    registers.store(Register.PMCNTENSET, 1)
    registers.store(Register.CMD, Command.RUN)
    assert registers.load(Register.PMOVSSET) == 1
    assert registers.load(Register.STATUS) & Status.PMU_IRQ
    registers.store(Register.PMOVSCLR, 1)
    registers.store(Register.CMD, Command.CLEAR_IRQ)
    assert not registers.load(Register.STATUS) & (Status.PMU_IRQ | Status.IRQ)
    assert line.levels == [True, False]


@pytest.mark.parametrize(("kind", "part"), [("ethos-u55-64", 0x80), ("ethos-u65-512", 0x81)])
def test_the_identification_registers_name_the_part(kind: str, part: int) -> None:
    registers = RegisterFile(ACCELERATORS[kind], lambda _: Outcome(status=0, qread=0))
    peripheral = [registers.load(Register.PID0 + 4 * index) for index in range(4)]
    component = [registers.load(Register.CID0 + 4 * index) for index in range(4)]
    assert peripheral == [part, 0xB5, 0x0B, 0]
    assert component == [0x0D, 0xF0, 0x05, 0xB1]
    assert registers.load(Register.PID4) == 4
    registers.store(Register.PID0, 0)
    assert registers.load(Register.PID0) == part
    registers.store(Register.CLKFORCE, 0x3F)
    assert registers.load(Register.CLKFORCE) == 0x3F


def test_the_cycle_counter_waits_for_its_start_event() -> None:
    registers, _ = register_file()
    registers.store(Register.PMCR, 1)
    registers.store(Register.PMCNTENSET, PM_CYCLES)
    registers.store(Register.PMCCNTR_CFG, Event.NPU_ACTIVE)
    registers.store(Register.CMD, Command.RUN)
    assert registers.load(Register.PMCCNTR) == 100
    registers.store(Register.PMCCNTR_CFG, Event.MAC_ACTIVE_32BIT)
    registers.store(Register.CMD, Command.RUN)
    assert registers.load(Register.PMCCNTR) == 100, "no such event in this job"
    registers.store(Register.PMCCNTR_CFG, 0)
    registers.store(Register.CMD, Command.RUN)
    assert registers.load(Register.PMCCNTR) == 200


def test_the_cycle_counter_stops_at_a_jobs_end_or_says_that_it_cannot(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registers, _ = register_file()
    registers.store(Register.PMCR, 1)
    registers.store(Register.PMCNTENSET, PM_CYCLES)
    for stop in (Event.NPU_IDLE, Event.MAC_ACTIVE_32BIT):
        registers.store(Register.PMCCNTR_CFG, stop << 16 | Event.NPU_ACTIVE)
        registers.store(Register.CMD, Command.RUN)
    assert registers.load(Register.PMCCNTR) == 200
    assert not caplog.records, "neither comes before the end of this job"
    registers.store(Register.PMCCNTR_CFG, Event.NPU_ACTIVE << 16)
    registers.store(Register.CMD, Command.RUN)
    assert "event 0x023 first comes in a job is not modelled" in caplog.text


def test_every_documented_event_counts_or_says_why_not() -> None:
    described = pytest.importorskip(
        "ethosu.vela.ethos_u55_regs.ethos_u55_regs", reason="Vela is not installed"
    )
    unknown = [number for numbers in UNKNOWN for number in numbers]
    assert len(set(unknown)) == len(unknown)
    assert not set(unknown) & set(Event)
    documented = {event.value for event in described.pmu_event_type}
    assert documented == set(unknown) | {int(event) for event in Event}


def test_outstanding_transactions_limit_reads_and_writes_apart() -> None:
    system = read_memory_system(CONFIG, system_config="Mps3_U55", memory_mode="Shared_Sram")
    flash = system.ports[1]
    sram = system.ports[0]
    free = system.limited((0xFFFF0002,) * 4)
    assert free == system
    few = system.limited((0x01000000, 0x01000000, 0x00000002, 0x00010000))
    assert few.ports[0].rate(is_read=True) == 64 / sram.read_latency_cycles
    assert few.ports[0].rate(is_read=False) == min(
        sram.bytes_per_cycle, 128 / max(1, sram.write_latency_cycles)
    )
    assert few.ports[1].rate(is_read=True) == min(
        flash.bytes_per_cycle, 256 / flash.read_latency_cycles
    )
    assert few.sha256(PART) != system.sha256(PART)


def test_an_interrupt_within_the_stream_stands_in_the_history() -> None:
    stop, irq = 0xFFFF0000, 0x00050001
    first, last = operations([irq, stop & 0x00080000])
    assert (first.offset_bytes, getattr(first, "mask", 0)) == (0, 5)
    assert getattr(last, "mask", 0) == 8
