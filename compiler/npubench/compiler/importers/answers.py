"""How well a network answers on labelled samples: its outputs by one metric, with an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import Graph, Tensor
from npubench.compiler.importers.labelled import Labelled, codes_of, labelled_of, real_of
from npubench.compiler.importers.load import load_model
from npubench.compiler.quantize.litert import HostNetwork
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import ConfigError, UsageError
from npubench.stats.boxes import cell_boxes
from npubench.stats.perplexity import perplexity, surprise
from npubench.stats.precision import box_precision, drawn_interval, label_precision
from npubench.stats.proportion import area_interval, area_under_curve, wilson
from npubench.zoo import ResolvedModel

Array = NDArray[Any]
Metric = Literal["top1", "auc", "map", "perplexity"]
METRICS: tuple[Metric, ...] = ("top1", "auc", "map", "perplexity")
INTERVALS = {
    "top1": "Wilson score",
    "auc": "bootstrap",
    "map": "bootstrap",
    "perplexity": "bootstrap",
}
PER_CELL = 2
"""Boxes of each cell of a detector, as in YOLO v1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One metric of one form of the network (``float``, ``int8``, ``target``), with its 95 %
    interval. ``top1``, ``auc`` and ``map`` are between 0 and 1; ``perplexity`` is 1 and more."""

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
    model: ResolvedModel, data: Path, *, metric: str | None = None, samples: int | None = None
) -> Answers:
    """Run labelled samples through the network's forms on the host, with LiteRT.

    ``data``: see ``read_labelled``. ``metric`` None: what suits data and network. Raises
    ConfigError for data that does not fit, UsageError for a metric that does not.
    """
    content = model.path.read_bytes()
    graph = read_tflite(content, name=model.id)
    tests = labelled_of(model, data, graph, samples=samples)
    chosen = metric_of(metric, graph, tests)
    forms = [("int8", content)]
    if model.brought is not None:
        forms.insert(0, ("float", model.brought.float_path.read_bytes()))
    outputs = {form: _outputs(network, tests.values) for form, network in forms}
    agreement = None
    if len(outputs) == 2 and chosen == "top1":
        left, right = (_classes(value, graph).argmax(axis=-1) for value in outputs.values())
        agreement = float((left == right).mean())
    return Answers(
        scores=tuple(
            scored(form, chosen, value, tests, graph, exact=form == "float")
            for form, value in outputs.items()
        ),
        agreement_ratio=agreement,
        data=tests.name,
        data_sha256=tests.sha256,
    )


def score_model(
    model: str, wishes: Mapping[str, Any], data: Path, *, metric: str | None, samples: int | None
) -> tuple[ResolvedModel, Answers]:
    """The network that MODEL means, and its scores on the host. Raises what ``load_model`` and
    ``score`` raise."""
    resolved = load_model(model, wishes)
    return resolved, score(resolved, data, metric=metric, samples=samples)


def metric_of(wish: str | None, graph: Graph, tests: Labelled) -> Metric:
    """The metric that was asked for, or the one that suits. Raises UsageError for none of ours."""
    if wish is not None:
        found = next((known for known in METRICS if known == wish), None)
        if found is None:
            raise UsageError(
                f"there is no metric {wish[:40]!r}", hint=f"known: {', '.join(METRICS)}"
            )
        if (found == "map") != _is_map(graph, tests) and (found == "map" or tests.boxes):
            raise UsageError(
                f"the metric {found} does not suit {tests.name}",
                hint="map takes 'boxes', or labels of 0 and 1 for every class of every sample",
            )
        return found
    if _is_map(graph, tests):
        return "map"
    return "auc" if rebuilds(graph) else "top1"


def rebuilds(graph: Graph) -> bool:
    """Whether a network gives its input back, so that its error is the score of an anomaly."""
    if len(graph.outputs) != 1 or len(graph.inputs) != 1:
        return False
    return graph.tensor(graph.outputs[0]).count == graph.tensor(graph.inputs[0]).count


def _is_map(graph: Graph, tests: Labelled) -> bool:
    if tests.boxes is not None:
        return True
    assert tests.labels is not None
    classes = graph.tensor(graph.outputs[0]).count
    return (
        classes > 1
        and tests.labels.shape[1:] == (classes,)
        and set(np.unique(tests.labels).tolist()) <= {0, 1}
    )


def scored(
    form: str,
    metric: Metric,
    outputs: Array,
    tests: Labelled,
    graph: Graph,
    *,
    exact: bool = False,
) -> Score:
    """One metric of a form's first outputs, real numbers (samples, ...). ``exact``: the form is
    float and reads the input as it is, not as its codes say. Raises ConfigError."""
    if metric == "top1":
        value, low, high = _top1(outputs, tests, graph)
    elif metric == "auc":
        value, low, high = _area(outputs, tests, graph, exact=exact)
    elif metric == "map":
        value, low, high = _precision(outputs, tests, graph)
    else:
        value, low, high = _perplexity(outputs, tests, graph)
    return Score(
        form=form,
        metric=metric,
        value=value,
        low=low,
        high=high,
        interval=INTERVALS[metric],
        samples=tests.count,
    )


def _top1(outputs: Array, tests: Labelled, graph: Graph) -> tuple[float, float, float]:
    classes = _classes(outputs, graph)
    labels = _checked_labels(classes, tests)
    right = int((classes.argmax(axis=-1) == labels).sum())
    share = right / labels.size
    if labels.ndim == 1 or labels.shape[1] == 1:
        return share, *wilson(right, labels.size)
    # Positions of one sample are no independent trials: samples are drawn, not positions.
    shares = (classes.argmax(axis=-1) == labels).mean(axis=1)
    low, high = drawn_interval(len(shares), lambda drawn: float(shares[drawn].mean()))
    return share, low, high


def _area(
    outputs: Array, tests: Labelled, graph: Graph, *, exact: bool
) -> tuple[float, float, float]:
    labels = tests.labels
    if labels is None or labels.ndim != 1 or set(labels.tolist()) != {0, 1}:
        raise ConfigError(f"{tests.name}: for auc, labels are 0 and 1, and both occur")
    flat = outputs.reshape(len(outputs), -1)
    ranked = flat[:, -1]
    if rebuilds(graph):
        source = graph.tensor(graph.inputs[0])
        given = tests.values[0]
        if not exact:
            given = real_of(source, codes_of(source, given))
        ranked = np.square(flat - given.reshape(flat.shape)).mean(axis=1)
    positive = labels == 1
    return area_under_curve(ranked, positive), *area_interval(ranked, positive)


def _precision(outputs: Array, tests: Labelled, graph: Graph) -> tuple[float, float, float]:
    if tests.boxes is None:
        labels = tests.labels
        assert labels is not None
        flat = outputs.reshape(len(outputs), -1)
        if not labels.any():
            raise ConfigError(f"{tests.name}: no label is 1 anywhere")

        def of_labels(drawn: Array) -> float | None:
            return label_precision(flat[drawn], labels[drawn]) if labels[drawn].any() else None

        everything = np.arange(len(flat))
        return float(of_labels(everything) or 0.0), *drawn_interval(len(flat), of_labels)
    shape = graph.tensor(graph.outputs[0]).shape
    if len(shape) != 4 or shape[3] <= 5 * PER_CELL:
        raise ConfigError(
            f"the network's output is {' x '.join(map(str, shape))}: no grid of cells with "
            f"{PER_CELL} boxes of x, y, width, height and confidence, and classes",
            hint="map takes detectors of YOLO v1's kind",
        )
    pictures = [
        (cell_boxes(cells, PER_CELL), truth)
        for cells, truth in zip(outputs.reshape(len(outputs), *shape[1:]), tests.boxes, strict=True)
    ]

    def of_pictures(drawn: Array) -> float | None:
        chosen = [pictures[index] for index in drawn]
        return box_precision(chosen) if any(len(truth) for _, truth in chosen) else None

    return box_precision(pictures), *drawn_interval(len(pictures), of_pictures)


def _perplexity(outputs: Array, tests: Labelled, graph: Graph) -> tuple[float, float, float]:
    classes = _classes(outputs, graph)
    labels = _checked_labels(classes, tests)
    floor = half_step(graph.tensor(graph.outputs[0]))
    surprises = surprise(classes.reshape(-1, classes.shape[-1]), labels.ravel(), floor)
    by_sample = surprises.reshape(len(outputs), -1).mean(axis=1)
    low, high = drawn_interval(len(by_sample), lambda drawn: perplexity(by_sample[drawn]))
    return perplexity(surprises), low, high


def half_step(tensor: Tensor) -> float:
    """Half a step of a tensor's scale: what is nearer to zero than that is written as zero."""
    return 0.0 if tensor.quantization is None else tensor.quantization.scale / 2


