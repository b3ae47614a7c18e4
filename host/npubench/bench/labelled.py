"""Labelled samples that a board answers one by one, and the file that keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.bench.job import Job, Sampling
from npubench.compiler.graph import Graph
from npubench.compiler.importers.answers import Metric, metric_of
from npubench.compiler.importers.labelled import Labelled, codes_of, labelled_of, real_of
from npubench.core.errors import ResultError, UsageError
from npubench.core.progress import Reporter, step
from npubench.wire.device import Device

Array = NDArray[Any]
FILE = "labelled.npz"
_BOX_SAMPLE, _BOXES, _LABELS, _OUTPUTS = "box_sample", "boxes", "labels", "outputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The samples of a test set that a target is asked: ``codes`` of each input as the network
    reads them, (samples, ...), and by which ``metric`` the answers are judged."""

    tests: Labelled
    codes: tuple[Array, ...]
    metric: Metric

    def raw(self, sample: int) -> bytes:
        """All inputs of one sample, little-endian, in the network's order."""
        return b"".join(
            np.ascontiguousarray(values[sample], dtype=values.dtype.newbyteorder("<")).tobytes()
            for values in self.codes
        )


def questions_of(job: Job, sampling: Sampling, graph: Graph) -> Questions:
    """The samples for a job's network. Raises ConfigError for data that does not fit, UsageError
    for a network whose answers hang on those before."""
    if graph.variables:
        raise UsageError(
            f"{job.model.id} keeps state between inferences: what it answers to a sample hangs on "
            "those before it",
            hint="ask for accuracy of a form without state (a whole sequence in one input)",
        )
    tests = labelled_of(job.model, sampling.data, graph, samples=sampling.samples)
    return Questions(
        tests=tests,
        codes=tuple(
            codes_of(graph.tensor(index), values)
            for index, values in zip(graph.inputs, tests.values, strict=True)
        ),
        metric=metric_of(sampling.metric, graph, tests),
    )


def ask(device: Device, questions: Questions, reporter: Reporter, job: str) -> Array:
    """Every sample uploaded and run once: the raw bytes of all outputs, (samples, bytes)."""
    with step(reporter, job, "accuracy"):
        rows = []
        for sample in range(questions.tests.count):
            device.upload(questions.raw(sample))
            rows.append(np.frombuffer(device.kat().output, dtype=np.uint8))
    return np.stack(rows)


def outputs_of(graph: Graph, raw: Array) -> tuple[Array, ...]:
    """The codes of each output, (samples, ...), from the bytes of all outputs."""
    found, at = [], 0
    for index in graph.outputs:
        tensor = graph.tensor(index)
        part = np.ascontiguousarray(raw[:, at : at + tensor.size_bytes])
        dtype = np.dtype(str(tensor.dtype)).newbyteorder("<")
        found.append(part.view(dtype).reshape(len(raw), *tensor.shape))
        at += tensor.size_bytes
    return tuple(found)


def keep(path: Path, questions: Questions, outputs: Array) -> None:
    """Write samples, labels and what the target answered."""
    tests = questions.tests
    arrays: dict[str, Any] = {f"input_{n}": codes for n, codes in enumerate(questions.codes)}
    arrays[_OUTPUTS] = outputs
    if tests.labels is not None:
        arrays[_LABELS] = tests.labels
    if tests.boxes is not None:
        counts = [len(boxes) for boxes in tests.boxes]
        arrays[_BOX_SAMPLE] = np.repeat(np.arange(len(counts)), counts)
        arrays[_BOXES] = np.concatenate(tests.boxes)
    np.savez(path, **arrays)


def kept(path: Path, graph: Graph, *, metric: str, name: str, sha256: str) -> Questions:
    """The samples of a stored run. Raises ResultError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        codes = tuple(arrays[f"input_{n}"] for n in range(len(graph.inputs)))
        boxes = None
        if _BOXES in arrays:
            boxes = tuple(arrays[_BOXES][arrays[_BOX_SAMPLE] == n] for n in range(len(codes[0])))
    except (OSError, ValueError, KeyError) as error:
        raise ResultError(f"{path}: no labelled samples can be read: {error}") from error
    tests = Labelled(
        values=tuple(
            real_of(graph.tensor(index), values)
            for index, values in zip(graph.inputs, codes, strict=True)
        ),
        labels=arrays.get(_LABELS),
        boxes=boxes,
        name=name,
        sha256=sha256,
        total=len(codes[0]),
    )
    return Questions(tests=tests, codes=codes, metric=metric_of(metric, graph, tests))
