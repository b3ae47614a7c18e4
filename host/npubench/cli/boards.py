"""`npubench boards`: which boards there are, what is known of them, what is plugged in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json
from npubench.cli.target import OnModelOption

if TYPE_CHECKING:
    from npubench.flash.detect import PluggedIn

app = typer.Typer(
    no_args_is_help=True,
    help="The boards: list, show, detect, serve.\n\nExample: npubench boards show nucleo-l4r5zi",
)


@app.command("list", help="List every board.\n\nExample: npubench boards list --json")
def list_boards(
    markdown: Annotated[bool, typer.Option("--markdown", help="As a Markdown table.")] = False,
    standing: Annotated[
        bool,
        typer.Option(
            "--standing",
            help="What stands behind each figure: NPU compiler, simulator, cycles, energy.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Every board with its core, kind and status; those of the µNPU paper first."""
    from npubench.boards import load_boards
    from npubench.report.platform import in_order
    from npubench.report.platform import standing as standing_of

    boards = in_order(load_boards())
    if as_json:
        print_json(
            {
                "boards": [
                    board.model_dump(mode="json", by_alias=True) | {"standing": standing_of(board)}
                    for board in boards
                ]
            }
        )
        return
    if standing:
        from npubench.report.catalog import standing_table

        console().print(standing_table(boards))
        return
    if markdown:
        from npubench.report.markdown import boards_table as markdown_table

        typer.echo(markdown_table(boards), nl=False)
        return
    from npubench.report.terminal import boards_table

    console().print(boards_table(boards))


@app.command(
    "show",
    help="Show all that is known of a board, with its sources and what is "
    "unverified.\n\nExample: npubench boards show qemu-m55",
)
def show(board: str, as_json: JsonOption = False) -> None:
    """One board's file, readable."""
    from npubench.boards import load_board

    found = load_board(board)
    if as_json:
        print_json({"board": found.model_dump(mode="json", by_alias=True)})
        return
    from npubench.report.terminal import board_view

    console().print(board_view(found))


@app.command(
    "detect",
    help="Find boards and instruments that are plugged in, by their USB identity, and print a "
    "bench.toml for them.\n\n"
    "Example: npubench boards detect",
)
def detect(
    labgrid: Annotated[
        bool,
        typer.Option("--labgrid", help="Print the configuration of labgrid's exporter for them."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Serial ports whose USB ids belong to a known board or probe."""
    from npubench.flash.detect import plugged_in

    found = plugged_in()
    if labgrid and found.devices:
        _print_exporter(found)
        return
    if as_json:
        print_json(found.document())
        return
    out = console()
    if not found.devices and not found.instruments:
        out.print("No known board is plugged in.")
        out.print(
            "A board that is not listed by your system is often a cable without data lines, "
            "or a missing permission (group dialout)."
        )
        return
    for device in found.devices:
        out.print(device.line(), markup=False, soft_wrap=True)
    out.print("\nA bench.toml for it, to be kept in this folder:\n")
    out.print(found.bench_toml, markup=False, soft_wrap=True, end="")


def _print_exporter(found: PluggedIn) -> None:
    from npubench.lab.exporter import exporter_text

    typer.echo(exporter_text(found.devices), nl=False)


@app.command(
    "serve",
    help="Serve an emulated board as a serial port of this machine, for a place of a lab: each "
    "connection boots the image that was last put there.\n\n"
    "Example: npubench boards serve qemu-m4 --port 4001",
)
def serve(
    board: str,
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0: any.")] = 0,
    on_model: OnModelOption = False,
) -> None:
    """Until Ctrl-C."""
    import threading

    from npubench.connect.served import serve_named

    with serve_named(board, port, on_model=on_model) as number:
        typer.echo(f"{board} is served at socket://127.0.0.1:{number}; Ctrl-C ends")
        sys.stdout.flush()
        threading.Event().wait()


@app.command(
    "hands",
    help="Flash and record for a client of a lab, over standard input and output. A client starts "
    "it through ssh; nobody types this.\n\nExample: ssh desk-2 npubench boards hands",
)
def hands() -> None:
    """Until its input ends."""
    from npubench.desk.hands import main

    main()
