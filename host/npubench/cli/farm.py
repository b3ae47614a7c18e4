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
PlaceOption = Annotated[
    str | None,
    typer.Option(
        "--place",
        metavar="PLACE",
        help="The board hangs on this place of a labgrid coordinator; any: on a free one that has "
        "it (docs/farm.md).",
    ),
]
CoordinatorOption = Annotated[
    str | None,
    typer.Option(
        "--coordinator",
        metavar="HOST:PORT",
        help="labgrid's coordinator [default: LG_COORDINATOR, else [lab] of bench.toml, else "
        "127.0.0.1:20408].",
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
