"""Keras files and SavedModel folders, through TensorFlow in a process of its own."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from npubench.compiler.importers.interface import FLOAT, REFERENCE, Converted, Source
from npubench.compiler.importers.wishes import Wishes
from npubench.compiler.quantize.worker import run_isolated
from npubench.core.errors import ToolMissing

HDF5 = b"\x89HDF\r\n\x1a\n"
SUFFIXES = (".keras", ".h5", ".hdf5")


class TensorFlowImporter:
    """See ``Importer``."""

    title = "Keras or TensorFlow"
    sources = ".keras, .h5, a SavedModel folder"

    def takes(self, path: Path, member: str) -> bool:
        if member:
            return False
        if path.is_dir():
            return (path / "saved_model.pb").is_file()
        if path.suffix.lower() in SUFFIXES:
            return True
        with path.open("rb") as stream:
            return stream.read(len(HDF5)) == HDF5

    def tool_version(self) -> str:
        try:
            return importlib.metadata.version("tensorflow")
        except importlib.metadata.PackageNotFoundError as error:
            raise ToolMissing(
                "TensorFlow, which reads Keras files and SavedModels, is not installed",
                hint="pip install 'npubench[train,import]' (600 MB to download, 2 GB on disk)",
            ) from error

    def convert(self, source: Source, wishes: Wishes, folder: Path) -> Converted:
        answer = run_isolated(
            {
                "do": "float",
                "model": str(source.path.absolute()),
                "shapes": {name: list(shape) for name, shape in wishes.shapes},
                "range": list(wishes.synthetic),
                "trust": wishes.trust,
                "out": str((folder / FLOAT).absolute()),
                "reference": str((folder / REFERENCE).absolute()),
            }
        )
        return Converted(
            tool="TensorFlow", version=answer["tensorflow"], details=dict(answer["details"])
        )


IMPORTER = TensorFlowImporter()
