"""Networks of the zoo whose files are not kept with it: made from their definitions on demand."""

from __future__ import annotations

import tempfile
from pathlib import Path

from npubench.compiler.analyze import analyze
from npubench.compiler.quantize.saved import write_replacing
from npubench.compiler.quantize.worker import run_isolated
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import CompileError
from npubench.core.progress import Reporter, Silent, step
from npubench.zoo import load_zoo, made_path, zoo_folder


def make(name: str, *, reporter: Reporter | None = None) -> Path:
    """The .tflite of a zoo model that is not committed, made now where it is not there yet.

    Raises ToolMissing without TensorFlow, ConfigError or CompileError when its script or the
    conversion fails, or when another network comes out than its model.toml describes.
    """
    entry = load_zoo(name)
    path = made_path(entry)
    if path.is_file():
        return path
    script = (zoo_folder(name) / entry.script).absolute()
    with (
        step(reporter or Silent(), name, "make", detail="with TensorFlow, once"),
        tempfile.TemporaryDirectory(prefix="npubench-zoo-") as scratch,
    ):
        out = Path(scratch) / entry.file
        run_isolated({"do": "zoo", "script": str(script), "out": str(out)})
        data = out.read_bytes()
    found = analyze(read_tflite(data, name=name))
    if (found.macs, found.parameters) != (entry.macs, entry.parameters):
        raise CompileError(
            f"{name} came out with {found.macs} MACs and {found.parameters} parameters, its "
            f"model.toml says {entry.macs} and {entry.parameters}",
            hint="another version of TensorFlow may convert it otherwise: npubench models build "
            + name,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_replacing(path, data)
    return path
