"""Options of the verbs whose jobs may be done elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

OnOption = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="WHERE",
        help="Where the jobs are done: local:N processes here, or the workers of a Dask scheduler, "
        "dask://HOST:PORT (docs/farm.md).",
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume", help="With --on: leave out what is stored of the same job and the same tools."
    ),
]
InsecureOption = Annotated[
    bool,
    typer.Option(
        "--insecure",
        help="With --on: talk to a scheduler over a network without TLS. Whoever is on the way can "
        "run code here.",
    ),
]
