"""Backends turn a Graph and a Board into a Plan; each is found by its name, none is listed.

A backend is a package in this one with an object ``BACKEND`` (package ``ethos_u`` is backend
``ethos-u``), or an entry point of group ``npubench.backends`` that names such an object. Only the
chosen one is imported.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast

from npubench.boards import Board
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Plan
from npubench.core.errors import ToolError, UsageError
from npubench.core.renamed import honour_old_paths

GROUP = "npubench.backends"


class Backend(Protocol):
    """Compiles networks for one kind of engine."""

    @property
    def name(self) -> str:
        """The name under which the backend is found and recorded."""

    def compile(self, graph: Graph, model: bytes, board: Board) -> Plan:
        """The plan of ``graph`` on ``board``; ``model`` are the bytes that ``graph`` was read from.

        Raises CompileError (UnsupportedOp, DoesNotFit) when the board cannot take the network,
        ToolMissing when the vendor's compiler is not installed.
        """


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
        return _load_plugin(plugins[name])
    names = backend_names()
    close = difflib.get_close_matches(name, names, n=1)
    raise UsageError(
        f"there is no backend {name!r}",
        hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}",
    )


def _load_plugin(plugin: EntryPoint) -> Backend:
    honour_old_paths()
    try:
        return cast(Backend, plugin.load())
    except Exception as error:  # a foreign plug-in may fail in any way
        raise ToolError(
            f"backend {plugin.name!r} ({plugin.value}) cannot be loaded: {error}",
            hint="repair or remove the package that brings it",
        ) from error


def _modules() -> dict[str, str]:
    """Module names by backend name."""
    return {
        info.name.replace("_", "-"): info.name
        for info in pkgutil.iter_modules(__path__)
        if not info.name.startswith("_")
    }


def _plugins() -> dict[str, EntryPoint]:
    return {plugin.name: plugin for plugin in entry_points(group=GROUP)}
