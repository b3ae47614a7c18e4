"""Costs of operators fitted on what was run, and whole networks predicted from them.

One linear model for each kernel (for an NPU, each kind of operator), its coefficients not below
zero, errors relative to the cost. What it is worth is said by leaving networks out: each is
predicted by a model that has not seen it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import Graph
from npubench.core.stages import Stage
from npubench.micro.features import NAMES, features
from npubench.runs.schema import RunRecord

Array = NDArray[np.float64]

LEAST_SAMPLES: Final = 3
OTHER: Final = "any"
"""The model of what no model of its own has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One operator that ran: what it is, its columns, its cost in the unit of its ``engine``:
    instructions, cycles of the NPU, or microseconds of a physical board."""

    network: str
    layer: int
    kernel: str
    engine: str
    columns: tuple[float, ...]
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelModel:
    """Coefficients for ``features.NAMES``; ``error_ratio``: the typical error on what it was fitted
    to; ``samples``: how many operators that were."""

    kernel: str
    coefficients: tuple[float, ...]
    error_ratio: float
    samples: int

    def cost(self, columns: Sequence[float]) -> float:
        """The expected cost."""
        return float(np.dot(self.coefficients, columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A network's inference. ``cpu``: instructions (or microseconds on silicon), ``npu``: cycles.
    ``unseen_ratio``: the share of it that rests on the general model, since no operator of its kind
    was run."""

    cpu: float
    npu: float
    unseen_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One network, predicted by a model that was fitted without it. ``error_ratio``: 0.05 for a
    twentieth too much."""

    network: str
    predicted: float
    actual: float

    @property
    def error_ratio(self) -> float:
        return self.predicted / self.actual - 1


def samples_of(name: str, record: RunRecord, graph: Graph) -> tuple[Sample, ...]:
    """The operators of a run whose cost is known. On an NPU an operator's cost is the timing core's
    share of its job; the driver's instructions go to the job's place."""
    found = []
    for layer in record.layers:
        if layer.engine == "none":
            continue
        cost: float | None
        if layer.engine == "npu":
            cost = layer.npu_cycles
        elif layer.cpu_instructions is not None:
            cost = layer.cpu_instructions
        else:
            cost = layer.value
        if not cost:
            continue
        found.append(
            Sample(
                network=name,
                layer=layer.index,
                kernel=kernel_of(layer.engine, layer.kernel, layer.op),
                engine=layer.engine,
                columns=features(graph, graph.ops[layer.index]),
                cost=float(cost),
            )
        )
    return tuple(found)


def kernel_of(engine: str, kernel: str, op: str) -> str:
    """Which model an operator belongs to."""
    return f"npu {op}" if engine == "npu" else kernel


def overhead_of(record: RunRecord) -> float:
    """Instructions of the NPU's driver in an inference: what the CPU executes where a job runs."""
    return float(
        sum(layer.cpu_instructions or 0 for layer in record.layers if layer.engine == "npu")
    )


def fit(samples: Iterable[Sample]) -> dict[str, KernelModel]:
    """A model for each kernel with enough samples, and for each engine one of all its operators."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.kernel].append(sample)
        groups[f"{OTHER} {sample.engine}"].append(sample)
    return {
        kernel: _fitted(kernel, group)
        for kernel, group in groups.items()
        if len(group) >= LEAST_SAMPLES
    }


def _fitted(kernel: str, group: Sequence[Sample]) -> KernelModel:
    from scipy.optimize import nnls

    cost = np.asarray([sample.cost for sample in group])
    columns = np.asarray([sample.columns for sample in group])
    scaled = columns / cost[:, None]
    norms = np.linalg.norm(scaled, axis=0)
    norms[norms == 0] = 1.0
    solution: Any
    solution, _ = nnls(scaled / norms, np.ones(len(group)), maxiter=50 * len(NAMES))
    coefficients: Array = np.asarray(solution) / norms
    errors = np.abs(columns @ coefficients / cost - 1)
    return KernelModel(
        kernel=kernel,
        coefficients=tuple(float(value) for value in coefficients),
        error_ratio=float(np.median(errors)),
        samples=len(group),
    )


def predict(
    models: Mapping[str, KernelModel],
    graph: Graph,
    places: Mapping[int, tuple[str, str]],
    *,
    driver_instructions: float = 0.0,
) -> Predicted | None:
    """A network's inference from the models; None where an engine has none at all.

    ``places``: for each operator its engine and kernel, as the plan has them.
    ``driver_instructions``: what the driver takes for the network's jobs.
    """
    total = {"cpu": 0.0, "npu": 0.0}
    unseen = 0.0
    share = {"cpu": 0.0, "npu": 0.0}
    for op in graph.ops:
        engine, kernel = places.get(op.index, ("none", ""))
        if engine == "none":
            continue
        name = kernel_of(engine, kernel, op.kind)
        model = models.get(name) or models.get(f"{OTHER} {engine}")
        if model is None:
            return None
        cost = model.cost(features(graph, op))
        total[engine] += cost
        if name not in models:
            share[engine] += cost
    for engine in total:
        if total[engine]:
            unseen = max(unseen, share[engine] / total[engine])
    return Predicted(
        cpu=total["cpu"] + driver_instructions, npu=total["npu"], unseen_ratio=round(unseen, 4)
    )


def infer_cost(record: RunRecord) -> tuple[float, float]:
    """What was counted of an inference: (CPU, NPU cycles)."""
    stage = record.stages[Stage.INFER]
    if stage.cpu_instructions is not None:
        return float(stage.cpu_instructions), float(stage.npu_cycles or 0)
    return float(stage.median or 0), 0.0


def median_error(left_out: Sequence[LeftOut]) -> float | None:
    """The median of the errors' sizes, None without any."""
    return median(abs(item.error_ratio) for item in left_out) if left_out else None
