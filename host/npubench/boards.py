"""Boards as data: each ``boards/<id>/board.toml`` is one board, found by its folder."""

from __future__ import annotations

import difflib
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from npubench.core.errors import ConfigError, UsageError
from npubench.core.paths import data_root

BoardId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cpu(_Part):
    """The core that runs the harness. ``flags`` are the compiler's target flags.

    ``kernels`` lists kernel flavours, best first; ``portable`` always closes the list.
    ``library``: the backend of a vendor's library for the core's own vector instructions.
    ``cpi_low``/``cpi_high``: range of cycles per instruction, used only for modelled time.
    """

    core: str
    hz: int | None = None
    flags: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ("portable",)
    library: str | None = None
    cpi_low: float | None = None
    cpi_high: float | None = None


class Toolchain(_Part):
    """The compiler, by its prefix on PATH, and the Debian package that brings it.

    ``link``: more flags for the link. ``hosted``: programs run under an operating system, so that
    its C library starts them and they have no memory map of ours.
    """

    prefix: str
    package: str
    platformio_package: str | None = None
    hosted: bool = False
    link: tuple[str, ...] = ()


class Counter(_Part):
    """The free-running counter behind ``nb_hal_counter``. ``unit`` is what one count is;
    ``address``: where an emulated core reads it."""

    unit: Literal["cycles", "ticks", "none"]
    hz: int | None = None
    bits: int = 32
    address: int | None = None


