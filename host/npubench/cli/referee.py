"""`npubench referee`: images that somebody else built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npubench.cli.farm import InsecureOption, OnOption
from npubench.cli.output import JsonOption, console, print_json, reporter

if TYPE_CHECKING:
    from npubench.referee.result import Verdict

HELP = """Run firmware images that somebody else built on the models of their boards.

Each image (.bin, .hex, .elf, or folders of them) boots, is asked as MLPerf Tiny's runner asks, and
its timed window is counted: instructions by kind, and modelled cycles where its part has weights.
Ends with 1 when an image is not judged.

With --fetch, the images that others published for a board (or for all) are brought from their
public repositories first, by their hashes.

Example: npubench referee firmware.bin --board nucleo-l4r5zi
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("referee", help=HELP)(referee)


def referee(
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE|DIR...", help="The images.")
    ] = None,
    board: Annotated[
        str | None,
        typer.Option("--board", "-b", help="The board; by default found from each image."),
    ] = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            exists=True,
            dir_okay=False,
            help="A benchmark's reference model (.tflite), to check outputs; repeatable.",
        ),
    ] = None,
    fetch: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            file_okay=False,
            help="Bring published images into this folder and judge them.",
        ),
    ] = None,
    limit_s: Annotated[
        float, typer.Option("--limit-s", min=1, help="Seconds for each image after its boot.")
    ] = 600.0,
    on: OnOption = None,
    insecure: InsecureOption = False,
    as_json: JsonOption = False,
) -> int:
    """One row an image."""
    from npubench.referee.run import referee_images

    with reporter(live=True) as progress:
        found = referee_images(
            images or (),
            board_id=board,
            references=tuple(reference or ()),
            fetch_into=fetch,
            reporter=progress,
            limit_s=limit_s,
            on=on,
            insecure=insecure,
        )
    if as_json:
        print_json({"images": [verdict.document() for verdict in found]})
    else:
        for verdict in found:
            console().print(_line(verdict), markup=False, soft_wrap=True)
    return 0 if all(verdict.status == "ok" for verdict in found) else 1


def _line(verdict: Verdict) -> str:
    from npubench.core.format import printable

    head = f"{verdict.path}: {verdict.board or 'no board'}"
    if verdict.status != "ok":
        return printable(f"{head}: {verdict.status}: {verdict.reason}", 1000)
    parts = [
        f"{head}: {verdict.model}, outputs {verdict.golden}",
        f"{verdict.instructions} instructions (bounded by {verdict.bounded_by})",
    ]
    if verdict.cycles is not None:
        cycles = verdict.cycles
        parts.append(
            f"~{cycles.mid:.0f} cycles ({cycles.low:.0f} to {cycles.high:.0f}), {verdict.sentence}"
        )
    else:
        parts.append("no cycles: the part has no weights")
    if verdict.published_cycles is not None:
        parts.append(f"published {verdict.published_cycles:.0f} cycles")
    return printable(", ".join(parts), 1000)
