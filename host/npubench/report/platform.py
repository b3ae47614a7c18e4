"""What stands behind each figure of a platform today: its NPU's compiler, a simulator, where cycles
and energy come from, whether anybody has seen the hardware. Read from the files and backends, so
that it cannot say more than there is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from npubench.boards import Board, load_boards
from npubench.compiler.backends import load_backend
from npubench.compiler.vendor.adapter import VendorBackend
from npubench.compiler.vendor.simulated import SimulatedBackend
from npubench.core.evidence import Evidence
from npubench.core.stages import Stage
from npubench.cycles.issue import RULES
from npubench.cycles.weights import weights_of
from npubench.emulators.board_model.description import has_model, models_driver
from npubench.runs.schema import RunRecord

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
    "cycles": "time from",
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
        return "our model of the NPU, its cycles by its program: `--on-model`"
    return "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a run without the board gives of time or energy: the kind of its evidence (of counted
    instructions ``counted``; None: nothing) and where it is from."""

    kind: Evidence | None
    words: str

    @property
    def told(self) -> str:
        """In words, with the kind of a figure that is modelled."""
        return f"{self.words} (modelled)" if self.kind is Evidence.MODELLED else self.words


def cycles(board: Board) -> str:
    """Where time and cycles come from without the board."""
    found = time_of(board).told
    adapter = adapter_of(board)
    if isinstance(adapter, SimulatedBackend) and adapter.simulator.tells_cycles:
        alone = time_of(board).kind is None
        simulated = "NPU: the vendor's simulator (modelled)"
        return simulated if alone else f"{found}; {simulated}"
    return found


def energy(board: Board) -> str:
    """Where energy comes from without the board."""
    return energy_of(board).told


def time_of(board: Board) -> Given:
    """What `bench` gives of time without the board, on QEMU or with `--on-model`."""
    if board.kind == "host":
        return Given(kind=None, words="none: a host process")
    if board.status.npu == "modelled" or board.stand_in is not None:
        return Given(kind=Evidence.MODELLED, words=_by_bounds(board))
    if _has_programmed_npu(board):
        return Given(
            kind=Evidence.MODELLED,
            words=f"CPU: counted instructions, bounds of the {board.cpu.core}'s issue; NPU: its "
            "vendor's formula over the program",
        )
    counted = board.emulator is not None or has_model(board)
    weights = weights_of(board.part)
    if counted and weights is not None:
        return Given(
            kind=Evidence.MODELLED, words="counted instructions, weights fitted to this part"
        )
    if counted:
        return Given(kind=Evidence.COUNTED, words="none: instructions are counted")
    if weights is not None:
        return Given(kind=None, words="the board alone; its weights are lent to others: `--as`")
    return Given(kind=None, words="the board alone")


def _by_bounds(board: Board) -> str:
    """Of a board whose NPU is our model: how the CPU's share becomes time."""
    cpu = board.cpu
    if board.stand_in is not None and cpu.core in RULES:
        share = f"bounds of the {cpu.core}'s issue"
    else:
        share = f"{cpu.cpi_low:g} to {cpu.cpi_high:g} cycles each"
    return f"CPU: counted instructions, {share}; NPU: our timing model"


def energy_of(board: Board) -> Given:
    """What `bench` gives of energy without the board."""
    weights = weights_of(board.part)
    power = board.part_power
    if power is not None and power.source:
        alone = "" if power.cpu_alone is not None else ", runs with the NPU only"
        return Given(
            kind=Evidence.MODELLED,
            words=f"published power of this part, {power.definition}{alone}",
        )
    if weights is not None and weights.energy:
        lent = "" if time_of(board).kind is Evidence.MODELLED else ", lent to others: `--as`"
        return Given(
            kind=None if lent else Evidence.MODELLED,
            words=f"published energy of this part{lent}",
        )
    if board.power is not None:
        return Given(kind=Evidence.MODELLED, words="a constant current a stage")
    if board.emulator is not None and board.npu is not None:
        names = [f"`--as {name}`" for name in lenders(board)]
        return Given(
            kind=None,
            words=f"none of its own; {' or '.join(names)} lends a part's"
            if names
            else "none: of no part with its NPU was power found published",
        )
    if power is not None:
        return Given(kind=None, words="an instrument on the board; none published")
    if board.kind == "physical":
        return Given(kind=None, words="an instrument on the board")
    return Given(kind=None, words="none")


def lenders(board: Board) -> tuple[str, ...]:
    """The parts whose published power an emulated board with the same core and NPU may take."""
    assert board.npu is not None
    accelerator = board.npu.config.get("accelerator")
    return tuple(
        part.id
        for part in load_boards()
        if part.stand_in is not None
        and part.cpu.core == board.cpu.core
        and part.npu is not None
        and part.npu.config.get("accelerator") == accelerator
        and part.part_power is not None
        and part.part_power.source
    )


def given_by(run: RunRecord) -> tuple[Evidence | None, Evidence | None]:
    """What a run's record gives of time and of energy, told as ``time_of`` and ``energy_of`` tell
    it of a board: the two are held together by the tests."""
    stage = run.stages.get(Stage.INFER)
    if stage is None or stage.median is None:
        return None, None
    timed = stage.unit in ("us", "us_modelled")
    time = stage.evidence if timed else Evidence.COUNTED
    if not timed and stage.time_us is not None:
        time = Evidence.MODELLED
    energy = None if run.energy is None else run.energy.evidence
    return time, Evidence.MODELLED if stage.energy_uj is not None else energy


def _has_programmed_npu(board: Board) -> bool:
    """Whether its model is told in time by what is programmed into the accelerator."""
    npu = board.npu
    told = npu is not None and npu.backend is not None and board.stand_in is None
    return told and board.cpu.cpi_low is not None and models_driver(board, str(npu and npu.backend))


def seen(board: Board) -> str:
    """Who saw it work."""
    proof = board.status.proof
    return "no" if proof is None else f"{proof.by}, {proof.date.isoformat()}"
