"""How well a network answers on labelled samples, on the host: as float, where it was brought so,
and as int8."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import Graph
from npubench.compiler.importers.samples import Input, brought, content_sha256
from npubench.compiler.importers.wishes import Preprocess
from npubench.compiler.quantize.litert import HostNetwork
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import ConfigError
from npubench.stats.proportion import area_interval, area_under_curve, wilson
from npubench.zoo import ResolvedModel

Metric = Literal["top1", "auc"]
METRICS: tuple[Metric, ...] = ("top1", "auc")
LABELS = "labels"
INTERVALS = {"top1": "Wilson score", "auc": "bootstrap"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One metric of one form of the network (``float`` or ``int8``), between 0 and 1, with its 95 %
    interval."""

    form: str
    metric: Metric
    value: float
    low: float
    high: float
    interval: str
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """``agreement_ratio``: share of samples to which int8 and float give the same answer; None
    where there is no float network, and for a metric without one."""

    scores: tuple[Score, ...]
    agreement_ratio: float | None
    data: str
    data_sha256: str


def score(
    model: ResolvedModel, data: Path, *, metric: Metric, samples: int | None = None
) -> Answers:
    """Run labelled samples through the network's forms, with LiteRT.

    ``data``: an .npz with an array per input and ``labels``, (samples,): class numbers, or for
    ``auc`` 0 and 1. ``auc`` takes the last score as that of the positive class; a network that
    gives its input back (same size) is an anomaly detector: the mean squared error is its score.
    Raises ConfigError for data that does not fit.
    """
    graph = read_tflite(model.path.read_bytes(), name=model.id)
    labels = _labels(data)
    inputs = [_input(graph, index) for index in graph.inputs]
    wanted = len(labels) if samples is None else min(samples, len(labels))
    found = brought(data, inputs, Preprocess(), limit=wanted)
    labels = labels[np.linspace(0, len(labels) - 1, wanted).astype(np.int64)]
    if found.count != wanted:
        raise ConfigError(f"{data}: {found.count} samples, but {wanted} labels")
    forms = [("int8", model.path.read_bytes())]
    if model.brought is not None:
        forms.insert(0, ("float", model.brought.float_path.read_bytes()))
    columns = [found.values[item.name] for item in inputs]
    outputs = {form: _outputs(content, columns) for form, content in forms}
    scores = tuple(_score(form, metric, outputs[form], columns, labels, data) for form in outputs)
    agreement = None
    if len(outputs) == 2 and metric == "top1":
        left, right = (value.argmax(axis=1) for value in outputs.values())
        agreement = float((left == right).mean())
    return Answers(
        scores=scores,
        agreement_ratio=agreement,
        data=data.name,
        data_sha256=content_sha256(data),
    )


def _labels(data: Path) -> NDArray[np.int64]:
    try:
        with np.load(data, allow_pickle=False) as file:
            if LABELS not in file.files:
                raise ConfigError(
                    f"{data} has no array '{LABELS}'",
                    hint="numpy.savez('test.npz', input=samples, labels=class_numbers)",
                )
            values = file[LABELS]
    except (OSError, ValueError, EOFError, AttributeError, TypeError) as error:
        raise ConfigError(f"{data} is no .npz file of samples and labels") from error
    if values.ndim != 1 or values.dtype.kind not in "iub" or len(values) == 0:
        raise ConfigError(
            f"{data}: labels are {values.dtype} of shape {values.shape}",
            hint="one whole number per sample is needed",
        )
    return np.asarray(values, dtype=np.int64)


def _input(graph: Graph, index: int) -> Input:
    """An input as its user feeds it: real numbers where it is quantized."""
    tensor = graph.tensor(index)
    dtype = str(tensor.dtype) if tensor.quantization is None else "float32"
    return Input(name=tensor.name, shape=tensor.shape, dtype=dtype)


def _outputs(content: bytes, columns: list[NDArray[Any]]) -> NDArray[Any]:
    """The first output for every sample, (samples, values)."""
    network = HostNetwork(content)
    rows = [
        network.run([column[position][np.newaxis] for column in columns])[0].ravel()
        for position in range(len(columns[0]))
    ]
    return np.stack(rows)


def _score(
    form: str,
    metric: Metric,
    outputs: NDArray[Any],
    columns: list[NDArray[Any]],
    labels: NDArray[np.int64],
    data: Path,
) -> Score:
    if metric == "top1":
        if int(labels.min()) < 0 or int(labels.max()) >= outputs.shape[1]:
            raise ConfigError(
                f"{data}: labels reach from {labels.min()} to {labels.max()}, the network has "
                f"{outputs.shape[1]} scores"
            )
        right = int((outputs.argmax(axis=1) == labels).sum())
        value, (low, high) = right / len(labels), wilson(right, len(labels))
    else:
        if set(labels.tolist()) != {0, 1}:
            raise ConfigError(f"{data}: for auc, labels are 0 and 1, and both occur")
        flat = columns[0].reshape(len(labels), -1)
        ranked = (
            np.square(outputs - flat).mean(axis=1)
            if flat.shape == outputs.shape
            else outputs[:, -1]
        )
        positive = labels == 1
        value, (low, high) = area_under_curve(ranked, positive), area_interval(ranked, positive)
    return Score(
        form=form,
        metric=metric,
        value=value,
        low=low,
        high=high,
        interval=INTERVALS[metric],
        samples=len(labels),
    )
