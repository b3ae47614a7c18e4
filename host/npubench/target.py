"""Target: what was measured. Board, engine with its options, and the place where it ran.

It has one text, printed and parsed here alone: `nucleo-l4r5zi:cpu@model`,
`qemu-m55-u55:ethos-u[optimise=Size]`. The place is said where it is not the board's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from npubench.core.errors import UsageError

if TYPE_CHECKING:
    from npubench.boards import Board

Options = tuple[tuple[str, str], ...]
"""Names and values, sorted by name."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_TARGET = re.compile(
    rf"(?P<board>{_NAME}):(?P<backend>{_NAME})(?:\[(?P<options>[^\[\]]+)\])?(?:@(?P<place>[a-z]+))?"
)
_SETTING = re.compile(rf"(?P<backend>{_NAME})\.(?P<name>[A-Za-z0-9_-]+)=(?P<value>.*)", re.DOTALL)
_PLAIN = "+/:~"
"""Beside letters, digits, `_`, `.` and `-`; all else in a value is written as %XX."""


class Place(StrEnum):
    """Where a target runs."""

    PHYSICAL = "physical"
    """On silicon."""
    EMULATED = "emulated"
    """On the emulator, or as the host process, that the board itself is."""
    MODEL = "model"
    """A physical board, played by its model: the same image, instructions counted."""
    SIMULATOR = "simulator"
    """The network alone, on the simulator of an NPU's vendor."""


OWN_PLACES = frozenset({Place.PHYSICAL, Place.EMULATED})
"""Places that a board has by itself: a target's text leaves them out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing that can be measured. ``options`` holds what differs from the defaults alone."""

    board: str
    backend: str
    place: Place
    options: Options = ()

    def __post_init__(self) -> None:
        if list(self.options) != sorted(dict(self.options).items()):
            raise ValueError(f"options are not sorted, or one stands twice: {self.options}")

    def __str__(self) -> str:
        options = ",".join(f"{name}={quote(value, safe=_PLAIN)}" for name, value in self.options)
        return (
            f"{self.board}:{self.backend}{f'[{options}]' if options else ''}"
            f"{'' if self.place in OWN_PLACES else f'@{self.place}'}"
        )


def own_place(board: Board) -> Place:
    """Where a board runs as it is: a model too says so itself."""
    if board.is_model or board.is_stood_in:
        return Place.MODEL
    return Place.PHYSICAL if board.kind == "physical" else Place.EMULATED


def parse_target(text: str) -> Target:
    """Read a target's text; exactly what ``str`` prints is accepted, and a place that is said
    although it is the board's own.

    Raises UsageError for a text of another form, an unknown board or place, or a place that
    the board cannot have. Whether backend and options exist, the backends know.
    """
    match = _TARGET.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is not a target",
            hint="write board:backend, e.g. qemu-m4:cpu, nucleo-l4r5zi:cpu@model or "
            "qemu-m55-u55:ethos-u[optimise=Size]",
        )
    from npubench.boards import load_board

    own = own_place(load_board(match["board"]))
    place = own if match["place"] is None else _place(text, match["place"], own)
    pairs = []
    for part in (match["options"] or "").split(",") if match["options"] else ():
        name, equals, value = part.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise UsageError(f"{text!r}: {part!r} is not an option", hint="write name=value")
        pairs.append((name, unquote(value)))
    return Target(
        board=match["board"], backend=match["backend"], place=place, options=_sorted(text, pairs)
    )


def _place(text: str, word: str, own: Place) -> Place:
    if word not in tuple(Place):
        raise UsageError(
            f"{text!r}: there is no place {word!r}", hint=f"one of: {', '.join(Place)}"
        )
    place = Place(word)
    if (place in OWN_PLACES and place is not own) or (
        place is Place.MODEL and own is Place.EMULATED
    ):
        raise UsageError(
            f"{text!r}: the board is {own} itself",
            hint="leave the place out, or take another board",
        )
    return place


def _sorted(text: str, pairs: Iterable[tuple[str, str]]) -> Options:
    found: dict[str, str] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            raise UsageError(
                f"{text}: {name} is given as {found[name]!r} and as {value!r}", hint="give it once"
            )
    return tuple(sorted(found.items()))


def parse_settings(texts: Iterable[str]) -> Mapping[str, Options]:
    """Options by backend, from words as `ethos-u.optimise=Size`.

    Raises UsageError for a word of another form and for one option with two values.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for text in texts:
        match = _SETTING.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} is not a setting", hint="write --set backend.option=value")
        found.setdefault(match["backend"], []).append((match["name"], match["value"]))
    return {backend: _sorted(f"--set {backend}", pairs) for backend, pairs in found.items()}
