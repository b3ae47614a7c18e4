"""`npubench conformance`: the checks that a board must pass before a number of it is believed."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, PlainReporter, console, print_json
from npubench.cli.target import (
    BackendOption,
    BoardOption,
    OnModelOption,
    SetOption,
    one_job,
    place_of,
)


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(
        "conformance",
        help="Check a board on the desk: answers, counter, clock, console, fault, and with an "
        "instrument its markers and its sleep.\n\n"
        "On an emulated board, or with --on-model, it is a rehearsal.\n\n"
        "Example: npubench conformance --board nucleo-l4r5zi --power ppk2",
    )(conformance)


def conformance(
    board: BoardOption,
    model: Annotated[str, typer.Option(help="Zoo id or .tflite path.")] = "digits",
    backend: BackendOption = None,
    settings: SetOption = None,
    port: Annotated[str | None, typer.Option(help="Serial port of the board.")] = None,
    probe: Annotated[str | None, typer.Option(help="Serial number of the debug probe.")] = None,
    flash: Annotated[bool, typer.Option(help="Flash a physical board first.")] = True,
    on_model: OnModelOption = False,
    power: Annotated[
        str | None, typer.Option(help="Power instrument of bench.toml, or a simulated one.")
    ] = None,
    wire_bytes: Annotated[
        int | None,
        typer.Option(
            "--bytes", min=1000, help="Bytes over the console (default: 1,000,000 on silicon)."
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Who vouches for it, for the board's file.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Run every check, print them, and the block for the board's file when all passed."""
    from npubench.bench.job import Settings
    from npubench.conformance.run import run_conformance

    job = one_job(model, board, backend, settings, place_of(on_model=on_model, port=port))
    bench = Settings(port=port, probe_serial=probe, flash=flash, power=power)
    result = run_conformance(job, bench, reporter=PlainReporter(), wire_bytes=wire_bytes)
    proof = result.proof(by or _user(), datetime.now(UTC).date())
    if as_json:
        print_json(result.document() | {"proof": proof})
        return 0 if result.passed else 1
    out = console()
    for check in result.checks:
        out.print(f"{check.verdict:15} {check.name}: {check.seen}", markup=False, soft_wrap=True)
    out.print(_conclusion(result.board, result.passed, result.rehearsal), soft_wrap=True)
    if proof is not None:
        if result.open_checks:
            out.print(f"Not covered: {', '.join(result.open_checks)}.", soft_wrap=True)
        out.print(
            f'For boards/{result.board}/board.toml, with cpu = "hardware-verified":\n\n{proof}',
            markup=False,
            soft_wrap=True,
        )
    return 0 if result.passed else 1


def _conclusion(board: str, passed: bool, rehearsal: bool) -> str:
    if not passed:
        return f"{board} does not conform."
    if rehearsal:
        return f"{board} passes the rehearsal. No silicon answered: nothing is verified by it."
    return f"{board} conforms."


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
