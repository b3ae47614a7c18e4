"""The general table: operators, element types, engines."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass

from npubench.compiler import backends
from npubench.compiler.coverage.samples import TYPES, samples
from npubench.compiler.graph import DType
from npubench.compiler.lower import SUPPORTED, lower_op
from npubench.core.errors import ToolError, UnsupportedOp

LISTED = "listed"
"""Module of a backend's package that says what its compiler takes: ``operators()``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One operator. ``engines``: for each engine the element types that it takes, some form of the
    operator at least; empty where it takes none."""

    op: str
    engines: dict[str, tuple[DType, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The table. ``silent``: backends that do not say what they take, each with the reason."""

    rows: tuple[Row, ...]
    silent: dict[str, str]


def coverage() -> Coverage:
    """Every operator that an engine here takes, sorted."""
    engines: dict[str, dict[str, tuple[DType, ...]]] = {"cpu": cpu_operators()}
    silent: dict[str, str] = {}
    for name in backends.backend_names():
        if name == "cpu":
            continue
        try:
            found = listed_operators(name)
        except ToolError as error:
            silent[name] = error.message
            continue
        if found is None:
            silent[name] = "its vendor's compiler decides, network by network"
        else:
            engines[name] = found
    names = sorted({op for taken in engines.values() for op in taken})
    return Coverage(
        rows=tuple(
            Row(op=op, engines={engine: taken.get(op, ()) for engine, taken in engines.items()})
            for op in names
        ),
        silent=silent,
    )


def cpu_operators() -> dict[str, tuple[DType, ...]]:
    """What the CPU's lowerings take of the smallest samples."""
    return {kind: tuple(_taken(kind)) for kind in sorted(SUPPORTED)}


def _taken(kind: str) -> Iterator[DType]:
    for dtype in TYPES:
        for graph in samples(kind, dtype):
            try:
                lower_op(graph, graph.ops[0])
            except UnsupportedOp:
                continue
            yield dtype
            break


def listed_operators(backend: str) -> dict[str, tuple[DType, ...]] | None:
    """What a backend's compiler says that it takes; None where it does not say. Raises ToolError
    when it cannot be asked."""
    module = backend.replace("-", "_")
    packages = {info.name for info in pkgutil.iter_modules(backends.__path__) if info.ispkg}
    if module not in packages:
        return None
    name = f"{backends.__name__}.{module}.{LISTED}"
    if importlib.util.find_spec(name) is None:
        return None
    found: dict[str, tuple[DType, ...]] = importlib.import_module(name).operators()
    return found
