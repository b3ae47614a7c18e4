"""`npubench tools`: environments of foreign tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npubench.cli.output import JsonOption, PlainReporter, console, print_json

if TYPE_CHECKING:
    from npubench.toolenv.environment import State

app = typer.Typer(
    no_args_is_help=True,
    help="Foreign tools (converters, vendors' compilers) in environments of their own: "
    "list, set up, check.\n\nExample: npubench tools setup onnx",
)


@app.command("list", help="List the tools and how they stand.\n\nExample: npubench tools list")
def list_tools(as_json: JsonOption = False) -> None:
    """Every tool with status, version, place, size and licence."""
    from npubench.toolenv.environment import states

    found = states()
    if as_json:
        print_json({"tools": [state.document() for state in found]})
        return
    from npubench.report.tools import tools_table

    console().print(tools_table(found))


@app.command(
    "setup",
    help="Make a tool's environment, exactly from its lock, and check it.\n\n"
    "Says first what it costs. Nothing else ever installs a tool.\n\n"
    "Example: npubench tools setup onnx",
)
def setup(
    tool: Annotated[str, typer.Argument(help="See `npubench tools list`.")],
    python: Annotated[
        Path | None, typer.Option(help="The CPython to use; else PATH and pyenv are searched.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Cost and progress go to stderr."""
    from npubench.toolenv import environment

    _show(environment.setup(tool, python=python, reporter=PlainReporter()), as_json=as_json)


@app.command("check", help="Run a tool's tiny job.\n\nExample: npubench tools check onnx")
def check(
    tool: Annotated[str, typer.Argument(help="See `npubench tools list`.")],
    as_json: JsonOption = False,
) -> None:
    """Exit code 3 when it is not set up or fails."""
    from npubench.toolenv import environment

    _show(environment.check(tool), as_json=as_json)


def _show(state: State, *, as_json: bool) -> None:
    if as_json:
        print_json({"tools": [state.document()]})
        return
    console().print(
        f"{state.id}: {state.status}, {state.title} {state.version}, CPython {state.python}, "
        f"{state.mb} MB in {state.path}",
        markup=False,
        soft_wrap=True,
    )
