"""What stands behind each figure of a platform today: its NPU's compiler, a simulator, where cycles
and energy come from, whether anybody has seen the hardware. Read from the files and backends, so
that it cannot say more than there is."""

from __future__ import annotations

from collections.abc import Iterable

from npubench.boards import Board
from npubench.compiler.backends import load_backend
from npubench.compiler.vendor.adapter import VendorBackend
from npubench.compiler.vendor.simulated import SimulatedBackend
from npubench.cycles.weights import weights_of
from npubench.emulators.board_model.description import has_model, models_driver

PAPER = (
    "max78000fthr",
    "max78000evkit",
    "grove-vision-ai-v2",
    "frdm-mcxn947",
    "gapuino",
    "milkv-duo",
    "nucleo-h7a3zi-q",
    "esp32-s3-devkitc",
)
"""The platforms of the µNPU paper (MAX78000 on two boards); the others follow by their ids."""

COLUMNS = {
    "npu_compiler": "NPU compiled by the real tool",
    "simulator": "answers on a simulator",
    "cycles": "cycles from",
    "energy": "energy from",
    "seen": "hardware seen",
}


def in_order(boards: Iterable[Board]) -> tuple[Board, ...]:
    """The paper's boards first."""
    place = {name: index for index, name in enumerate(PAPER)}
    return tuple(sorted(boards, key=lambda board: (place.get(board.id, len(place)), board.id)))


def standing(board: Board) -> dict[str, str]:
    """By the keys of COLUMNS, in words."""
    return {
        "npu_compiler": npu_compiler(board),
        "simulator": simulator(board),
        "cycles": cycles(board),
        "energy": energy(board),
        "seen": seen(board),
    }


def adapter_of(board: Board) -> VendorBackend | SimulatedBackend | None:
    """The adapter of the vendor's compiler that makes no image: the NPU's, or that of the library
    for the core's own vector instructions."""
    name = board.cpu.library if board.npu is None else board.npu.adapter
    if name is None:
        return None
    backend = load_backend(name)
    return backend if isinstance(backend, VendorBackend | SimulatedBackend) else None


def npu_compiler(board: Board) -> str:
    """Who compiles for the NPU, and whether that was the vendor's tool or a stand-in here."""
    npu, adapter = board.npu, adapter_of(board)
    if isinstance(adapter, SimulatedBackend):
        with_own = f", with {adapter.brings}" if adapter.brings else ""
        how = f"`tools setup {adapter.simulator.tool}`{with_own}"
        if npu is None:
            return f"no NPU; the core's vector instructions by {adapter.engine}: {how}"
        return f"yes: {how}"
    if npu is None:
        return "no NPU"
    if adapter is not None:
        got = f"; to get it: {npu.install}" if npu.install else ""
        return f"no: the user brings {adapter.tool.program}{got}; tried with a stand-in alone"
    if npu.backend == "ethos-u":
        return "yes: Vela, in every run"
    if npu.backend is not None:
        return f"with the user's tool: {npu.install}"
    return "no: no backend is wired"


def simulator(board: Board) -> str:
    """What answers in the NPU's place."""
    adapter = adapter_of(board)
    if isinstance(adapter, SimulatedBackend):
        if not adapter.simulates_part:
            return "no simulator; the compiler's own executor: `--on-simulator`"
        return "the vendor's: `--on-simulator`"
    if board.npu is None:
        return "no NPU"
    if board.npu.backend == "ethos-u":
        if board.emulator is not None:
            return "our model of the NPU"
        if board.stand_in is not None:
            return "our model of the NPU: `--on-model`"
    if board.npu.backend is not None and models_driver(board, board.npu.backend):
        return "our model of the NPU, without time: `--on-model`"
    return "no"


def cycles(board: Board) -> str:
    """Where cycles come from without the board."""
    if board.kind == "host":
        return "none: a host process"
    found = []
    weights = weights_of(board.part)
    counted = board.emulator is not None or board.stand_in is not None or has_model(board)
    if weights is not None and counted:
        found.append("counted instructions, weights fitted to this part (modelled)")
    elif counted:
        found.append("none: instructions are counted")
    adapter = adapter_of(board)
    if board.npu is not None and board.npu.backend == "ethos-u":
        found.append("NPU: our timing model")
    if isinstance(adapter, SimulatedBackend) and adapter.simulator.tells_cycles:
        found.append("NPU: the vendor's simulator (modelled)")
    return "; ".join(found) or "the board alone"


def energy(board: Board) -> str:
    """Where energy comes from without the board."""
    weights = weights_of(board.part)
    if weights is not None and weights.energy:
        return "published energy of this part (modelled)"
    if board.power is not None:
        return "a constant current a stage (modelled)"
    if board.kind == "physical":
        return "an instrument on the board"
    return "none"


def seen(board: Board) -> str:
    """Who saw it work."""
    proof = board.status.proof
    return "no" if proof is None else f"{proof.by}, {proof.date.isoformat()}"
