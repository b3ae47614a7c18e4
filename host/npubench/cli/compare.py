"""`npubench compare`: two runs, and whether their difference can be claimed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json
from npubench.cli.runs import RunsDirOption


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(
        "compare",
        help="Compare two runs: ids, starts of ids, or paths.\n\n"
        "Example: npubench compare 20261125T0155 latest",
    )(compare)


def compare(
    a: Annotated[str, typer.Argument(help="The run to compare with.")],
    b: Annotated[str, typer.Argument(help="The run that is compared.")],
    runs_dir: RunsDirOption = Path("runs"),
    mix_evidence: Annotated[
        bool, typer.Option("--mix-evidence", help="Allow runs of different evidence.")
    ] = False,
    rate: Annotated[
        list[float] | None,
        typer.Option(
            min=1e-6,
            help="Inferences per second at which mean power is compared, where both runs have "
            "energy; repeatable [default: 0.01, 0.1, 1, 10].",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What differs in provenance first, then stage by stage."""
    from npubench.runs.compare import compare_runs
    from npubench.runs.compare_energy import RATES_PER_SECOND
    from npubench.runs.store import find_run

    comparison = compare_runs(
        find_run(runs_dir, a),
        find_run(runs_dir, b),
        allow_mixed=mix_evidence,
        rates_per_second=rate or RATES_PER_SECOND,
    )
    if as_json:
        print_json({"comparison": comparison.document()})
        return
    from npubench.report.terminal import compare_view

    console().print(compare_view(comparison))
