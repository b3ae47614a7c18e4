"""The promise of a board model: the image that would be flashed boots, sets up its clocks, pins and
console, computes what TFLM computes, and marks its stages, before anybody has the board."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from npubench.bench.job import Job, resolve_jobs
from npubench.bench.prepare import Prepared, build_image
from npubench.boards import board_ids, load_board
from npubench.compiler.compiled import compile_network, read_network
from npubench.core.errors import UsageError
from npubench.core.progress import Silent
from npubench.emulators.board_model import cores
from npubench.emulators.board_model.cortex_m import BFAR, CFSR, HARD_FAULT
from npubench.emulators.board_model.description import has_model, load_registers, on_model
from npubench.emulators.board_model.in_process import ModelTransport
from npubench.emulators.board_model.machine import BoardModel
from npubench.emulators.board_model.powered import PoweredBoard
from npubench.golden import golden_outputs
from npubench.wire.device import Device
from support.needs import need_compiler
from support.standing import assert_as_told

pytest.importorskip("unicorn", reason="the extra board-models (Unicorn) is not installed")
pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler of the host"),
]
BOARDS = tuple(name for name in board_ids() if has_model(load_board(name)))
STAGES = [1, 2, 3, 4, 5]
HOLD_US = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A powered model with an image, and the client that talks to it."""

    job: Job
    prepared: Prepared
    model: PoweredBoard
    device: Device

    def levels(self, since: int) -> list[int]:
        """Stage codes since an instruction, as an instrument sees them: levels that were held."""
        hold = HOLD_US * (self.job.board.cpu.hz or 0) // 1_000_000
        edges = [edge for edge in self.model.peripherals.edges if edge.at_instructions >= since]
        ends = [edge.at_instructions for edge in edges[1:]]
        ends += [self.model.instructions] if edges else []
        held = [
            edge.code
            for edge, end in zip(edges, ends, strict=True)
            if edge.code is not None and end - edge.at_instructions >= hold
        ]
        return [code for index, code in enumerate(held) if index == 0 or held[index - 1] != code]


def prepare(board: str) -> tuple[Job, Prepared]:
    """The keyword network on a board; the test is skipped where its compiler is not installed."""
    need_compiler(board)
    (job,) = resolve_jobs(["kws"], [board], ["cpu"])
    network = read_network(job.model)
    return job, build_image(compile_network(network, job.board, job.backend), job, Silent())


def power_up(job: Job, prepared: Prepared) -> Bench:
    model = cores.power_up(job.board, prepared.firmware.elf)
    assert job.board.cpu.hz is not None
    device = Device(ModelTransport(model, hz=job.board.cpu.hz))
    device.wait_boot()
    return Bench(job=job, prepared=prepared, model=model, device=device)


@pytest.fixture(params=BOARDS)
def bench(request: pytest.FixtureRequest) -> Bench:
    """Each board that has a model, booted with the keyword network."""
    return power_up(*prepare(request.param))


def test_firmware_answers_computes_and_marks(bench: Bench) -> None:
    """One test for all of it: each board is built and booted once."""
    device, model = bench.device, bench.model
    caps = device.caps()
    assert (caps.board, caps.model) == (bench.job.board.id, "kws")
    assert caps.artifact == bench.prepared.compiled.plan.artifact_sha256

    device.seed(1)
    golden = golden_outputs(bench.prepared.compiled.network.data, 1, all_tensors=True)
    kat = device.kat(tensors=True)
    assert kat.output == golden.output_bytes
    assert {tensor.op: tensor.crc for tensor in kat.tensors} == golden.op_crcs

    before = model.instructions
    result = device.bench(1, 0)
    assert result.selftest is not None
    short, long = result.selftest.counts
    assert long - short == 2 * (result.selftest.iterations[1] - result.selftest.iterations[0])
    marked = bench.job.board.markers is not None
    assert [code for code in bench.levels(before) if code] == (STAGES if marked else [])
    assert bench.levels(before)[1::2] == [0] * (len(STAGES) if marked else 0)
    assert all(edge.timestamp for edge in model.peripherals.edges if edge.at_instructions > before)

    before = model.instructions
    device.mode("energy")
    device.infer(1, 0)
    pulses = [e.timestamp for e in model.peripherals.edges if e.at_instructions > before]
    assert pulses == ([False, True, False, True] if marked else [])

    assert device.burst(6, 1, HOLD_US).slept

    fault = device.fault()
    kind = "hard" if bench.job.board.cpu.core == "cortex-m0plus" else "usage"  # it has no CFSR
    assert (fault.kind, model.resets) == (kind, 1)
    code = bench.job.board.region("code")
    assert code.base <= fault.pc < code.base + code.size_bytes
    assert device.caps().board == bench.job.board.id
    assert model.peripherals.lost == []
    assert model.peripherals.undescribed == []


