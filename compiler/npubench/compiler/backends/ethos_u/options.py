"""What a user may set of the backend, and what a board sets of it: one settings object for Vela."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from npubench.boards import Board
from npubench.core.errors import ConfigError, UsageError
from npubench.core.paths import data_root

Optimise = Literal["Performance", "Size"]
Core = Literal["auto", "default", "legacy"]
ARENA_CACHE_LIMIT_BYTES: Final = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class VelaSettings:
    """What a network is compiled for. ``config_file`` holds both named sections.

    ``arena_cache_bytes``: None leaves it to the memory mode. ``ignored``: operators that stay on
    the CPU, by their names in the .tflite.
    """

    accelerator: str
    system_config: str
    memory_mode: str
    config_file: Path
    optimise: Optimise = "Performance"
    arena_cache_bytes: int | None = None
    legacy: bool = False
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EthosUOptions:
    """Options of the backend; None leaves it to the board.

    ``optimise``: for which of both Vela plans. ``arena_cache``: bytes of fast memory that it may
    count on. ``memory_mode``, ``system_config``: sections of ``config``, a vela.ini of the user's
    or the board's. ``core``: Vela's default compiler, its older one, or (auto) the older one where
    the default one is known to miscompile.
    """

    optimise: Optimise | None = None
    arena_cache: int | None = None
    memory_mode: str | None = None
    system_config: str | None = None
    config: Path | None = None
    core: Core = "auto"

    @property
    def changed(self) -> dict[str, str]:
        """Options that differ from the default, as text, sorted."""
        default = EthosUOptions()
        return {
            name: str(getattr(self, name))
            for name in sorted(OPTIONS)
            if getattr(self, name) != getattr(default, name)
        }


OPTIONS: Final[Mapping[str, str]] = {
    "optimise": "Performance or Size: what Vela plans for",
    "arena_cache": "bytes of fast memory that Vela may count on",
    "memory_mode": "a [Memory_Mode.*] section of the configuration file",
    "system_config": "a [System_Config.*] section of the configuration file",
    "config": "a vela.ini of your own",
    "core": "default, legacy, or auto: the legacy core where the default one miscompiles",
}
"""Each option's meaning, for help and refusals."""


def parse_options(values: Mapping[str, str]) -> EthosUOptions:
    """Options from text. Raises UsageError for an unknown name or a value out of its range."""
    for name in values:
        if name not in OPTIONS:
            raise UsageError(
                f"backend ethos-u has no option {name!r}",
                hint="its options: "
                + "; ".join(f"{key} ({what})" for key, what in OPTIONS.items()),
            )
    chosen: dict[str, Any] = {name: _value(name, text) for name, text in values.items()}
    return EthosUOptions(**chosen)


def _value(name: str, text: str) -> object:
    if name == "optimise":
        return _one_of(name, text, get_args(Optimise))
    if name == "core":
        return _one_of(name, text, get_args(Core))
    if name == "config":
        path = Path(text).expanduser().resolve()
        if not path.is_file():
            raise UsageError(f"ethos-u.config: there is no file {text}")
        return path
    if name == "arena_cache":
        try:
            size = int(text, 0)
        except ValueError:
            size = -1
        if not 0 < size <= ARENA_CACHE_LIMIT_BYTES:
            raise UsageError(
                f"ethos-u.arena_cache: {text!r} is not a number of bytes from 1 to "
                f"{ARENA_CACHE_LIMIT_BYTES}"
            )
        return size
    if not text:
        raise UsageError(f"ethos-u.{name}: empty")
    return text


def _one_of(name: str, text: str, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if choice.lower() == text.lower():
            return choice
    raise UsageError(f"ethos-u.{name}: {text!r} is not one of {', '.join(choices)}")


def settings_of(board: Board, options: EthosUOptions | None = None) -> VelaSettings:
    """What board.toml says of its NPU, with the options over it. Raises ConfigError when it says
    too little."""
    chosen = options or EthosUOptions()
    npu = board.npu
    if npu is None or npu.backend != "ethos-u":
        raise ConfigError(
            f"board {board.id} has no Ethos-U",
            hint="choose a board with one, or --backend cpu",
        )
    values: dict[str, str] = {}
    for key in ("accelerator", "system_config", "memory_mode", "config_file"):
        value = npu.config.get(key)
        if not isinstance(value, str):
            raise ConfigError(f"board {board.id}: npu.config.{key} is missing or no text")
        values[key] = value
    return VelaSettings(
        accelerator=values["accelerator"],
        system_config=chosen.system_config or values["system_config"],
        memory_mode=chosen.memory_mode or values["memory_mode"],
        config_file=chosen.config or data_root() / "boards" / values["config_file"],
        optimise=chosen.optimise or "Performance",
        arena_cache_bytes=chosen.arena_cache,
        legacy=chosen.core == "legacy",
    )
