"""The promise of the RISC-V model: traps arrive as the architecture says, time is counted, and what
it cannot play ends it with a reason."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from npubench.bench.job import resolve_jobs
from npubench.bench.prepare import build_image
from npubench.boards import load_board
from npubench.compiler.compiled import compile_network, read_network
from npubench.core.progress import Silent
from npubench.emulators.board_model.description import load_registers
from npubench.emulators.board_model.in_process import ModelTransport
from npubench.emulators.board_model.powered import ModelStopped
from npubench.emulators.board_model.riscv import RiscvModel
from npubench.wire.device import Device
from support.needs import need_compiler

pytest.importorskip("unicorn", reason="the extra board-models (Unicorn) is not installed")
riscv_const = pytest.importorskip("unicorn.riscv_const")
COMPILER = "riscv64-unknown-elf-gcc"
pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        shutil.which(COMPILER) is None, reason="the RISC-V compiler is not installed"
    ),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler of the host"),
]
SOURCE = Path(__file__).resolve().parents[1] / "support" / "traps.S"
BOARD = "k210-maix"
START = 0x8000_0000
ECALL, BREAK, ILLEGAL, LOAD, STORE = 11, 3, 2, 5, 7


def assemble(source: Path, elf: Path) -> Path:
    """An image at the start of the board's code region."""
    subprocess.run(
        [
            COMPILER, "-march=rv64imafdc", "-mabi=lp64d", "-nostdlib", "-nostartfiles",
            f"-Wl,-Ttext={START:#x}", "-Wl,--build-id=none", "-Wl,-n", "-o", elf, source,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return elf


def model(elf: Path) -> RiscvModel:
    """The board with its console always set up: the clocks are another test's."""
    board = load_board(BOARD)
    registers = load_registers(board)
    console = registers.console.model_copy(update={"needs": ()})
    return RiscvModel(board, elf, registers=registers.model_copy(update={"console": console}))


def words(data: bytes) -> list[int]:
    """Eight bytes each, lowest first."""
    return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    """What the program says of itself."""
    board = model(assemble(SOURCE, tmp_path_factory.mktemp("traps") / "traps.elf"))
    board.run(1_000_000)
    assert board.is_idle
    return words(board.take_sent())


def test_every_trap_has_its_cause_its_place_and_its_address(told: list[int]) -> None:
    traps = [told[at : at + 3] for at in range(0, 15, 3)]
    assert [trap[0] for trap in traps] == [ECALL, BREAK, ILLEGAL, LOAD, STORE]
    assert [trap[2] for trap in traps] == [0, 0, 0, 16, START + 8]
    places = [trap[1] for trap in traps]
    first = places[0]
    assert places[:4] == [first, first + 4, first + 8, first + 12]
    assert places[4] > places[3]


def test_mcycle_counts_instructions_and_can_be_set(told: list[int]) -> None:
    before, after, late, set_to = told[15:]
    loop, tell, around = 2 * 1000, 3 + 5 * 8, 3
    assert after - before == loop + tell + around, "to the last instruction"
    assert late == 0, "the timer woke the core when it was due"
    assert set_to == 78, "it goes on from what was written"


def test_two_sessions_are_the_same(tmp_path: Path) -> None:
    elf = assemble(SOURCE, tmp_path / "traps.elf")
    sessions = []
    for _ in range(2):
        board = model(elf)
        board.run(1_000_000)
        sessions.append((board.take_sent(), board.instructions))
    assert sessions[0] == sessions[1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("wfi\n", "nothing is set up to wake it"),
        ("ecall\n", "no handler that works"),
        ("csrs mcycle, t0\n", "no such access to mcycle"),
    ],
)
def test_what_the_model_cannot_play_ends_it(tmp_path: Path, text: str, reason: str) -> None:
    source = tmp_path / "end.S"
    source.write_text(f".globl _start\n_start:\n.option norvc\n{text}\n1: j 1b\n")
    with pytest.raises(ModelStopped, match=reason):
        model(assemble(source, tmp_path / "end.elf")).run(1_000)


def test_no_access_of_the_firmware_is_unaligned() -> None:
    """The K210's core traps on them, Unicorn's does not: each access of a whole session is seen."""
    need_compiler(BOARD)
    (job,) = resolve_jobs(["digits"], [BOARD], ["cpu"])
    prepared = build_image(
        compile_network(read_network(job.model), job.board, job.backend), job, Silent()
    )
    board = RiscvModel(job.board, prepared.firmware.elf)
    seen: list[int] = []
    unaligned: list[str] = []

    def look(engine: Any, _: int, address: int, size: int, *__: Any) -> None:
        seen.append(address)
        if address % size:
            place = engine.reg_read(riscv_const.UC_RISCV_REG_PC)
            unaligned.append(f"{size} bytes at {address:#x}, pc {place:#x}")

    board.watch_memory(look)
    device = Device(ModelTransport(board, hz=job.board.cpu.hz or 0))
    device.wait_boot()
    device.seed(1)
    device.kat(tensors=True)
    device.bench(1, 0)
    assert len(seen) > 100_000
    assert unaligned == []
