"""ONNX files, by onnx2tf in the environment ``onnx``; compared with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

from npubench.compiler.importers.foreign_run import run_foreign
from npubench.compiler.importers.interface import FLOAT, REFERENCE, Converted, Source
from npubench.compiler.importers.wishes import Wishes
from npubench.compiler.tflite.identify import describe_file
from npubench.toolenv.environment import environment

TOOL = "onnx"


class OnnxImporter:
    """See ``Importer``."""

    title = "ONNX"
    sources = ".onnx"

    def takes(self, path: Path, member: str) -> bool:
        if member or not path.is_file():
            return False
        if path.suffix.lower() == ".onnx":
            return True
        with path.open("rb") as stream:
            head = stream.read(64)
        return bool(head) and describe_file(head) == "it looks like an ONNX model"

    def tool_version(self) -> str:
        return environment(TOOL).version

    def convert(self, source: Source, wishes: Wishes, folder: Path) -> Converted:
        answer, said = run_foreign(
            TOOL,
            "onnx_to_litert.py",
            {
                "model": str(source.path.absolute()),
                "shapes": {name: list(shape) for name, shape in wishes.shapes},
                "range": list(wishes.synthetic),
                "out": str(folder / FLOAT),
                "reference": str(folder / REFERENCE),
            },
            folder,
        )
        return Converted(
            tool="onnx2tf",
            version=answer["version"],
            details=dict(answer["details"]),
            output_names=tuple(answer["outputs"]),
            dependencies=tuple(Path(name) for name in answer["read"]),
            log=said,
        )


IMPORTER = OnnxImporter()
