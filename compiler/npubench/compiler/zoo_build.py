"""Re-creates the zoo's .tflite files from their definitions, and says what differs if any does.

On one machine the result is the same from run to run. Another processor or another TensorFlow may
round training and calibration differently; the outcome then says by how much the numbers differ.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.compiler.analyze import analyze
from npubench.compiler.quantize.saved import write_replacing
from npubench.compiler.quantize.worker import run_isolated
from npubench.compiler.tflite.difference import compare_models
from npubench.compiler.tflite.reader import read_tflite
from npubench.zoo import load_zoo, zoo_folder, zoo_ids

ROUNDING_NOTE = (
    "another processor or TensorFlow version rounds training and calibration differently"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOutcome:
    """A rebuilt zoo model against its committed file.

    ``equal``: byte for byte. ``structure_equal``: same operators, options, shapes and types.
    ``difference`` says in words what differs, empty when equal. Accuracies are of the rebuilt
    network on its test set, None for a network that has none.
    """

    model_id: str
    sha256: str
    expected_sha256: str
    equal: bool
    structure_equal: bool
    difference: str
    macs: int
    size_bytes: int
    tensorflow: str
    float_ratio: float | None = None
    int8_ratio: float | None = None


def build_models(names: Sequence[str] = ()) -> tuple[BuildOutcome, ...]:
    """Rebuild zoo models, all of them without a name. Unknown names are refused before the first
    is built; raises what ``build_model`` raises."""
    wanted = [load_zoo(name).id for name in names] if names else zoo_ids()
    return tuple(build_model(name) for name in wanted)


def build_model(name: str, *, out: Path | None = None) -> BuildOutcome:
    """Run a zoo model's script with TensorFlow and compare the result with the committed file.

    ``out`` also receives the rebuilt .tflite; nothing else is written. Raises UsageError for an
    unknown id, ToolMissing without TensorFlow, ConfigError or CompileError when the script or the
    conversion fails, StorageError when ``out`` cannot be written.
    """
    entry = load_zoo(name)
    folder = zoo_folder(name)
    with tempfile.TemporaryDirectory(prefix="npubench-zoo-") as scratch:
        made = Path(scratch) / entry.file
        answer = run_isolated(
            {"do": "zoo", "script": str((folder / entry.script).absolute()), "out": str(made)}
        )
        data = made.read_bytes()
    if out is not None:
        write_replacing(out, data)
    graph = read_tflite(data, name=name)
    committed = folder / entry.file
    if not committed.is_file():
        structure_equal, difference = False, f"the committed file {entry.file} is missing"
    else:
        found = compare_models(committed.read_bytes(), data)
        structure_equal, difference = found.structure_equal, found.text
    sha256 = hashlib.sha256(data).hexdigest()
    if not difference and sha256 != entry.sha256:
        difference = "equal to the committed file, but model.toml has another sha256"
    elif difference and structure_equal:
        difference += f" ({ROUNDING_NOTE}; rebuilt with TensorFlow {answer['tensorflow']})"
    return BuildOutcome(
        model_id=name,
        sha256=sha256,
        expected_sha256=entry.sha256,
        equal=not difference,
        structure_equal=structure_equal,
        difference=difference,
        macs=analyze(graph).macs,
        size_bytes=len(data),
        tensorflow=answer["tensorflow"],
        float_ratio=answer.get("float_ratio"),
        int8_ratio=answer.get("int8_ratio"),
    )
