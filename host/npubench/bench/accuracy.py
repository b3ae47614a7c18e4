"""How well a target answers: its own outputs on labelled samples, held against TFLM's sample by
sample, beside what the host's forms of the network reach."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.bench.job import Job, Sampling
from npubench.bench.labelled import Questions
from npubench.compiler.compiled import Network
from npubench.compiler.importers.answers import Answers, Score, score, scored
from npubench.compiler.importers.labelled import real_of
from npubench.core.errors import NpubenchError
from npubench.golden import ReferenceUnavailable
from npubench.golden.many import many_answers
from npubench.runs.schema import AccuracyRecord

Array = NDArray[Any]

_lock = threading.Lock()
_known: dict[tuple[str, ...], Answers] = {}


def target_record(
    network: Network, questions: Questions, outputs: Sequence[Array]
) -> tuple[AccuracyRecord, str]:
    """The target's own accuracy; ``outputs``: codes of each output, (samples, ...), or real numbers
    from a scheme of its own, which are not compared with TFLM's codes.

    ``agreement_ratio`` is the share of samples whose outputs are TFLM's bit by bit; where TFLM
    does not answer it is None, and the second value says why.
    """
    graph, tests = network.graph, questions.tests
    first = graph.tensor(graph.outputs[0])
    floats = outputs[0].dtype.kind == "f" and first.quantization is not None
    reals = outputs[0] if floats else real_of(first, outputs[0])
    found = scored("target", questions.metric, reals, tests, graph)
    agreement, why = None, ""
    if floats:
        return _record(found, tests.name, tests.sha256, None), why
    try:
        golden = many_answers(network.data, questions.codes)
        same = np.ones(tests.count, dtype=bool)
        for mine, theirs in zip(outputs, golden, strict=True):
            same &= (mine == theirs.reshape(mine.shape)).reshape(tests.count, -1).all(axis=1)
        agreement = float(same.mean())
    except ReferenceUnavailable as error:
        why = f"the samples' answers were not compared: {error.message}"
    return _record(found, tests.name, tests.sha256, agreement), why


def host_records(job: Job, sampling: Sampling, questions: Questions) -> tuple[AccuracyRecord, ...]:
    """What the float and the int8 network reach on the host, on the same samples. The jobs of one
    network share the answer. Empty where LiteRT is missing or does not run the network."""
    key = (
        hashlib.sha256(job.model.path.read_bytes()).hexdigest(),
        "" if job.model.brought is None else str(job.model.brought.float_path),
        questions.tests.sha256,
        questions.metric,
        str(questions.tests.count),
    )
    with _lock:
        found = _known.get(key)
        if found is None:
            try:
                found = score(
                    job.model,
                    Path(sampling.data),
                    metric=questions.metric,
                    samples=questions.tests.count,
                )
            except NpubenchError:
                return ()
            _known[key] = found
    return tuple(
        _record(
            item,
            found.data,
            found.data_sha256,
            found.agreement_ratio if item.form == "int8" else None,
        )
        for item in found.scores
    )


def _record(
    found: Score, data: str, data_sha256: str, agreement_ratio: float | None
) -> AccuracyRecord:
    return AccuracyRecord.model_validate(
        {
            "metric": found.metric,
            "form": found.form,
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "interval": found.interval,
            "samples": found.samples,
            "data": data,
            "data_sha256": data_sha256,
            "agreement_ratio": agreement_ratio,
        }
    )
