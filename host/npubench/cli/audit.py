"""`npubench audit`: results of MLPerf Tiny submissions, computed again from their raw data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from npubench.cli.output import JsonOption, LiveReporter, PlainReporter, console, print_json
from npubench.core.format import printable

if TYPE_CHECKING:
    from npubench.audit.check import Audit, Finding
    from npubench.audit.result import AuditResult

LINE_LIMIT = 1000

HELP = """Compute latency and energy of MLPerf Tiny results again and list what is wrong.

Reads folders of EEMBC's EnergyRunner and of MLCommons' runner: a whole repository of results, a
submitter, a system or one run. Name several rounds to see results that were repeated. Ends with 1
when something is wrong.

Example: npubench audit results_v1.2/closed/ACME
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("audit", help=HELP)(audit)


def audit(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of results.")],
    as_json: JsonOption = False,
) -> int:
    """Every result found, then every finding."""
    from npubench.audit.check import audit as run_audit

    if console(stderr=True).is_terminal:
        with LiveReporter() as live:
            found = run_audit(folders, live)
    else:
        found = run_audit(folders, PlainReporter())
    if as_json:
        _print_json(found)
    else:
        _print_lines(found)
    return 1 if found.findings else 0


def _print_json(found: Audit) -> None:
    from npubench.audit.check import RULES

    results: list[dict[str, Any]] = [
        {
            **asdict(result),
            "ips": result.ips,
            "energy_uj": result.energy_uj,
            "latency_ms": result.latency_ms,
            "published_latency_ms": result.published_latency_ms,
            "latency_difference_pct": result.latency_difference_pct,
            "energy_difference_pct": result.energy_difference_pct,
            "findings": [
                {"rule": item.rule, "detail": item.detail} for item in _of(result, found.findings)
            ],
        }
        for result in found.results
    ]
    print_json(
        {
            "results": results,
            "findings": [asdict(item) for item in found.findings],
            "rules": RULES,
        }
    )


def _print_lines(found: Audit) -> None:
    out = console()
    for result in found.results:
        parts = [f"{result.folder}: {result.mode}, {result.runner}, {len(result.windows)} windows"]
        if result.mode != "accuracy":
            parts += _figures(result)
            rules = sorted({item.rule for item in _of(result, found.findings)})
            parts.append(" ".join(rules) or "nothing wrong")
        out.print(printable(", ".join(parts), LINE_LIMIT), markup=False, soft_wrap=True)
    for item in found.findings:
        line = f"{item.rule}: {item.folder}: {item.detail}"
        out.print(printable(line, LINE_LIMIT), markup=False, soft_wrap=True)
    out.print(f"{len(found.results)} results, {len(found.findings)} findings")


def _figures(result: AuditResult) -> list[str]:
    figures = []
    for name, unit, raw, published, difference_pct in (
        (
            "latency",
            "ms",
            result.latency_ms,
            result.published_latency_ms,
            result.latency_difference_pct,
        ),
        (
            "energy",
            "uJ per inference",
            result.energy_uj,
            result.published_uj,
            result.energy_difference_pct,
        ),
    ):
        if raw is not None:
            said = "nothing published"
            if published is not None and difference_pct is not None:
                said = f"published {published:.4f}, {difference_pct:+.3f} %"
            figures.append(f"{name} {raw:.4f} {unit} ({said})")
        elif published is not None:
            figures.append(f"{name} not computed (published {published:.4f} {unit})")
    return figures


def _of(result: AuditResult, findings: Sequence[Finding]) -> list[Finding]:
    return [item for item in findings if item.folder == result.folder]
