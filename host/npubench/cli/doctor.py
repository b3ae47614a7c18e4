"""`npubench doctor`: what is installed, what is missing, what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json
from npubench.cli.runs import RunsDirOption


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(
        "doctor",
        help="Check this machine: tools, packages, folders, ports.\n\nExample: npubench doctor",
    )(doctor)


def doctor(
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="Write one archive (.tar.gz) for a bug report, with paths, names and serial "
            "numbers taken out."
        ),
    ] = None,
    runs_dir: RunsDirOption = Path("runs"),
    as_json: JsonOption = False,
) -> int:
    """Exit code 3 when something that the default boards need is missing."""
    if bundle is not None:
        _write_bundle(bundle, runs_dir, as_json=as_json)
        return 0
    from npubench.toolenv.doctor import examine

    checks = examine()
    if as_json:
        print_json({"checks": [check.document() for check in checks]})
    else:
        from npubench.report.terminal import doctor_table

        console().print(doctor_table(checks))
    return 0 if all(check.ok or not check.required for check in checks) else 3


def _write_bundle(bundle: Path, runs_dir: Path, *, as_json: bool) -> None:
    from npubench.toolenv.bundle import write_bundle

    kept = write_bundle(bundle, runs_dir)
    if as_json:
        print_json(kept.document())
        return
    console().print(f"{kept.path}: {', '.join(kept.files)}", markup=False, soft_wrap=True)
    console().print("Look through it before you send it.")
