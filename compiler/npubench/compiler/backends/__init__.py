"""Backends turn a Graph and a Board into a Plan; each is found by its name, none is listed.

A backend is a package in this one with an object ``BACKEND`` (package ``ethos_u`` is backend
``ethos-u``), or an entry point of group ``npubench.backends`` that names such an object. Only the
chosen one is imported.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Protocol, cast, runtime_checkable

from npubench.boards import Board
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Plan
from npubench.core.errors import UsageError
from npubench.core.plugin import load_plugin
from npubench.target import Options

GROUP = "npubench.backends"
API_VERSION: Final = 1
"""Of `Backend` and `Configurable`: raised when what they ask for changes (core/plugin)."""


class Backend(Protocol):
    """Compiles networks for one kind of engine."""

    @property
    def name(self) -> str:
        """The name under which the backend is found and recorded."""

    def compile(self, graph: Graph, model: bytes, board: Board) -> Plan:
        """The plan of ``graph`` on ``board``; ``model`` are the bytes that ``graph`` was read from.
        Where dead channels are dropped, both are the narrower network.

        Raises CompileError (UnsupportedOp, DoesNotFit) when the board cannot take the network,
        ToolMissing when the vendor's compiler is not installed.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What a user may set of a backend, as `--set backend.name=value`.

    ``choices`` empty: any text, which the backend itself checks.
    """

    name: str
    help: str
    default: str
    choices: tuple[str, ...] = ()


DEAD_CHANNELS: Final = Option(
    name="dead-channels",
    help="whether channels that cannot reach the output are in the network that it gets",
    default="keep",
    choices=("keep", "drop"),
)
"""What every backend has: the network is narrowed before any of them sees it."""


@runtime_checkable
class Configurable(Protocol):
    """A backend that has options."""

    @property
    def options(self) -> tuple[Option, ...]:
        """All that may be set."""

    def configured(self, values: Mapping[str, str]) -> Backend:
        """This backend with some options set; names and choices were checked. Raises UsageError
        for a value that it cannot take."""


@runtime_checkable
class TwoCompilers(Protocol):
    """A backend whose vendor has two compilers for one engine: a witness where one is off."""

    def other_compiler(self, options: Options) -> Options:
        """``options`` with the other compiler than the one that they name."""


def other_compiler(name: str, options: Options) -> Options | None:
    """The options under which another compiler of the backend's vendor compiles, or None."""
    backend = load_backend(name)
    return backend.other_compiler(options) if isinstance(backend, TwoCompilers) else None


def settle(name: str, options: Options) -> Options:
    """``options`` of the backend called ``name``, checked, without those that are the default.

    Raises UsageError for an option that the backend does not have, and for a value that is none
    of its choices.
    """
    if not options:
        return ()
    backend = load_backend(name)
    known = {option.name: option for option in options_of(backend)}
    kept = []
    for option, value in options:
        if option not in known:
            close = difflib.get_close_matches(option, known, n=1)
            raise UsageError(
                f"backend {name} has no option {option!r}",
                hint=f"did you mean {close[0]}?"
                if close
                else f"it has: {', '.join(known) or 'none'}",
            )
        choices = known[option].choices
        if choices and value not in choices:
            raise UsageError(
                f"{name}.{option}: {value!r} is not possible", hint=f"one of: {', '.join(choices)}"
            )
        if value != known[option].default:
            kept.append((option, value))
    own = _own(tuple(kept))
    if own and isinstance(backend, Configurable):
        backend.configured(dict(own))
    return tuple(kept)


def options_of(backend: Backend) -> tuple[Option, ...]:
    """What may be set of a backend: its own options, and what every backend has."""
    own = backend.options if isinstance(backend, Configurable) else ()
    return (*own, DEAD_CHANNELS)


def drops_dead_channels(options: Options) -> bool:
    """Whether the network loses its dead channels before the backend gets it."""
    return (DEAD_CHANNELS.name, "drop") in options


def _own(options: Options) -> Options:
    """Those that the backend itself is told."""
    return tuple((name, value) for name, value in options if name != DEAD_CHANNELS.name)


def configured_backend(name: str, options: Options) -> Backend:
    """The backend called ``name`` with its ``options``, which `settle` has checked."""
    backend = load_backend(name)
    own = _own(options)
    if not own:
        return backend
    if not isinstance(backend, Configurable):
        raise UsageError(f"backend {name} has no options", hint="leave --set out")
    return backend.configured(dict(own))


def backend_names() -> tuple[str, ...]:
    """Every backend's name, sorted. Imports none of them."""
    return tuple(sorted({*_modules(), *_plugins()}))


def load_backend(name: str) -> Backend:
    """The backend called ``name``; a module here wins over a plug-in of the same name.

    Raises UsageError with the closest name when there is none, ToolError when a plug-in cannot
    be loaded.
    """
    modules = _modules()
    if name in modules:
        module = importlib.import_module(f"{__name__}.{modules[name]}")
        return cast(Backend, module.BACKEND)
    plugins = _plugins()
    if name in plugins:
        return cast(Backend, load_plugin(plugins[name], kind="backend", version=API_VERSION))
    names = backend_names()
    close = difflib.get_close_matches(name, names, n=1)
    raise UsageError(
        f"there is no backend {name!r}",
        hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}",
    )


def _modules() -> dict[str, str]:
    """Module names by backend name."""
    return {
        info.name.replace("_", "-"): info.name
        for info in pkgutil.iter_modules(__path__)
        if not info.name.startswith("_")
    }


def _plugins() -> dict[str, EntryPoint]:
    return {plugin.name: plugin for plugin in entry_points(group=GROUP)}
