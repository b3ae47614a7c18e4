"""What every verb shares: JSON on stdout, everything else on stderr, progress by audience."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from npubench.core.progress import Event, Reporter

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

LOG_WIDTH = 120
"""Columns of what is printed when nobody's terminal says how many there are."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


BaudOption = Annotated[
    int | None,
    typer.Option(
        "--baud",
        min=300,
        max=12_000_000,
        help="The console's speed in bit/s, in the image and on the port, instead of the board's.",
    ),
]

MlperfOption = Annotated[
    str | None,
    typer.Option(
        "--mlperf",
        metavar="BENCHMARK",
        help="The network is one of MLPerf Tiny's: kws01, vww01, ic01, ic02 or ad01. It answers "
        "as that and takes the data set's form; a zoo model knows by itself.",
    ),
]


def print_json(document: Any) -> None:
    """Write one JSON document to stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def console(*, stderr: bool = False) -> Console:
    """A Rich console that knows whether it speaks to a terminal. Elsewhere, in a file or a log,
    its lines are as long as the tables want them, up to LOG_WIDTH (``COLUMNS`` overrides)."""
    from rich.console import Console

    class PatientConsole(Console):
        """Goes on in silence when its reader went away (`| head`), so that the verb's own exit
        code is kept; Rich would leave with 1."""

        def on_broken_pipe(self) -> None:
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else LOG_WIDTH
    return PatientConsole(stderr=stderr, highlight=False, width=width)


class PlainReporter:
    """Progress as plain lines on stderr: for logs and CI. Only ends of steps are shown; of steps
    within a step, what they have to say and how long they took are for ``timings``."""

    def __init__(self, *, timings: bool = False) -> None:
        self._lock = threading.Lock()
        self._timings = timings
        self._depth: Counter[str] = Counter()

    def event(self, event: Event) -> None:
        with self._lock:
            self._depth[event.job] += {"start": 1, "done": -1, "fail": -1}.get(event.state, 0)
            inner = self._depth[event.job] > 0
        if event.state == "start" or (inner and event.state != "note" and not self._timings):
            return
        if event.state == "note" and "from the cache" in event.detail and not self._timings:
            return
        line = f"{event.job}: {event.step}"
        if event.state != "done":
            line += f" {event.state}"
        if event.detail and event.state not in ("done", "fail"):  # an error is told at the end
            line += f": {event.detail}"
        if event.step == "remark":
            line = f"npubench: {event.detail}"
        if event.duration_s is not None and (self._timings or event.duration_s >= 1.0):
            line += f" ({event.duration_s:.2f} s)"
        with self._lock:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


class LiveReporter:
    """Progress as one live line per job on a terminal, through Rich's status display."""

    def __init__(self) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._lock = threading.Lock()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, Any] = {}
        self._depth: Counter[str] = Counter()

    def __enter__(self) -> LiveReporter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def event(self, event: Event) -> None:
        if event.step == "remark":  # stays on the screen
            self._progress.console.print(f"npubench: {event.detail}", markup=False, soft_wrap=True)
            return
        with self._lock:
            self._depth[event.job] += {"start": 1, "done": -1, "fail": -1}.get(event.state, 0)
            task = self._tasks.get(event.job)
            if task is None:
                if event.state != "start":
                    return
                task = self._tasks[event.job] = self._progress.add_task("", total=None)
            text = f"{event.job}: {event.step}"
            if event.state in ("fail", "note") and event.detail:
                text += f": {event.detail.splitlines()[0]}"
            if event.step == "compile" and event.state == "done":
                text = f"{event.job}: waiting"  # for a processor
            self._progress.update(task, description=_plain(text))
            if self._depth[event.job] <= 0 and event.step != "compile":
                self._progress.remove_task(task)
                del self._tasks[event.job]


@contextmanager
def reporter(*, live: bool, timings: bool = False) -> Iterator[Reporter]:
    """Progress for this audience: one live line per job on a terminal, plain lines elsewhere."""
    if live and sys.stderr.isatty():
        with LiveReporter() as found:
            yield found
    else:
        yield PlainReporter(timings=timings)


def command_line() -> tuple[str, ...]:
    """The words that this program was started with, its own name without a path."""
    return (Path(sys.argv[0]).name, *sys.argv[1:])


def _plain(text: str) -> str:
    """Text with Rich's markup taken out of it: job names come from files."""
    from rich.markup import escape

    return escape(text)
