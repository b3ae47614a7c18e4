"""The process that builds and runs points, one after the other: `python -m npubench.sweep.worker`.

It reads pickled (job, settings, runs folder) from stdin and answers on stdout with pickled events
and the path of each run. A process for each processor, since compiling holds Python's lock. SIGTERM
ends the point under way as Ctrl-C does: emulators and compilers with it, no half-written run.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from npubench.bench.job import Job, Settings
from npubench.bench.prepare import compile_job, read_remarked
from npubench.bench.record import Unread
from npubench.bench.run import failed_before_start, run_job
from npubench.build.replay import replaying
from npubench.compiler.compiled import Network
from npubench.core.errors import CompileError, ConfigError, StorageError, ToolError
from npubench.core.progress import Event, Reporter, step
from npubench.golden.served import serving
from npubench.golden.tflm import WORKER
from npubench.runs.reader import StoredRun

Answer = tuple[str, Any]
"""(``event``, Event), (``done``, the run's path) or (``error``, (message, hint))."""


class _Sender:
    """Progress, handed to the parent."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def event(self, event: Event) -> None:
        self.answer(("event", event))

    def answer(self, answer: Answer) -> None:
        pickle.dump(answer, self._stream)
        self._stream.flush()


def run_point(job: Job, settings: Settings, runs_dir: Path, reporter: Reporter) -> StoredRun:
    """Compile, build and run one point; whatever it is, a run is stored. Raises StorageError."""
    network: Network | Unread = Unread(
        resolved=job.model, sha256=hashlib.sha256(job.model.path.read_bytes()).hexdigest()
    )
    try:
        network = read_remarked(job.model, reporter)
        with step(reporter, job.title, "compile"):
            compiled = compile_job(job, network)
    except (CompileError, ConfigError, ToolError) as error:
        return failed_before_start(job, network, error, runs_dir)
    return run_job(
        job,
        compiled,
        settings,
        runs_dir=runs_dir,
        reporter=reporter,
        cancelled=threading.Event(),
    )


def main() -> int:
    """Serve until stdin ends."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    sender = _Sender(stream)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with replaying(), serving(WORKER):
            while True:
                try:
                    job, settings, runs_dir = pickle.load(sys.stdin.buffer)
                except EOFError:
                    return 0
                try:
                    stored = run_point(job, settings, runs_dir, sender)
                    sender.answer(("done", stored.path))
                except StorageError as error:
                    sender.answer(("error", (error.message, error.hint)))
    except KeyboardInterrupt:
        return 130


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: cleaning up is not interrupted
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
