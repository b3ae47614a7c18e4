"""``boards/<id>/registers.toml``: what of a board's registers its firmware can see.

A register keeps what is written to it; the file lists only what behaves otherwise. Fields are
written ``block.0x0C[7]`` or ``block.0x0C[11:8]``; inside a block its own name may be left out.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from npubench.boards import Board
from npubench.core.errors import ConfigError, UsageError
from npubench.core.paths import data_root
from npubench.emulators.stand_in import stood_in

FILE = "registers.toml"
_FIELD = re.compile(
    r"(?:(?P<block>[a-z][a-z0-9_]*)\.)?(?P<offset>0x[0-9A-Fa-f]+)"
    r"(?:\[(?P<high>\d+)(?::(?P<low>\d+))?\])?"
)
_NUMBER = re.compile(r"0x[0-9A-Fa-f]+|\d+")
Offset = Annotated[str, Field(pattern=r"^0x[0-9A-Fa-f]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class BitField:
    """Bits of a register: its block, its offset in bytes, lowest bit and mask (not shifted)."""

    block: str
    offset: int
    low: int
    mask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRule:
    """What a field reads as: another field (``how``: as it is, ``one-hot``: 1 << its value,
    ``not``: its bits inverted), or ``value``."""

    field: BitField
    source: BitField | None
    value: int = 0
    how: Literal["", "one-hot", "not"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A field and the value that it must have; ``text`` as it stands in the file."""

    field: BitField
    value: int
    text: str


