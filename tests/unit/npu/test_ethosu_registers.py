"""The register file, access by access."""

from __future__ import annotations

import pytest

from npubench.npu.ethosu.config import ACCELERATORS
from npubench.npu.ethosu.registers import (
    ALL_COUNTERS,
    PM_CYCLES,
    Command,
    Outcome,
    Register,
    RegisterFile,
    Status,
)

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
