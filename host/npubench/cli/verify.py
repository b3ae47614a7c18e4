"""`npubench verify`: is a stored run what it says it is?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json

BROKEN = 1
"""Exit code when something is not what the run says."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "verify",
        help="Check a run, or an archive of runs: every file by its hash, every number derived "
        "again from the raw bytes.\n\nExample: npubench verify latest",
    )(verify)


def verify(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|ARCHIVE|CITATION", help="A run, an archive, or a line of `cite`."
        ),
    ],
    runs_dir: Annotated[Path, typer.Option("--runs-dir", help="Where runs are kept.")] = Path(
        "runs"
    ),
    as_json: JsonOption = False,
) -> int:
    """Exit code 1 when something is broken."""
    from npubench.bench.verify import verify_named

    outcome = verify_named(run, runs_dir)
    if as_json:
        print_json(outcome.document())
    else:
        from npubench.report.verification import verification_view

        console().print(verification_view(outcome.runs))
    return BROKEN if outcome.status == "broken" else 0
