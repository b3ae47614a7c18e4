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
from npubench.compiler.graph import Graph
from npubench.compiler.quantize.saved import write_replacing
from npubench.compiler.quantize.worker import run_isolated
from npubench.compiler.tflite.difference import compare_models
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import UsageError
from npubench.zoo import ZooModel, load_zoo, made_path, zoo_folder, zoo_ids

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


def build_models(
    names: Sequence[str] = (), *, test_set: Path | None = None
) -> tuple[BuildOutcome, ...]:
    """Rebuild zoo models, all of them without a name. Unknown names are refused before the first
    is built, and a ``test_set`` of several; raises what ``build_model`` raises."""
    wanted = [load_zoo(name).id for name in names] if names else zoo_ids()
    if test_set is not None and len(wanted) != 1:
        raise UsageError("a test set is of one model", hint="name it: npubench models build digits")
    return tuple(build_model(name, test_set=test_set) for name in wanted)


def build_model(
    name: str, *, out: Path | None = None, test_set: Path | None = None
) -> BuildOutcome:
    """Run a zoo model's script with TensorFlow and compare the result with the committed file, or
    with the hash of its model.toml where it is not committed; then it is kept for use as well.

    ``out`` also receives the rebuilt .tflite, ``test_set`` the labelled samples of a trained one
    (.npz). Raises UsageError for an unknown id and for a test set of seeded weights, ToolMissing
    without TensorFlow, ConfigError or CompileError when the script or the conversion fails,
    StorageError when ``out`` cannot be written.
    """
    entry = load_zoo(name)
    folder = zoo_folder(name)
    with tempfile.TemporaryDirectory(prefix="npubench-zoo-") as scratch:
        made = Path(scratch) / entry.file
        answer = run_isolated(
            {
                "do": "zoo",
                "script": str((folder / entry.script).absolute()),
                "out": str(made),
                "test_set": None if test_set is None else str(test_set.absolute()),
            }
        )
        data = made.read_bytes()
    if out is not None:
        write_replacing(out, data)
    graph = read_tflite(data, name=name)
    committed = folder / entry.file
    sha256 = hashlib.sha256(data).hexdigest()
    if not entry.committed:
        structure_equal, difference = _against_entry(entry, graph)
        if structure_equal:
            path = made_path(entry)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_replacing(path, data)
    elif not committed.is_file():
        structure_equal, difference = False, f"the committed file {entry.file} is missing"
    else:
        found = compare_models(committed.read_bytes(), data)
        structure_equal, difference = found.structure_equal, found.text
    if not difference and sha256 != entry.sha256:
        difference = "equal to the committed file, but model.toml has another sha256"
        if not entry.committed:
            difference = "the same costs, other bytes than model.toml's sha256"
    if difference and structure_equal:
        difference += f" ({ROUNDING_NOTE}; rebuilt with TensorFlow {answer['tensorflow']})"
    if test_set is not None and answer.get("test_count") is None:
        raise UsageError(f"{name} has no test set: its weights are {entry.weights}")
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


def _against_entry(entry: ZooModel, graph: Graph) -> tuple[bool, str]:
    """Whether a network has the costs that its model.toml states, and what differs."""
    found = analyze(graph)
    if (found.macs, found.parameters) == (entry.macs, entry.parameters):
        return True, ""
    return False, (
        f"{found.macs} MACs and {found.parameters} parameters, model.toml says {entry.macs} and "
        f"{entry.parameters}"
    )
