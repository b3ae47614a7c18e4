"""`npubench audit`: results of MLPerf Tiny submissions, computed again from their raw data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from npubench.cli.output import JsonOption, console, print_json

HELP = """Compute latency and energy of MLPerf Tiny results again and list what is wrong.

Reads folders of EEMBC's EnergyRunner and of MLCommons' runner. Name several rounds to see results
that were repeated. Ends with 1 when something is wrong.

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
    from npubench.power.audit.check import RULES
    from npubench.power.audit.check import audit as run_audit

    found = run_audit(folders)
    if as_json:
        results: list[dict[str, Any]] = [
            {**asdict(result), "ips": result.ips, "energy_uj": result.energy_uj}
            for result in found.results
        ]
        print_json(
            {
                "results": results,
                "findings": [asdict(item) for item in found.findings],
                "rules": RULES,
            }
        )
    else:
        out = console()
        for result in found.results:
            parts = [
                f"{result.folder}: {result.mode}, {result.runner}, {len(result.windows)} windows"
            ]
            for name, raw, published in (
                ("throughput", result.ips, result.published_ips),
                ("uJ per inference", result.energy_uj, result.published_uj),
            ):
                if raw is not None:
                    said = (
                        "nothing published" if published is None else f"published {published:.3f}"
                    )
                    parts.append(f"{name} {raw:.3f} ({said})")
            out.print(", ".join(parts), markup=False, soft_wrap=True)
        for item in found.findings:
            out.print(f"{item.rule}: {item.folder}: {item.detail}", markup=False, soft_wrap=True)
        out.print(f"{len(found.results)} results, {len(found.findings)} findings")
    return 1 if found.findings else 0
