"""PyTorch: a class in a Python file or an exported program, by litert-torch in ``torch``'s
environment; compared with the module itself."""

from __future__ import annotations

import zipfile
from pathlib import Path

from npubench.compiler.importers.foreign_run import run_foreign
from npubench.compiler.importers.interface import FLOAT, REFERENCE, Converted, Source
from npubench.compiler.importers.wishes import Wishes
from npubench.toolenv.environment import environment

TOOL = "torch"
SUFFIXES = (".pt2", ".pt", ".pth")


class TorchImporter:
    """See ``Importer``. The user's own Python file is run; a pickle is not, unless trusted."""

    title = "PyTorch"
    sources = "module.py:Model, .pt2"

    def takes(self, path: Path, member: str) -> bool:
        if not path.is_file():
            return False
        if member:
            return path.suffix == ".py"
        if path.suffix.lower() in SUFFIXES:
            return True
        if not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())

    def tool_version(self) -> str:
        return environment(TOOL).version

    def convert(self, source: Source, wishes: Wishes, folder: Path) -> Converted:
        answer, said = run_foreign(
            TOOL,
            "torch_to_litert.py",
            {
                "model": str(source.path.absolute()),
                "member": source.member,
                "weights": None if wishes.weights is None else str(wishes.weights.absolute()),
                "shapes": {name: list(shape) for name, shape in wishes.shapes},
                "range": list(wishes.synthetic),
                "trust": wishes.trust,
                "out": str(folder / FLOAT),
                "reference": str(folder / REFERENCE),
            },
            folder,
        )
        return Converted(
            tool="litert-torch",
            version=answer["version"],
            details=dict(answer["details"]),
            dependencies=tuple(Path(name) for name in answer["read"] if Path(name).is_file()),
            log=said,
        )


IMPORTER = TorchImporter()