def _classes(outputs: Array, graph: Graph) -> Array:
    """(samples, positions, classes): the last axis of the output holds the classes."""
    classes = graph.tensor(graph.outputs[0]).shape[-1]
    return outputs.reshape(len(outputs), -1, classes)


def _checked_labels(classes: Array, tests: Labelled) -> NDArray[np.int64]:
    labels = tests.labels
    if labels is None:
        raise ConfigError(f"{tests.name} holds boxes, no labels", hint="--metric map")
    flat = labels.reshape(len(labels), -1)
    if flat.shape[1] != classes.shape[1]:
        raise ConfigError(
            f"{tests.name}: {flat.shape[1]} labels for each sample, the network gives "
            f"{classes.shape[1]} answers"
        )
    if int(flat.min()) < 0 or int(flat.max()) >= classes.shape[2]:
        raise ConfigError(
            f"{tests.name}: labels reach from {flat.min()} to {flat.max()}, the network has "
            f"{classes.shape[2]} scores"
        )
    return flat


def _outputs(content: bytes, columns: Sequence[Array]) -> Array:
    """The first output for every sample, real numbers, (samples, ...)."""
    network = HostNetwork(content)
    rows = [
        network.run([column[position][np.newaxis] for column in columns])[0]
        for position in range(len(columns[0]))
    ]
    return np.stack(rows)
