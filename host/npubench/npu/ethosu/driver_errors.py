"""What the numbers of the firmware's driver mean: one table for the C header and our messages."""

from __future__ import annotations

import tomllib
from functools import cache

from npubench.core.errors import ConfigError
from npubench.core.paths import data_root


@cache
def driver_errors() -> dict[str, tuple[int, str]]:
    """(number, text) by name, from firmware/npu/ethosu/errors.toml. Raises ConfigError."""
    path = data_root() / "firmware" / "npu" / "ethosu" / "errors.toml"
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["errors"]
        return {name: (int(entry["number"]), str(entry["text"])) for name, entry in entries.items()}
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not the table of the driver's errors: {error}") from error


def describe_driver_error(code: int) -> str | None:
    """The meaning of a driver's return value (negative), None when it is not in the table."""
    for number, text in driver_errors().values():
        if number == -code:
            return text
    return None
