"""The CPU side of every Cortex-M55 port runs: with the board's flags, start-up, caches, MPU and the
sizes of its memories, on QEMU's mps3-an547. What belongs to the part alone (clocks, console, pins)
is left out: no emulator has it."""

from __future__ import annotations

import shutil

import pytest

from npubench.bench.job import Job, resolve_jobs
from npubench.boards import Board, MemoryRegion, board_ids, load_board
from npubench.build.firmware import build_firmware
from npubench.compiler.compiled import compile_network, read_network
from npubench.connect.board import open_board
from npubench.core.progress import Silent
from npubench.golden import golden_outputs

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
]

# Where a role's memory lies on the emulated machine, and how much of it there is.
PLACES = {
    "code": (0x00000000, 0x80000),
    "ram": (0x31000000, 0x400000),
    "weights": (0x60000000, 0x1000000),
    "arena": (0x61000000, 0x1000000),
}
PORTS = tuple(
    name
    for name in board_ids()
    for board in [load_board(name)]
    if board.kind == "physical" and board.cpu.core == "cortex-m55" and not board.status.missing
)


def port_of(board: Board) -> Board:
    """The board with its part exchanged for the emulated machine: same core, flags and sizes."""
    machine = load_board("qemu-m55")
    memory = []
    for region in board.memory:
        base, room = next(PLACES[role] for role in PLACES if role in region.roles)
        memory.append(
            MemoryRegion(
                name=region.name,
                base=base,
                size_bytes=min(region.size_bytes, room),
                roles=region.roles,
            )
        )
    return board.model_copy(
        update={
            "kind": "emulated",
            "hal": machine.hal,
            "counter": machine.counter,
            "memory": tuple(memory),
            "emulator": machine.emulator,
            "console": machine.console,
            "markers": None,
            "flash": None,
            "defines": {**machine.defines, "NB_L1_CACHES": 1},
        }
    )


def test_every_m55_board_has_its_port_run() -> None:
    """Who says ``port-emulated`` is run here, and who is run here may say so."""
    claimed = {name for name in board_ids() if load_board(name).status.cpu == "port-emulated"}
    assert claimed == set(PORTS)


@pytest.mark.parametrize("name", PORTS)
def test_the_port_computes_what_tflm_computes(name: str) -> None:
    board = port_of(load_board(name))
    (job,) = resolve_jobs(["digits"], [name], ["cpu"])
    job = Job(model=job.model, board=board, backend="cpu")
    network = read_network(job.model)
    project = compile_network(network, job.board, job.backend).project
    built = build_firmware(project, board, reporter=Silent(), job=job.title)
    assert any(path.endswith("cache_m.c") for path in project.files)
    with open_board(board, built.elf, port=None, reporter=Silent(), job=job.title) as target:
        device = target.device
        assert device.caps().board == name
        device.seed(1)
        golden = golden_outputs(network.data, 1, all_tensors=False)
        assert device.kat(tensors=False).output == golden.output_bytes
        used = device.mem().stack_used_bytes
        assert 0 < used < board.stack_bytes
        fault = device.fault()
        assert fault.kind == "usage"
        device.reset()
        device.seed(1)
        assert device.kat(tensors=False).output == golden.output_bytes
