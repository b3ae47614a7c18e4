"""The device around the model: registers, jobs, counters, and what it makes of a broken stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from npubench.npu.ethosu.config import ACCELERATORS
from npubench.npu.ethosu.device import GONE, RING_JOB
from npubench.npu.ethosu.isa import Cmd0
from npubench.npu.ethosu.registers import Channel, Command, Register, Status
from support.npu_device import ARENA, BASE, END, Bench, Job, compile_job
from support.vela_in_process import CHECKOUT, Reference

DIGITS = CHECKOUT / "models" / "digits" / "digits.tflite"
DONE = Status.IRQ | Status.END
FAULTS = Status.BUS | Status.PARSE | Status.WEIGHTS
FLIPS = 100


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return compile_job(DIGITS, tmp_path_factory.mktemp("vela"))


@pytest.fixture(scope="module")
def case() -> tuple[bytes, bytes]:
    """An input of the network and TFLM's answer."""
    reference = Reference(DIGITS)
    (values,) = reference.inputs(1, 5)
    return values.tobytes(), reference.run([values], 1)[0]


def test_a_job_ends_with_an_interrupt_and_tflms_answer(job: Job, case: tuple[bytes, bytes]) -> None:
    bench = Bench()
    bench.load(job, case[0])
    status = bench.start(job.words)
    assert status & 0xFFFF == DONE
    assert status >> 16 == 0xFFFF, "the interrupt's history"
    assert bench.device.read(Register.QREAD) == bench.device.read(Register.QSIZE)
    assert bench.output(job) == case[1]


def test_an_interrupt_command_leaves_its_bits(job: Job, case: tuple[bytes, bytes]) -> None:
    bench = Bench()
    bench.load(job, case[0])
    assert job.words[-1] & 0xFFFF == Cmd0.OP_STOP
    words = (*job.words[:-1], 0x0021 << 16 | Cmd0.OP_IRQ, 0x0100 << 16 | Cmd0.OP_STOP)
    status = bench.start(words)
    assert status & 0xFFFF == DONE
    assert status >> 16 == 0x0121
    assert bench.output(job) == case[1]


def test_a_mask_command_switches_the_counters_where_it_may(
    job: Job, case: tuple[bytes, bytes]
) -> None:
    """Off from the first command on, and on again before the last operation: the counters see that
    one alone. Without its bit in PMCR the command does nothing."""
    off, on = 0x00000013, 0x00010013
    last = max(
        index
        for index, word in enumerate(job.words)
        if word & 0x3FF in (2, 3, 5, 6) and not word >> 14 & 3 and not _is_payload(job.words, index)
    )
    masked = (off, *job.words[:last], on, *job.words[last:])
    counted = {}
    for name, words, control in (
        ("all", job.words, 7), ("ignored", masked, 7),
        ("last", masked, 15), ("none", (off, *job.words), 15),
    ):  # fmt: skip
        bench = Bench()
        bench.load(job, case[0])
        assert bench.start(words, control=control) & Status.END
        assert bench.output(job) == case[1]
        device = bench.device
        counted[name] = tuple(
            device.read(offset) for offset in (Register.PMCCNTR, Register.PMEVCNTR)
        )
    assert counted["ignored"] == counted["all"]
    assert counted["none"] == (0, 0)
    cycles, active = counted["last"]
    assert 0 < cycles == active < counted["all"][0]


def test_the_interrupt_is_cleared_by_writing_a_one(job: Job, case: tuple[bytes, bytes]) -> None:
    bench = Bench()
    bench.load(job, case[0])
    bench.start(job.words)
    bench.device.write(Register.CMD, Command.CLEAR_IRQ | Command.CLOCK_OFF)
    bench.device.ring(RING_JOB)
    assert not bench.device.read(Register.STATUS) & Status.IRQ
    assert bench.device.read(Register.CMD) == Command.CLOCK_OFF


def test_a_reset_sets_every_register_and_the_security_asked_for() -> None:
    bench = Bench()
    bench.device.write(Register.QSIZE, 77)
    bench.reset(privilege=3)
    assert bench.device.read(Register.PROT) == 3
    assert bench.device.read(Register.QSIZE) == 0
    assert bench.device.read(Register.STATUS) == 0
    assert bench.device.read(Register.ID) == 0x10066001
    assert bench.device.read(Register.CONFIG) == 0x1807


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("ethos-u55-32", 0x1005),
        ("ethos-u55-64", 0x1006),
        ("ethos-u55-128", 0x1807),
        ("ethos-u55-256", 0x3008),
    ],
)
def test_config_tells_macs_and_memory(kind: str, config: int) -> None:
    assert ACCELERATORS[kind].config_register == config
    assert Bench(kind).device.read(Register.CONFIG) == config


def test_equal_jobs_count_equal_cycles_and_their_events(
    job: Job, case: tuple[bytes, bytes]
) -> None:
    bench = Bench()
    seen = set()
    for _ in range(3):
        bench.load(job, case[0])
        bench.start(job.words)
        counters = tuple(bench.device.read(Register.PMEVCNTR + 4 * index) for index in range(4))
        seen.add((bench.device.read(Register.PMCCNTR), *counters))
    ((cycles, active, mac, read, written),) = seen
    assert cycles == active > mac > 0
    assert read > written > 0


