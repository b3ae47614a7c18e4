"""An accelerator's own arithmetic is judged by the rule of the simulators."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from npubench.bench.job import Job
from npubench.bench.own_scheme import judge_scheme
from npubench.bench.record import Findings
from npubench.compiler.compiled import Compiled, read_network
from npubench.zoo import resolve_model

GOOD: dict[str, object] = {
    "accuracy_samples": 100,
    "accuracy_inputs": "drawn, half noise and half patches",
    "accuracy_lowest_snr_db": 34.8,
    "accuracy_same_class_ratio": 0.99,
    "accuracy_worst_op": 1,
    "weight_bits": "8 8 8",
}


def judged(changes: dict[str, object], model: str = "digits", status: str = "ok") -> Findings:
    resolved = resolve_model(model)
    plan = SimpleNamespace(npu={"details": GOOD | changes})
    compiled = SimpleNamespace(plan=plan, network=read_network(resolved))
    findings = Findings(status=status)
    judge_scheme(
        cast(Job, SimpleNamespace(model=resolved)), cast(Compiled, cast(Any, compiled)), findings
    )
    return findings


def test_what_keeps_the_limits_stays_ok() -> None:
    assert judged({}).status == "ok"
    assert judged({"accuracy_lowest_snr_db": 20.0, "accuracy_same_class_ratio": 0.95}).error is None


def test_a_compiler_that_tells_no_cost_is_not_judged() -> None:
    assert judged({"accuracy_lowest_snr_db": None}).status == "ok"


@pytest.mark.parametrize(
    ("changes", "words", "hint"),
    [
        (
            {"accuracy_lowest_snr_db": 10.9},
            "10.9 dB of signal to noise (limit 20 dB)",
            "trained for the part",
        ),
        (
            {"accuracy_same_class_ratio": 0.94},
            "the same class for 94% of the inputs (limit 95%)",
            "max7800x.samples",
        ),
        ({"accuracy_lowest_snr_db": 10.9, "weight_bits": "8 4 8"}, "10.9 dB", "more bits"),
    ],
)
def test_below_a_limit_the_run_is_failed_with_the_worst_layer(
    changes: dict[str, object], words: str, hint: str
) -> None:
    findings = judged(changes)
    assert findings.status == "failed"
    assert findings.error is not None
    assert findings.error.kind == "SchemeMismatch"
    assert words in findings.error.message
    assert "most noise comes in at operator 1 (MAX_POOL_2D)" in findings.error.message
    assert hint in findings.error.hint
    assert [found["id"] for found in findings.all_found()] == ["bench.scheme-mismatch"]


def test_only_a_classifier_is_judged_by_its_class() -> None:
    assert judged({"accuracy_same_class_ratio": 0.5}, model="ad").status == "ok"


def test_what_failed_before_keeps_its_cause() -> None:
    assert judged({"accuracy_lowest_snr_db": 1.0}, status="failed").error is None
