"""GNU ld's link map: which input section of which object lies in which output section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BEGIN = "Linker script and memory map"
_FILL = "*fill*"
_PLACE = r"\s+0x(?P<address>[0-9a-f]+)\s+0x(?P<size>[0-9a-f]+)(?P<rest>.*)"
_OUTPUT = re.compile(r"^(?P<name>[^\s(*][^\s(]*)" + _PLACE + "$")
_INPUT = re.compile(r"^ (?P<name>\S+)" + _PLACE + "$")
_CONTINUED = re.compile(r"^" + _PLACE + "$")
_OUTPUT_NAME = re.compile(r"^(?P<name>[.A-Za-z_][^\s(]*)$")
_INPUT_NAME = re.compile(r"^ (?P<name>[^\s*(][^\s(]*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """An input section as placed. ``object_file`` is the path as the linker saw it, with the
    archive's member in parentheses; a gap belongs to the piece before it (``fill_bytes``)."""

    output: str
    name: str
    size_bytes: int
    object_file: str
    fill_bytes: int = 0


def read_map(text: str) -> tuple[Piece, ...]:
    """All pieces of non-zero size, in the order of the map."""
    pieces: list[Piece] = []
    output = ""
    for kind, name, size, rest in _entries(text):
        if kind == "output":
            output = name
        elif name == _FILL:
            if pieces and pieces[-1].output == output:
                last = pieces[-1]
                pieces[-1] = Piece(
                    output=last.output,
                    name=last.name,
                    size_bytes=last.size_bytes,
                    object_file=last.object_file,
                    fill_bytes=last.fill_bytes + size,
                )
        elif size and rest:
            pieces.append(Piece(output=output, name=name, size_bytes=size, object_file=rest))
    return tuple(pieces)


def _entries(text: str) -> Iterator[tuple[str, str, int, str]]:
    """``output`` or ``input``, name, size and what follows; long names stand on their own line."""
    _, _, body = text.partition(_BEGIN)
    waiting: tuple[str, str] | None = None
    for line in body.splitlines():
        if waiting is not None:
            kind, name = waiting
            waiting = None
            match = _CONTINUED.match(line)
            if match:
                yield kind, name, int(match["size"], 16), match["rest"].strip()
                continue
        for kind, full, alone in (
            ("output", _OUTPUT, _OUTPUT_NAME),
            ("input", _INPUT, _INPUT_NAME),
        ):
            match = full.match(line)
            if match:
                yield kind, match["name"], int(match["size"], 16), match["rest"].strip()
                break
            match = alone.match(line)
            if match:
                waiting = (kind, match["name"])
                break
