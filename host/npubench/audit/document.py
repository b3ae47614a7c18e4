"""The audit as one JSON document, of the same shape whether it worked or not."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from npubench.audit.check import Audit
from npubench.audit.figures import Figure
from npubench.audit.rules import RULES, Finding
from npubench.audit.verdict import Judged, Verdict


def document(found: Audit | None, error: dict[str, str] | None = None) -> dict[str, Any]:
    """``summary``: results by verdict; ``results``: each with its figures and verdict, without
    windows of accuracy runs; ``findings``: one for a rule and a result, what moves a published
    number most first; ``error``: None, or why there is nothing else."""
    judged = found.judged if found is not None else ()
    who = {item.result.folder: _who(item) for item in judged}
    counts = Counter(item.verdict for item in judged)
    return {
        "summary": {str(verdict): counts[verdict] for verdict in Verdict},
        "results": [_result(item) for item in judged],
        "findings": [
            {**who.get(item.folder, {}), **_finding(item), "folder": item.folder}
            for item in (found.findings if found is not None else ())
        ],
        "rules": {
            name: {"effect": str(rule.effect), "meaning": rule.meaning}
            for name, rule in RULES.items()
        },
        "error": error,
    }


def _who(item: Judged) -> dict[str, str]:
    return {**asdict(item.result.identity), "mode": item.result.mode}


def _result(item: Judged) -> dict[str, Any]:
    result = item.result
    found: dict[str, Any] = {
        **_who(item),
        "runner": result.runner,
        "folder": result.folder,
        "verdict": str(item.verdict),
        "why": list(item.why),
        "figures": [_figure(figure) for figure in item.figures],
        "findings": [_finding(finding) for finding in item.findings],
    }
    if result.accuracy is not None:
        found["accuracy"] = {
            "inferences": result.accuracy.inferences,
            "files": result.accuracy.files,
        }
    if result.mode != "accuracy":
        found["latency_ms"] = result.latency_ms
        found["windows"] = [
            {
                "number": window.number,
                "inferences": window.inferences,
                "seconds": window.seconds,
                "energy_uj": window.energy_uj,
                "marks": window.marks,
            }
            for window in result.windows
        ]
    if result.mode == "energy":
        found["voltage_mv"] = result.voltage_mv
    return found


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "unit": figure.unit,
        "published": figure.published,
        "computed": figure.computed,
        "low": figure.span[0] if figure.span else None,
        "high": figure.span[1] if figure.span else None,
        "difference_pct": figure.difference_pct,
        "agrees": figure.agrees,
        "basis": figure.basis,
        "why_not": figure.why_not,
    }


def _finding(item: Finding) -> dict[str, Any]:
    return {
        "rule": item.rule,
        "effect": str(item.effect),
        "detail": item.detail,
        "count": item.count,
        "moves_pct": item.moves_pct,
    }
