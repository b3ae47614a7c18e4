"""Float .tflite files: nothing to convert, only to quantize."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

from npubench.compiler.importers.interface import FLOAT, Converted, Source
from npubench.compiler.importers.wishes import Wishes
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import ModelFormatError, ToolMissing

EXTRA_HINT = "pip install 'npubench[import]' (25 MB to download)"


class LiteRtImporter:
    """See ``Importer``. An int8 .tflite needs no import and is not taken."""

    title = "float LiteRT"
    sources = ".tflite"

    def takes(self, path: Path, member: str) -> bool:
        if member or not path.is_file():
            return False
        with path.open("rb") as stream:
            if stream.read(8)[4:] != b"TFL3":
                return False
        try:
            graph = read_tflite(path.read_bytes(), name=path.stem, floats=True)
        except ModelFormatError:
            return False
        return all(
            graph.tensor(index).dtype == "float32" for index in (*graph.inputs, *graph.outputs)
        ) and not any(tensor.dtype in ("int8", "uint8", "int16") for tensor in graph.tensors)

    def tool_version(self) -> str:
        return quantizer_version()

    def convert(self, source: Source, wishes: Wishes, folder: Path) -> Converted:
        del wishes
        shutil.copyfile(source.path, folder / FLOAT)
        return Converted(tool="none", version="", details={})


def quantizer_version() -> str:
    """The version of what quantizes. Raises ToolMissing."""
    try:
        return importlib.metadata.version("ai-edge-quantizer")
    except importlib.metadata.PackageNotFoundError as error:
        raise ToolMissing(
            "ai-edge-quantizer, which makes int8 networks of float ones, is not installed",
            hint=EXTRA_HINT,
        ) from error


IMPORTER = LiteRtImporter()