class MemoryRegion(_Part):
    """A memory region as the linker sees it. ``roles``: code, weights, ram, arena."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    base: int
    size_bytes: Annotated[int, Field(gt=0)]
    roles: tuple[Literal["code", "weights", "ram", "arena"], ...]


class Emulator(_Part):
    """How the board is emulated. An instruction takes ``2**icount_shift`` ns of virtual time."""

    machine: str
    program: str = "qemu-system-arm"
    package: str = "qemu-system-arm"
    icount_shift: int = 7
    arguments: tuple[str, ...] = ()


class Console(_Part):
    """The serial console."""

    baud: int = 115_200
    fast_baud: int | None = None
    usb: tuple[str, ...] = ()
    note: str = ""


class Markers(_Part):
    """Pins that mark stages on a power trace: the timestamp pin and up to three code pins."""

    timestamp: str
    codes: tuple[str, ...] = ()


class Flash(_Part):
    """How an image gets onto the board. ``protocol`` names an upload protocol of the platform."""

    protocol: str
    arguments: tuple[str, ...] = ()
    tool: str
    package: str
    probe_usb: tuple[str, ...] = ()


class Npu(_Part):
    """The NPU, and the backend that compiles for it, where there is one. ``config`` is the
    backend's own table; ``install`` says how a user gets the vendor's compiler.

    ``adapter``: a backend that drives the vendor's compiler but makes no image, because that needs
    the vendor's run time. It is never the default.
    """

    name: str
    backend: str | None = None
    driver: str | None = None
    adapter: str | None = None
    install: str = ""
    config: dict[str, str | int | float | bool] = Field(default_factory=dict)


class StandIn(_Part):
    """The emulated board on which this physical one's network runs with `--on-model`, where no
    register model boots its own image. ``config``: entries of the NPU's table that the emulated
    system wants instead; ``own_code``: the code is compiled for the part's own core, which the
    emulated one runs, too; ``memories``: where the timing of the modelled memories is from;
    ``note`` says what the place of the part is taken by, and how far."""

    board: BoardId
    own_code: bool = False
    memories: Annotated[str, Field(min_length=1)]
    config: dict[str, str | int | float | bool] = Field(default_factory=dict)
    note: str


class Sdk(_Part):
    """The vendor's PlatformIO platform that builds the board's project, where ours cannot: its
    start-up, linker files and compiler. ``board`` is its name for the board."""

    platform: str
    framework: str
    board: str
    speed: int | None = None


class Fact(_Part):
    """Where what the board's file says of ``topic`` was found. ``confidence``: ``high`` two
    independent public sources, ``medium`` one, ``low`` memory or inference."""

    topic: str
    source: str
    confidence: Literal["high", "medium", "low"]


class Proof(_Part):
    """Who saw the board work, when, and with which firmware."""

    date: date
    firmware_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    by: Annotated[str, Field(min_length=1)]


class PowerModel(_Part):
    """The virtual power model of an emulated board: a constant current per stage.

    ``wait_ua``: between the stages, while the CPU spins; ``stage_ua``: per stage of docs/power.md.
    ``note`` says where the values come from.
    """

    supply_mv: Annotated[float, Field(gt=0)] = 3000.0
    idle_ua: Annotated[float, Field(ge=0)]
    wait_ua: Annotated[float, Field(ge=0)]
    stage_ua: dict[str, Annotated[float, Field(ge=0)]]
    note: str

    @model_validator(mode="after")
    def _complete(self) -> PowerModel:
        wanted = {"init_warm", "load", "infer", "unload", "post"}
        if set(self.stage_ua) != wanted:
            raise ValueError(f"stage_ua must give {', '.join(sorted(wanted))}, each once")
        return self


class Draw(_Part):
    """What a part draws while one of its engines works, in microwatts; ``note``: how the bounds
    follow from what was published."""

    low_uw: Annotated[float, Field(gt=0)]
    mid_uw: Annotated[float, Field(gt=0)]
    high_uw: Annotated[float, Field(gt=0)]
    note: str

    @model_validator(mode="after")
    def _ordered(self) -> Draw:
        if not self.low_uw <= self.mid_uw <= self.high_uw:
            raise ValueError("low_uw, mid_uw and high_uw are out of order")
        return self


class NpuWork(_Part):
    """What an accelerator's work takes where a network's energy follows from a count: nanojoules
    for each cycle of each of its quadrants that works; ``error_pct``: by how much networks that
    were left out of the fit are off, at most."""

    quadrant_cycle_nj: Annotated[float, Field(gt=0)]
    error_pct: Annotated[float, Field(gt=0)]
    note: str


class PartPower(_Part):
    """Power of a part with an NPU, as somebody published it; or, without ``source``, what is
    ``missing`` for it.

    ``definition``: gross, or net of what idle takes; ``rails``: which supply was measured;
    ``supply_mv``: what a simulated instrument is told, since it needs a voltage (the draws are
    powers). ``cpu``: the core around the NPU's jobs; ``npu``: during them, the waiting core
    included; ``cpu_alone``: the core computing a network without the NPU; ``npu_work``: the NPU's
    own by what it does, in the place of ``npu``. ``missing`` says what else was not published.
    """

    missing: str = ""
    definition: Literal["gross", "net"] | None = None
    rails: str = ""
    supply_mv: Annotated[float, Field(gt=0)] | None = None
    cpu: Draw | None = None
    npu: Draw | None = None
    cpu_alone: Draw | None = None
    npu_work: NpuWork | None = None
    source: str = ""
    conditions: str = ""

    @model_validator(mode="after")
    def _complete(self) -> PartPower:
        told = (self.definition, self.rails, self.supply_mv, self.cpu, self.npu, self.conditions)
        if self.source and not all(told):
            raise ValueError(
                "a source needs definition, rails, supply_mv, cpu, npu and conditions beside it"
            )
        if not self.source and (any(told) or self.cpu_alone or not self.missing):
            raise ValueError("without a source nothing but what is missing can be said")
        return self

    @property
    def same_kind(self) -> str:
        """Only energies with the same words here may be set against each other."""
        return f"{self.definition}, {self.rails}"


class Status(_Part):
    """What has been verified, per capability, and how.

    ``unverified`` lists what only the board itself can show, ``missing`` what keeps the board from
    being built here: then it is described, and no more. ``proof`` stands behind every capability
    that is ``hardware-verified``.
    """

    cpu: Literal[
        "emulated",
        "host",
        "image-verified",
        "port-emulated",
        "needs-vendor-tool",
        "described",
        "hardware-verified",
    ]
    npu: Literal["none", "modelled", "needs-vendor-tool", "described", "hardware-verified"] = "none"
    power: Literal["modelled", "described", "unavailable", "hardware-verified"] = "unavailable"
    unverified: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    proof: Proof | None = None

    @model_validator(mode="after")
    def _proven(self) -> Status:
        if "hardware-verified" in (self.cpu, self.npu, self.power) and self.proof is None:
            raise ValueError("hardware-verified needs [status.proof]: date, firmware_sha256, by")
        if self.missing and self.cpu not in ("described", "needs-vendor-tool"):
            raise ValueError(f"something is missing, so the status cannot be {self.cpu!r}")
        return self


class Board(_Part):
    """One board, as its board.toml describes it."""

    schema_version: Literal[1] = Field(alias="schema")
    id: BoardId
    name: str
    kind: Literal["emulated", "physical", "host"]
    hal: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    part: str = ""
    cpu: Cpu
    toolchain: Toolchain
    counter: Counter
    memory: tuple[MemoryRegion, ...] = ()
    stack_bytes: int = 4096
    defines: dict[str, int | str] = Field(default_factory=dict)
    emulator: Emulator | None = None
    console: Console = Console()
    markers: Markers | None = None
    flash: Flash | None = None
    sdk: Sdk | None = None
    npu: Npu | None = None
    stand_in: StandIn | None = None
    power: PowerModel | None = None
    part_power: PartPower | None = None
    clock_tolerance_ppm: int = 10_000
    status: Status
    facts: tuple[Fact, ...] = ()
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    power_notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Board:
        if self.kind == "emulated" and self.emulator is None:
            raise ValueError("an emulated board needs [emulator]")
        if not self.hosted and not self.status.missing:
            for role in ("code", "ram"):
                if not any(role in region.roles for region in self.memory):
                    raise ValueError(f"no memory region has the role {role!r}")
        return self

    @property
    def hosted(self) -> bool:
        """Whether the firmware is a program of an operating system: here, or on the board."""
        return self.kind == "host" or self.toolchain.hosted

    @property
    def is_model(self) -> bool:
        """Whether this is a physical board as played by its model (emulators/board_model), where
        the cycle counter counts instructions."""
        return self.kind == "emulated" and self.emulator is None

    @property
    def is_stood_in(self) -> bool:
        """Whether an emulated board runs in the place of this physical one."""
        return self.kind == "emulated" and self.stand_in is not None

    @property
    def default_backend(self) -> str:
        """The NPU's backend where there is one, else ``cpu``."""
        return "cpu" if self.npu is None or self.npu.backend is None else self.npu.backend

    @property
    def instructions_per_count(self) -> float | None:
        """Instructions per counter tick on an emulated board, else None."""
        if self.is_model:
            return 1.0
        if self.emulator is None or self.counter.hz is None:
            return None
        return float(1e9 / (self.counter.hz * 2**self.emulator.icount_shift))

    def region(self, role: str) -> MemoryRegion:
        """The region for a role; ``weights`` falls back to ``code``, ``arena`` to ``ram``."""
        fallback = {"weights": "code", "arena": "ram"}.get(role)
        for wanted in (role, fallback):
            for region in self.memory:
                if wanted in region.roles:
                    return region
        raise ConfigError(f"board {self.id} has no memory for {role}")

    def region_words(self, role: str) -> str:
        """The region for a role as its owner calls it: the part's, where another board plays it."""
        part = load_board(self.id) if self.is_stood_in else self
        return f"{part.region(role).name} of {self.id}"


@cache
def board_ids() -> tuple[str, ...]:
    """Every board's id, sorted."""
    return tuple(sorted(path.parent.name for path in (data_root() / "boards").glob("*/board.toml")))


def load_boards() -> tuple[Board, ...]:
    """Every board, by id. Raises ConfigError for a wrong file."""
    return tuple(load_board(name) for name in board_ids())


def load_board(name: str) -> Board:
    """The board called ``name``.

    Raises UsageError with the closest name when there is none, ConfigError with every mistake of
    its file, each with its dotted key.
    """
    if name not in board_ids():
        close = difflib.get_close_matches(name, board_ids(), n=1)
        raise UsageError(
            f"there is no board {name!r}",
            hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(board_ids())}",
        )
    return read_board(data_root() / "boards" / name / "board.toml")


def read_board(path: Path) -> Board:
    """Read and check one board.toml. The folder's name must be the board's id."""
    try:
        board = Board.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'board'}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigError(f"{path}: {mistakes}", hint="see docs/add-a-board.md") from error
    if board.id != path.parent.name:
        raise ConfigError(f"{path}: id: is {board.id!r}, but the folder is {path.parent.name!r}")
    return board
