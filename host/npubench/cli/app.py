"""The verbs, put together. Each verb's module parses, calls one function and renders."""

from __future__ import annotations

from typing import Annotated

import click
import typer

from npubench.cli import bench, boards, build, compare, doctor, models, report, runs
from npubench.core.version import VERSION, git_state

app = typer.Typer(
    name="npubench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Benchmark your own neural network on microcontrollers, with and without their NPU: "
    "stage by stage, checked against a golden answer, with the evidence of each number.",
    epilog="Example: npubench bench kws --board qemu-m4 --board qemu-m55",
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Options of the program as a whole."""
    if version:
        commit = git_state()
        typer.echo(f"npubench {VERSION}" + (f" ({commit})" if commit else ""))
        raise typer.Exit


bench.register(app)
build.register(app)
compare.register(app)
doctor.register(app)
report.register(app)
app.add_typer(boards.app, name="boards")
app.add_typer(models.app, name="models")
app.add_typer(runs.app, name="runs")


def build_app(words: list[str]) -> int:
    """Parse ``words`` and run the verb; returns the exit code. Usage errors exit with 2."""
    command = typer.main.get_command(app)
    try:
        result = command.main(args=words, prog_name="npubench", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        from npubench.core.errors import UsageError

        message, hint = error.format_message(), "see npubench --help"
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f"see {error.ctx.command_path} --help"
        raise UsageError(message, hint=hint) from error
    except click.exceptions.Abort as error:
        raise KeyboardInterrupt from error
    return result if isinstance(result, int) else 0
