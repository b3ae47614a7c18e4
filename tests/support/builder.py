"""The scripts of our PlatformIO platform as modules: they travel with projects, in no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

BUILDER = Path(__file__).resolve().parents[2] / "firmware" / "platformio" / "builder"


def builder_module(name: str) -> ModuleType:
    """``builder/<name>.py``, which finds its neighbours as it does in a project: before packages
    of the same name that are installed here, or imported already."""
    neighbours = {path.stem for path in BUILDER.glob("*.py")}
    others = {name: sys.modules.pop(name) for name in neighbours & sys.modules.keys()}
    sys.path.insert(0, str(BUILDER))
    try:
        spec = importlib.util.spec_from_file_location(f"builder_{name}", BUILDER / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BUILDER))
        for name in neighbours & sys.modules.keys():
            del sys.modules[name]
        sys.modules.update(others)
    return module
