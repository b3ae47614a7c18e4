"""``boards/<id>/foreign.toml``: what other people's firmware finds on a board's part.

``registers.toml`` describes what our own firmware uses, strictly, so that its mistakes show. Here
a register that nobody describes keeps what was written to it, and this file lists what behaves
otherwise: ready bits, the console's UART, timers, ports. Fields are written ``0x40021000[25]`` or
``0x40021000[3:2]``, by address.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.boards import Board, board_ids
from npubench.core.errors import ConfigError
from npubench.core.paths import data_root

FILE = "foreign.toml"
_FIELD = re.compile(r"(?P<address>0x[0-9A-Fa-f]+)(?:\[(?P<high>\d+)(?::(?P<low>\d+))?\])?")
_NUMBER = re.compile(r"0x[0-9A-Fa-f]+|\d+")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What bits of a register read as: bits of another (``source``: address, lowest bit), or
    ``value``. ``low`` and ``mask`` (not shifted) are the bits."""

    address: int
    low: int
    mask: int
    source: tuple[int, int] | None
    value: int


class Range(_Part):
    """Memory: ``size_bytes`` from ``base``. ``alias``: the same memory is seen here too."""

    base: int
    size_bytes: Annotated[int, Field(gt=0)]
    alias: int | None = None
    writable: bool = True


class Uart(_Part):
    """The UART of the console, and its interrupt. ``st-usart``: STM32's since the F0 (CR1 at 0x00,
    ISR at 0x1C); ``psoc-scb``: PSoC 6's serial block in UART mode."""

    kind: Literal["st-usart", "psoc-scb"] = "st-usart"
    base: int
    irq: int


class Timer(_Part):
    """A timer that runs on the core's clock. ``st``: STM32's; ``psoc-tcpwm``: one counter."""

    kind: Literal["st", "psoc-tcpwm"] = "st"
    base: int
    irq: int
    bits: Literal[16, 32] = 16


class Ports(_Part):
    """General-purpose ports: ``count`` of them, ``stride_bytes`` apart, with the offsets of the
    registers that hold, set and clear the outputs. ``set_clear``: low half sets, high half clears.
    """

    base: int
    count: int
    stride_bytes: int
    output: int = 0x14
    input: int = 0x10
    set_clear: int | None = 0x18
    set: int | None = None
    clear: int | None = 0x28


class ForeignPart(_Part):
    """One part. ``identify``: addresses that an image for it holds as words, and few others do.
    ``flash``: the address of a raw image, where it is not the board's code region; ``vectors``:
    where its core starts, where that is not the image's begin. ``reads``:
    rules ``FIELD = FIELD`` or ``FIELD = NUMBER``. ``settings``: registers that decide the speed
    (clocks, wait states, caches), told with each image."""

    schema_version: Literal[1] = Field(alias="schema")
    identify: tuple[int, ...]
    flash: int | None = None
    vectors: int | None = None
    memory: tuple[Range, ...] = ()
    uart: tuple[Uart, ...]
    timer: tuple[Timer, ...] = ()
    ports: Ports | None = None
    reset: dict[Annotated[str, Field(pattern=r"^0x[0-9A-Fa-f]+$")], int] = Field(
        default_factory=dict
    )
    reads: tuple[str, ...] = ()
    settings: dict[str, int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def rules(self) -> tuple[Rule, ...]:
        """The parsed ``reads``. Raises ValueError."""
        return tuple(parse_rule(text) for text in self.reads)


def parse_rule(text: str) -> Rule:
    """A rule of ``reads``. Raises ValueError."""
    left, _, right = (part.strip() for part in text.partition("="))
    address, low, mask = _field(left)
    if _NUMBER.fullmatch(right) and not right.startswith("0x"):
        return Rule(address=address, low=low, mask=mask, source=None, value=int(right))
    if _NUMBER.fullmatch(right) and int(right, 16) <= mask and "[" not in right:
        return Rule(address=address, low=low, mask=mask, source=None, value=int(right, 16))
    source, source_low, source_mask = _field(right)
    if source_mask != mask:
        raise ValueError(f"the sides of {text!r} are not of one width")
    return Rule(address=address, low=low, mask=mask, source=(source, source_low), value=0)


def _field(text: str) -> tuple[int, int, int]:
    match = _FIELD.fullmatch(text)
    if match is None:
        raise ValueError(f"not a field: {text!r}")
    high = 31 if match["high"] is None else int(match["high"])
    low = 0 if match["high"] is None else int(match["low"] or match["high"])
    if not 0 <= low <= high <= 31:
        raise ValueError(f"bits are out of order in {text!r}")
    return int(match["address"], 16), low, (1 << (high - low + 1)) - 1


def foreign_path(board_id: str) -> Path:
    """Where a board's description for foreign images lies, if it has one."""
    return data_root() / "boards" / board_id / FILE


def foreign_boards() -> tuple[str, ...]:
    """The boards that can play foreign images."""
    return tuple(name for name in board_ids() if foreign_path(name).is_file())


def load_foreign(board: Board) -> ForeignPart:
    """The description. Raises ConfigError with every mistake of its file."""
    path = foreign_path(board.id)
    try:
        part = ForeignPart.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        part.rules()
    except FileNotFoundError as error:
        raise ConfigError(
            f"board {board.id} plays no foreign images: there is no {path}",
            hint=f"these do: {', '.join(foreign_boards())}",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'foreign'}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigError(f"{path}: {mistakes}", hint="see docs/board-models.md") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}", hint="see docs/board-models.md") from error
    return part
