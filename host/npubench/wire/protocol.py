"""What both sides of the wire agree on: version, command sizes, error numbers."""

from __future__ import annotations

import tomllib
from enum import IntEnum
from functools import cache

from npubench.core.errors import ConfigError
from npubench.core.paths import data_root

VERSION = 1
COMMAND_BYTES = 192
DBC_BYTES = 64
DB_BYTES = 31
OUT_BYTES = 64


@cache
def _table() -> dict[str, tuple[int, str]]:
    path = data_root() / "firmware" / "protocol.toml"
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["errors"]
        return {name: (int(entry["number"]), str(entry["text"])) for name, entry in entries.items()}
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not the table of error numbers: {error}") from error


@cache
def wire_errors() -> type[IntEnum]:
    """The extension's error numbers, e.g. ``wire_errors()["BAD_CRC"]``, from protocol.toml."""
    members = {name.replace("-", "_").upper(): number for name, (number, _) in _table().items()}
    return IntEnum("WireError", members)  # type: ignore[return-value]


def error_number(name: str) -> int:
    """The number of the error that protocol.toml calls ``name``, e.g. ``bad-crc``."""
    return _table()[name][0]


def error_text(name: str) -> str:
    """The text that firmware sends with the error called ``name``."""
    return _table()[name][1]
