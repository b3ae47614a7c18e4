"""The words that build a target: `--board`, `--backend`, `--set`, and the place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from npubench.bench.job import Job
    from npubench.target import Place

BoardOption = Annotated[str, typer.Option("--board", "-b", help="Board id.")]
BackendOption = Annotated[
    str | None, typer.Option("--backend", help="Backend instead of the board's default.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="BACKEND.OPTION=VALUE",
        help="Set an option of a backend; repeatable.",
    ),
]
OnModelOption = Annotated[
    bool,
    typer.Option(
        "--on-model",
        help="Run physical boards on their models (Unicorn): the same image, instructions "
        "counted, nothing measured.",
    ),
]
OnSimulatorOption = Annotated[
    bool,
    typer.Option(
        "--on-simulator", help="Run the network alone, on the simulator of the NPU's vendor."
    ),
]


def place_of(
    *, on_model: bool, on_simulator: bool = False, port: str | None = None
) -> Place | None:
    """The place that was asked for, or None for each board's own. Raises UsageError for two."""
    from npubench.core.errors import UsageError
    from npubench.target import Place

    words = [
        word
        for word, said in (
            ("--on-model", on_model),
            ("--on-simulator", on_simulator),
            ("--port", port is not None),
        )
        if said
    ]
    if len(words) > 1:
        raise UsageError(f"{' and '.join(words)} exclude each other", hint="leave one of them out")
    return Place.MODEL if on_model else Place.SIMULATOR if on_simulator else None


def one_job(
    model: str,
    board: str,
    backend: str | None,
    settings: list[str] | None,
    place: Place | None = None,
    *,
    mlperf: str | None = None,
    baud: int | None = None,
) -> Job:
    """The job of a verb that takes one network and one target."""
    from npubench.bench.job import at_speed, resolve_jobs
    from npubench.target import parse_settings

    (job,) = resolve_jobs(
        [model],
        [board],
        [backend] if backend else [],
        place=place,
        mlperf=mlperf,
        settings=parse_settings(settings or ()),
    )
    return at_speed(job, baud)
