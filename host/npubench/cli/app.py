"""The verbs, put together. Each verb's module parses, calls one function and renders."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.exceptions import Abort, Exit, TyperException

from npubench.cli import (
    accuracy,
    audit,
    bench,
    boards,
    build,
    cite,
    compare,
    completion,
    conformance,
    coverage,
    doctor,
    dut,
    history,
    importing,
    micro,
    models,
    npu,
    power,
    published,
    referee,
    report,
    reproduce,
    results,
    runs,
    sweep,
    tools,
    verify,
)
from npubench.core.errors import UsageError
from npubench.core.version import VERSION, git_state

USAGE = UsageError.exit_code

app = typer.Typer(
    name="npubench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # Rich would double the cost of --help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Benchmark your own neural network on microcontrollers, with and without their NPU: "
    "stage by stage, checked against a golden answer, with the evidence of each number.",
    epilog="Example: npubench bench kws --board qemu-m4 --board qemu-m55",
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    """Options of the program as a whole."""
    if version:
        commit = git_state()
        typer.echo(f"npubench {VERSION}" + (f" ({commit})" if commit else ""))
        raise typer.Exit


accuracy.register(app)
audit.register(app)
bench.register(app)
build.register(app)
cite.register(app)
compare.register(app)
completion.register(app)
conformance.register(app)
coverage.register(app)
doctor.register(app)
dut.register(app)
history.register(app)
importing.register(app)
micro.register(app)
published.register(app)
referee.register(app)
report.register(app)
reproduce.register(app)
sweep.register(app)
verify.register(app)
app.add_typer(boards.app, name="boards")
app.add_typer(models.app, name="models")
app.add_typer(npu.app, name="npu")
app.add_typer(power.app, name="power")
app.add_typer(results.app, name="results")
app.add_typer(runs.app, name="runs")
app.add_typer(tools.app, name="tools")


def run_words(words: list[str]) -> int:
    """Parse ``words`` and run the verb; returns the exit code. Raises UsageError for bad words."""
    command = typer.main.get_command(app)
    try:
        # Not command.main(): it swallows Ctrl-C.
        with command.make_context("npubench", list(words)) as found:
            result = command.invoke(found)
    except Exit as leave:
        return leave.exit_code
    except Abort as error:
        raise KeyboardInterrupt from error
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # no words at all: the help is the answer
            typer.echo(error.format_message(), err=True)
            return USAGE
        context = getattr(error, "ctx", None)
        path = "npubench" if context is None else context.command_path
        raise UsageError(
            " ".join(error.format_message().split()), hint=f"see {path} --help"
        ) from error
    return result if isinstance(result, int) else 0
