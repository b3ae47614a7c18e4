"""What a user may set of the backend, and what a board sets of it: one settings object for Vela."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from npubench.boards import Board
from npubench.compiler.backends import Option
from npubench.core.errors import ConfigError, UsageError
from npubench.core.paths import data_root
from npubench.npu.ethosu.memory_system import fast_memory_bytes

Optimise = Literal["Performance", "Size"]
Core = Literal["auto", "default", "legacy"]
HIGH: Final = "system_config_high"
ARENA_CACHE_LIMIT_BYTES: Final = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class VelaSettings:
    """What a network is compiled for. ``config_file`` holds both named sections.

    ``arena_cache_bytes``: None leaves it to the memory mode. ``ignored``: operators that stay on
    the CPU, by their names in the .tflite. ``system_config_high``: the section with the slowest
    memories that the part may have, for the upper end of modelled times; empty where one is known.
    """

    accelerator: str
    system_config: str
    memory_mode: str
    config_file: Path
    optimise: Optimise = "Performance"
    arena_cache_bytes: int | None = None
    legacy: bool = False
    ignored: tuple[str, ...] = ()
    system_config_high: str = ""


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


OPTIONS: Final = (
    Option(
        name="optimise",
        help="what Vela plans for",
        default="Performance",
        choices=get_args(Optimise),
    ),
    Option(name="arena_cache", help="bytes of fast memory that Vela may count on", default=""),
    Option(name="memory_mode", help="a [Memory_Mode.*] section of the configuration", default=""),
    Option(
        name="system_config", help="a [System_Config.*] section of the configuration", default=""
    ),
    Option(name="config", help="a vela.ini of your own", default=""),
    Option(
        name="core",
        help="Vela's compiler: auto takes the legacy one where the default one miscompiles",
        default="auto",
        choices=get_args(Core),
    ),
)


def parse_options(values: Mapping[str, str]) -> EthosUOptions:
    """Options from text. Raises UsageError for an unknown name or a value out of its range."""
    known = {option.name for option in OPTIONS}
    for name in values:
        if name not in known:
            raise UsageError(
                f"backend ethos-u has no option {name!r}",
                hint="its options: " + ", ".join(f"{o.name} ({o.help})" for o in OPTIONS),
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
    _check_arena_cache(board, chosen, values["config_file"])
    return VelaSettings(
        accelerator=values["accelerator"],
        system_config=chosen.system_config or values["system_config"],
        memory_mode=chosen.memory_mode or values["memory_mode"],
        config_file=chosen.config or data_root() / "boards" / values["config_file"],
        optimise=chosen.optimise or "Performance",
        arena_cache_bytes=chosen.arena_cache,
        legacy=chosen.core == "legacy",
        system_config_high=(
            "" if chosen.system_config or chosen.config else str(npu.config.get(HIGH, ""))
        ),
    )


def _check_arena_cache(board: Board, chosen: EthosUOptions, config_file: str) -> None:
    """Vela would take any number of bytes; the part has only so many. Raises UsageError. With a
    configuration of the user's own it is his to know."""
    wanted = chosen.arena_cache
    if wanted is None or chosen.config is not None:
        return
    sizes = [region.size_bytes for region in board.memory if "arena" in region.roles]
    own = fast_memory_bytes(data_root() / "boards" / config_file)
    free = own if own is not None else max(sizes, default=None)
    if free is not None and wanted > free:
        what = "fast memory of its NPU" if own is not None else "region of the arena"
        raise UsageError(
            f"ethos-u.arena_cache: {wanted} bytes are more than {board.id} has: the {what} has "
            f"{free}",
            hint=f"at most {free}; or bring the memories of another system: "
            "--set ethos-u.config=FILE",
        )
