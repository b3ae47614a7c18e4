"""Import paths that plug-ins may still use: modules that moved, for one release.

``honour_old_paths`` is called before a plug-in is loaded; nothing of our own uses an old path.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

MOVED: Final = {
    "npubench.compiler.adapter": "npubench.compiler.vendor.adapter",
    "npubench.compiler.importers.tflite": "npubench.compiler.tflite.reader",
    "npubench.compiler.importers.flatbuffer": "npubench.compiler.tflite.flatbuffer",
    "npubench.compiler.importers.schema": "npubench.compiler.tflite.schema",
    "npubench.power.instrument.accuracy": "npubench.power.source.accuracy",
    "npubench.power.instrument.crc8": "npubench.power.wire.crc8",
    "npubench.power.instrument.driver": "npubench.power.source.driver",
    "npubench.power.instrument.failure": "npubench.power.source.failure",
    "npubench.power.instrument.line": "npubench.power.wire.line",
    "npubench.power.instrument.profile": "npubench.power.source.profile",
    "npubench.power.instrument.resample": "npubench.power.source.resample",
    "npubench.power.instrument.source": "npubench.power.source.interface",
}

_EMPTY: Final = {name.rpartition(".")[0] for name in MOVED} - {"npubench.compiler"}
"""Packages that held them and are gone."""


class _OldPaths(Loader):
    """Finds a moved module under its old name: the same module object, and a warning."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if name in _EMPTY:
            return ModuleSpec(name, self, is_package=True)
        return ModuleSpec(name, self) if name in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name)
        if spec.name in _EMPTY:
            return module
        new = MOVED[spec.name]
        warnings.warn(
            f"{spec.name} is {new} now; the old path goes with the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        module.__dict__.update(
            {name: value for name, value in vars(import_module(new)).items() if name[:2] != "__"}
        )
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to run: the module that moved has run."""


def honour_old_paths() -> None:
    """From now on the old paths can be imported, each with a DeprecationWarning. Idempotent."""
    if not any(isinstance(finder, _OldPaths) for finder in sys.meta_path):
        sys.meta_path.append(_OldPaths())