class Block(_Part):
    """A peripheral's registers: ``size_bytes`` from ``base``.

    ``reset``: offset to value after reset, else 0. ``reads``: rules ``FIELD = FIELD``,
    ``FIELD = NUMBER``, ``FIELD = one-hot FIELD`` or ``FIELD = not FIELD``. ``set``, ``clear``,
    ``toggle``: offset whose written ones do that to the register at the other offset;
    ``set_clear``: low half sets, high half clears. ``aliases``: ``toggle-set-clear`` repeats the
    block at +0x1000, +0x2000, +0x3000 for these three. ``needs``: conditions (clock gates) without
    which the block reads 0 and takes nothing.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    base: int
    size_bytes: Annotated[int, Field(gt=0)]
    reset: dict[Offset, int] = Field(default_factory=dict)
    reads: tuple[str, ...] = ()
    set: dict[Offset, Offset] = Field(default_factory=dict)
    clear: dict[Offset, Offset] = Field(default_factory=dict)
    toggle: dict[Offset, Offset] = Field(default_factory=dict)
    set_clear: dict[Offset, Offset] = Field(default_factory=dict)
    aliases: Literal["none", "toggle-set-clear"] = "none"
    needs: tuple[str, ...] = ()


class ConsoleModel(_Part):
    """The UART of the console. ``received``: fields that read 1 while a byte waits; ``empty``:
    fields that read 1 while none does. ``needs``: what must be set up, or a byte sent is lost."""

    transmit: str
    receive: str
    received: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


class MarkerModel(_Part):
    """Where the marker pins' levels stand, least significant code pin first, and what must be set
    up for the pins to show them."""

    timestamp: str
    codes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


class Clint(_Part):
    """The core-local interruptor of a RISC-V core (SiFive's layout): its time counts once in
    ``cycles_per_tick`` core cycles."""

    base: int
    cycles_per_tick: Annotated[int, Field(gt=0)]


class AcceleratorModel(_Part):
    """An accelerator beside the core. ``part``: which, as its model in ``npu`` calls it;
    ``driver``: the firmware's driver that runs it. Fields of a bit for each quadrant: ``power``,
    all 1, or the quadrant forgets all; ``held``, all 0, or it reads 0 and takes nothing. ``needs``:
    conditions without which none of it does."""

    part: Literal["MAX78000", "MAX78002"]
    driver: Literal["max7800x"]
    power: tuple[str, ...]
    held: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


class RegisterModel(_Part):
    """A board's registers, as its registers.toml describes them.

    ``vectors``: where the core finds its vector table after reset; by default the start of the
    code region. ``reset``: a field that resets the board when 1 is written to it. ``clint``: on
    RISC-V, the timer that wakes the core. ``counter``: the register of a timer that runs with the
    core's clock, where the core has no cycle counter; it counts instructions. ``accelerator``: an
    NPU that is modelled with the board.
    """

    schema_version: Literal[1] = Field(alias="schema")
    vectors: int | None = None
    reset: str | None = None
    clint: Clint | None = None
    counter: str | None = None
    accelerator: AcceleratorModel | None = None
    console: ConsoleModel
    markers: MarkerModel | None = None
    block: tuple[Block, ...]
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> RegisterModel:
        names = [block.name for block in self.block]
        if len(set(names)) != len(names):
            raise ValueError("two blocks have the same name")
        for block in self.block:
            for text in block.reads:
                parse_read(text, block.name)
            self.conditions(block.needs, block.name)
        texts = [self.console.transmit, self.console.receive]
        texts += [*self.console.received, *self.console.empty]
        texts += [text for text in (self.reset, self.counter) if text is not None]
        if self.markers is not None:
            texts += [self.markers.timestamp, *self.markers.codes]
        fields = [parse_field(text, "") for text in texts]
        fields += [c.field for c in self.conditions(self.console.needs, "")]
        if self.markers is not None:
            fields += [c.field for c in self.conditions(self.markers.needs, "")]
        if self.accelerator is not None:
            accelerator = self.accelerator
            fields += [parse_field(t, "") for t in (*accelerator.power, *accelerator.held)]
            fields += [c.field for c in self.conditions(accelerator.needs, "")]
        for field in fields:
            if field.block not in names:
                raise ValueError(f"there is no block {field.block!r}")
        return self

    def conditions(self, texts: tuple[str, ...], block: str) -> tuple[Condition, ...]:
        """Conditions ``FIELD = NUMBER``. Raises ValueError."""
        found = []
        for text in texts:
            left, _, right = text.partition("=")
            if not _NUMBER.fullmatch(right.strip()):
                raise ValueError(f"not a condition FIELD = NUMBER: {text!r}")
            field = parse_field(left.strip(), block)
            found.append(Condition(field=field, value=int(right.strip(), 0), text=text))
        return tuple(found)


def parse_field(text: str, block: str) -> BitField:
    """A field; without ``[bits]`` the whole register. Raises ValueError."""
    match = _FIELD.fullmatch(text)
    if match is None:
        raise ValueError(f"not a field: {text!r}")
    high = 31 if match["high"] is None else int(match["high"])
    low = 0 if match["high"] is None else int(match["low"] or match["high"])
    if not 0 <= low <= high <= 31:
        raise ValueError(f"bits are out of order in {text!r}")
    return BitField(
        block=match["block"] or block,
        offset=int(match["offset"], 16),
        low=low,
        mask=(1 << (high - low + 1)) - 1,
    )


def parse_read(text: str, block: str) -> ReadRule:
    """A rule of ``reads``. Raises ValueError."""
    left, _, right = (part.strip() for part in text.partition("="))
    field = parse_field(left, block)
    if _NUMBER.fullmatch(right):
        return ReadRule(field=field, source=None, value=int(right, 0))
    for how in ("one-hot", "not"):
        if right.startswith(f"{how} "):
            source = parse_field(right.removeprefix(how).strip(), block)
            return ReadRule(field=field, source=source, how=how)
    return ReadRule(field=field, source=parse_field(right, block))


def registers_path(board_id: str) -> Path:
    """Where a board's register model lies, if it has one."""
    return data_root() / "boards" / board_id / FILE


def has_model(board: Board) -> bool:
    """Whether the board can be played by a model of its registers."""
    return registers_path(board.id).is_file()


def models_driver(board: Board, driver: str) -> bool:
    """Whether the board's model has the accelerator that the firmware's ``driver`` runs."""
    if not has_model(board):
        return False
    accelerator = load_registers(board).accelerator
    return accelerator is not None and accelerator.driver == driver


def on_model(board: Board) -> Board:
    """A physical board as its model plays it: emulated, counting instructions; the image and its
    build are those of the board. A board with a stand-in is played by that, which has the part's
    NPU, clocks and memories but an image of its own. Raises UsageError when it has neither."""
    if board.stand_in is not None:
        return stood_in(board)
    if not has_model(board):
        raise UsageError(
            f"{board.id} has no model: there is no {FILE} beside its board.toml",
            hint="see docs/board-models.md",
        )
    return board.model_copy(update={"kind": "emulated", "emulator": None})


def played(board: Board) -> Board:
    """A board as it boots here: as it is where it is emulated, on its model, or as a process under
    its architecture's emulator. Raises UsageError for a physical board that has neither."""
    if board.kind != "physical":
        return board
    if board.hosted:
        return board.model_copy(update={"kind": "host"})
    return on_model(board)


def load_registers(board: Board) -> RegisterModel:
    """The board's register model. Raises ConfigError with every mistake of its file."""
    path = registers_path(board.id)
    try:
        return RegisterModel.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ConfigError(
            f"board {board.id} has no model: there is no {path}", hint="see docs/board-models.md"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'registers'}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigError(f"{path}: {mistakes}", hint="see docs/board-models.md") from error
