"""Importers, by the modules of this package that have one: ``IMPORTER``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from npubench.compiler import importers
from npubench.compiler.importers.interface import Carrier, Importer

_OWN = frozenset(
    {
        "wishes",
        "interface",
        "registry",
        "samples",
        "kept",
        "load",
        "foreign_run",
        "foreign",
        "answers",
        "labelled",
    }
)


@cache
def importer_names() -> tuple[str, ...]:
    """The ids of every importer, sorted."""
    names = (module.name for module in pkgutil.iter_modules(importers.__path__))
    return tuple(sorted(name for name in names if name not in _OWN))


def load_importer(name: str) -> Importer | Carrier:
    """One importer by its id."""
    module = importlib.import_module(f"{importers.__name__}.{name}")
    importer: Importer | Carrier = module.IMPORTER
    return importer


def importer_of(path: Path, member: str = "") -> tuple[str, Importer | Carrier] | None:
    """The importer that takes a file or folder, with its id; None when none does."""
    for name in importer_names():
        importer = load_importer(name)
        if importer.takes(path, member):
            return name, importer
    return None