def test_counters_add_up_until_they_are_reset(job: Job, case: tuple[bytes, bytes]) -> None:
    bench = Bench()
    bench.load(job, case[0])
    bench.start(job.words)
    once = bench.device.read(Register.PMCCNTR)
    bench.load(job, case[0])
    bench.device.write(Register.PMCR, 1)
    bench.device.write(Register.CMD, Command.RUN)
    bench.memory[: 4 * len(job.words)] = np.frombuffer(
        np.array(job.words, dtype="<u4").tobytes(), np.uint8
    )
    bench.device.ring(RING_JOB)
    assert bench.device.read(Register.PMCCNTR) == 2 * once


def test_a_counter_that_is_off_stays_still(job: Job, case: tuple[bytes, bytes]) -> None:
    bench = Bench()
    bench.load(job, case[0])
    bench.start(job.words)
    once = bench.device.read(Register.PMCCNTR)
    assert once
    bench.device.write(Register.PMCNTENCLR, 1 << 31)
    bench.device.write(Register.CMD, Command.RUN)
    bench.device.ring(RING_JOB)
    assert bench.device.read(Register.PMCCNTR) == once
    assert bench.device.read(Register.PMCNTENSET) & 0x8000_000F == 0xF


def test_a_counter_that_is_switched_off_and_on_again_counts(
    job: Job, case: tuple[bytes, bytes]
) -> None:
    bench = Bench()
    bench.device.write(Register.PMCNTENCLR, 0xFFFFFFFF)
    bench.load(job, case[0])
    bench.start(job.words)
    assert bench.device.read(Register.PMCCNTR) > 0


def test_counters_can_be_set(job: Job, case: tuple[bytes, bytes]) -> None:
    bench = Bench()
    bench.load(job, case[0])
    bench.start(job.words)
    once = bench.device.read(Register.PMCCNTR)
    bench.device.write(Register.PMCCNTR, 1000)
    bench.device.write(Register.PMEVCNTR, 0xFFFFFFFF)
    bench.device.write(Register.CMD, Command.RUN)
    bench.device.ring(RING_JOB)
    assert bench.device.read(Register.PMCCNTR) == 1000 + once
    assert bench.device.read(Register.PMEVCNTR) < once
    assert bench.device.read(Register.PMOVSSET) & 0x8000_000F == 1


def test_each_of_a_hundred_flipped_bits_is_seen_or_harmless(
    job: Job, case: tuple[bytes, bytes]
) -> None:
    """Never a crash, never a hang; what ends well either answers as TFLM does or differs in its
    output, which is what the bench compares. The undamaged stream works after each."""
    bench = Bench()
    bits = 32 * len(job.words)
    outcomes = {"fault": 0, "same": 0, "different": 0}
    for number in range(FLIPS):
        bit = number * bits // FLIPS + number % 32
        words = list(job.words)
        words[bit // 32] ^= 1 << (bit % 32)
        bench.load(job, case[0])
        status = bench.start(tuple(words))
        assert status != GONE
        if status & FAULTS:
            assert not status & Status.END
            outcomes["fault"] += 1
            bench.reset()
        else:
            assert status & 0xFFFF == DONE
            outcomes["same" if bench.output(job) == case[1] else "different"] += 1
    assert outcomes["fault"] > 20, outcomes
    assert outcomes["different"] > 5, outcomes
    bench.load(job, case[0])
    assert bench.start(job.words) & 0xFFFF == DONE
    assert bench.output(job) == case[1]


def test_a_region_out_of_range_is_a_bus_fault(job: Job) -> None:
    bench = Bench()
    status = bench.start(job.words, arena=BASE + END - 16)
    assert status & Status.BUS
    # port 0 (the arena's), and who met it first: the input is read there
    assert (status >> 11 & 1, Channel(status >> 12 & 0xF)) == (0, Channel.IFM)
    assert bench.start(job.words) & (Status.BUS | Status.END) == Status.BUS, "a reset is needed"
    bench.reset()
    assert bench.start(job.words, arena=0x2000_0000) & Status.BUS


def test_a_queue_out_of_range_is_a_bus_fault(job: Job) -> None:
    assert Bench().start(job.words, base=BASE + END) & Status.BUS


def test_a_misaligned_queue_is_a_parse_fault(job: Job) -> None:
    assert Bench().start(job.words, base=BASE + 4) & Status.PARSE


def test_a_stream_without_stop_is_a_parse_fault(job: Job) -> None:
    bench = Bench()
    assert bench.start(job.words[:-1]) & Status.PARSE
    assert not bench.device.read(Register.STATUS) & Status.END


def test_broken_weights_are_a_weight_fault(tmp_path: Path, case: tuple[bytes, bytes]) -> None:
    job = compile_job(DIGITS, tmp_path)
    bench = Bench()
    bench.load(job, case[0])
    bench.memory[ARENA // 2 : ARENA] = 0xFF
    assert bench.start(job.words) & FAULTS


def test_a_dropped_wait_is_a_parse_fault(job: Job, case: tuple[bytes, bytes]) -> None:
    bench = Bench()
    waits = [
        index
        for index, word in enumerate(job.words)
        if word & 0xFFFF == Cmd0.OP_DMA_WAIT and not _is_payload(job.words, index)
    ]
    assert waits
    for index in waits:
        words = (*job.words[:index], *job.words[index + 1 :])
        bench.load(job, case[0])
        assert bench.start(words) & Status.PARSE, f"word {index}"


def _is_payload(words: tuple[int, ...], index: int) -> bool:
    position = 0
    while position < index:
        position += 2 if words[position] >> 14 & 3 == 1 else 1
    return position != index
