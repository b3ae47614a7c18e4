"""Settings that are worth a try for a network: one option of Vela's changed at a time."""

from __future__ import annotations

import configparser

from npubench.boards import Board
from npubench.compiler.backends.ethos_u.options import EthosUOptions, settings_of
from npubench.core.errors import ConfigError

SHARES = (2, 4)
"""Arena caches of half and a quarter of what the network takes by default."""
MODE = "Memory_Mode."


def variants(board: Board, chosen: EthosUOptions, arena_bytes: int) -> tuple[tuple[str, str], ...]:
    """(option, value) pairs. ``arena_bytes``: what the arena takes with the settings as they are.
    Memory modes are those of the board's configuration file. Raises ConfigError."""
    settings = settings_of(board, chosen)
    other = "Performance" if settings.optimise == "Size" else "Size"
    found = [("optimise", other)]
    found += [("arena_cache", str(max(1024, arena_bytes // share))) for share in SHARES]
    found += [
        ("memory_mode", mode)
        for mode in memory_modes(settings.config_file.read_text(encoding="utf-8"))
        if mode != settings.memory_mode
    ]
    found.append(("core", "default" if settings.legacy else "legacy"))
    return tuple(found)


def memory_modes(text: str) -> tuple[str, ...]:
    """The memory modes of a vela.ini, in its order. Raises ConfigError."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ConfigError(f"not a configuration of Vela's: {error}") from error
    return tuple(name.removeprefix(MODE) for name in parser.sections() if name.startswith(MODE))
