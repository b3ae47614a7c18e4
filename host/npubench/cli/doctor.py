"""`npubench doctor`: what is installed, what is missing, what that costs."""

from __future__ import annotations

import typer

from npubench.cli.output import JsonOption, console, print_json


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(
        "doctor",
        help="Check this machine: tools, packages, folders, ports.\n\nExample: npubench doctor",
    )(doctor)


def doctor(as_json: JsonOption = False) -> int:
    """Exit code 3 when something that the default boards need is missing."""
    from npubench.toolenv.doctor import examine

    checks = examine()
    if as_json:
        print_json({"checks": [check.document() for check in checks]})
    else:
        from npubench.report.terminal import doctor_table

        console().print(doctor_table(checks))
    return 0 if all(check.ok or not check.required for check in checks) else 3
