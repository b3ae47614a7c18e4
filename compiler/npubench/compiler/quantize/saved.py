"""A user's float model, quantized in a process of its own."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from npubench.compiler.quantize.worker import run_isolated
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import StorageError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """A quantized file, and what it was made with."""

    path: Path
    sha256: str
    size_bytes: int
    samples_count: int
    tensorflow: str


def quantize_saved(
    path: Path, representative: Path, out: Path, *, per_channel_dense: bool = False
) -> Quantized:
    """Quantize a user's Keras file or SavedModel folder to ``out``, in a process of its own.

    ``representative``: see ``read_samples``. ``out`` is replaced only by a file that npubench can
    read. Raises ToolMissing without TensorFlow, and as ``quantize_file`` and ``read_samples``;
    StorageError when ``out`` cannot be written.
    """
    for wanted in (path, representative):
        if not wanted.exists():
            raise UsageError(f"there is no file or folder {wanted}")
    if out.suffix != ".tflite":
        raise UsageError(f"the output {out} must end in .tflite")
    with tempfile.TemporaryDirectory(prefix="npubench-quantize-") as folder:
        made = Path(folder) / "model.tflite"
        answer = run_isolated(
            {
                "do": "saved",
                "model": str(path.absolute()),
                "out": str(made),
                "samples": str(representative.absolute()),
                "per_channel_dense": per_channel_dense,
            }
        )
        data = made.read_bytes()
    read_tflite(data, name=out.stem)
    write_replacing(out, data)
    return Quantized(
        path=out,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        samples_count=answer["samples"],
        tensorflow=answer["tensorflow"],
    )


def write_replacing(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all. Raises StorageError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            part.write_bytes(data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