def test_boards_of_every_core_have_a_model() -> None:
    played = {load_board(name).cpu.core for name in BOARDS}
    assert {"cortex-m0plus", "cortex-m4", "cortex-m7", "cortex-m33", "rv64gc"} <= played


def test_two_sessions_are_the_same_byte_for_byte() -> None:
    job, prepared = prepare("nucleo-l4r5zi")
    sessions = []
    for _ in range(2):
        bench = power_up(job, prepared)
        bench.device.bench(2, 1)
        sessions.append((bench.device.log.received, bench.model.peripherals.edges))
    assert sessions[0] == sessions[1]


def broken(board: str, **changes: Any) -> BoardModel:
    """A board that differs from its description."""
    job, prepared = prepare(board)
    registers = load_registers(job.board).model_copy(update=changes)
    return BoardModel(job.board, prepared.firmware.elf, registers=registers)


def test_a_console_that_is_not_set_up_is_silent_and_says_why() -> None:
    """The model has teeth: IOSV, say, left out, is found here and not on the desk."""
    console = load_registers(load_board("nucleo-l4r5zi")).console
    wanted = (*console.needs, "pwr.0x04[10] = 1")
    model = broken("nucleo-l4r5zi", console=console.model_copy(update={"needs": wanted}))
    model.run(200_000)
    assert model.take_sent() == b""
    assert model.peripherals.lost == ["pwr.0x04[10] = 1 does not hold"]


def test_registers_that_nobody_described_are_named() -> None:
    blocks = load_registers(load_board("nucleo-l4r5zi")).block
    smaller = tuple(
        block.model_copy(update={"size_bytes": 0x90}) if block.name == "rcc" else block
        for block in blocks
    )
    model = broken("nucleo-l4r5zi", block=smaller)
    model.run(200_000)
    assert model.peripherals.undescribed == [0x40021090]


def test_a_missing_peripheral_is_a_bus_fault_with_its_address() -> None:
    blocks = load_registers(load_board("nucleo-h7a3zi-q")).block
    without = tuple(block for block in blocks if block.name != "flash")
    model = broken("nucleo-h7a3zi-q", block=without)
    model.run(20_000)
    assert model.control.active == [HARD_FAULT]
    assert model.control.words[CFSR] == 0x8200
    assert model.control.words[BFAR] == 0x52002000


def command(checkout: Path, folder: Path, *words: str) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-c", "from npubench.cli.main import main; main()", *words, "--json"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(checkout / root) for root in ("compiler", "host")),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_model_is_never_a_measurement(checkout: Path, tmp_path: Path) -> None:
    """Same image as for the board, through the whole bench: counted instructions."""
    board = ("--board", "nucleo-l4r5zi")
    document = command(checkout, tmp_path, "bench", "kws", *board, "--on-model")
    (run,) = document["runs"]
    assert (run["status"], run["golden"]["status"]) == ("ok", "match")
    assert (run["evidence"], run["board_kind"]) == ("counted", "emulated")
    assert_as_told(run["run_dir"])
    assert {stage["unit"] for stage in run["stages"].values()} == {"instructions"}
    assert "measured" not in {stage["evidence"] for stage in run["stages"].values()}
    assert run["clock"]["measured_hz"] is None
    assert "board model" in run["environment"]["transport"]
    built = command(checkout, tmp_path, "build", "kws", *board)
    assert run["environment"]["elf_sha256"] == built["elf_sha256"]


TWINS = {"qemu-m4": "nucleo-l4r5zi", "qemu-m7": "nucleo-h7a3zi-q", "qemu-m33": "pico2"}


@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed")
def test_unicorn_and_qemu_count_the_same_instructions(checkout: Path, tmp_path: Path) -> None:
    """Two emulators, two ways of counting, one core each: not an instruction of difference."""
    words = [word for pair in TWINS.items() for name in pair for word in ("--board", name)]
    document = command(
        checkout, tmp_path, "bench", "digits", *words, "--on-model", "--backend", "cpu"
    )
    for run in document["runs"]:
        if run["board"] not in TWINS:  # without an instrument
            assert_as_told(run["run_dir"])
    infer = {run["board"]: run["stages"]["infer"]["median"] for run in document["runs"]}
    for emulated, played in TWINS.items():
        assert infer[emulated] == infer[played] > 100_000


def test_a_board_without_a_model_says_so() -> None:
    with pytest.raises(UsageError, match="has no model"):
        on_model(load_board("native"))
