"""Work for executors in tests: what a worker can do to a job, on order, and small archives."""

from __future__ import annotations

import json
import os
import select
import signal
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from npubench.core.errors import DeviceError
from npubench.core.tool import run_tool
from npubench.farm.worker import identity


def echo(payload: bytes, files: Mapping[str, bytes], cancelled: threading.Event) -> bytes:
    """The payload and the sizes of the files."""
    del cancelled
    sizes = {name: len(data) for name, data in files.items()}
    return json.dumps({"payload": payload.decode(), "sizes": sizes}).encode()


def fail(payload: bytes, files: Mapping[str, bytes], cancelled: threading.Event) -> bytes:
    """An error of ours for payload ``ours``, a bug for ``bug``, else an answer."""
    if payload == b"ours":
        raise DeviceError("the board said nothing for 3 s", hint="is it on?")
    if payload == b"bug":
        raise ZeroDivisionError("a bug")
    return echo(payload, files, cancelled)


def die_once(payload: bytes, files: Mapping[str, bytes], cancelled: threading.Event) -> bytes:
    """Kill this process the first time that a payload is seen that names a path; ``always`` every
    time."""
    if payload == b"always":
        os.kill(os.getpid(), signal.SIGKILL)
    path = Path(payload.decode())
    if path.is_absolute():
        try:
            path.open("x").close()
        except FileExistsError:
            return echo(payload, files, cancelled)
        os.kill(os.getpid(), signal.SIGKILL)
    return echo(payload, files, cancelled)


def long_tool(payload: bytes, files: Mapping[str, bytes], cancelled: threading.Event) -> bytes:
    """Run a program that would go on for an hour and writes its process id into the FIFO that the
    payload names; without a payload, answer at once."""
    if not payload:
        return echo(payload, files, cancelled)
    run_tool(["sh", "-c", 'echo $$ > "$0" && exec sleep 3600', payload.decode()], timeout_s=3700)
    return b"it ended"


def stored_run(payload: bytes, files: Mapping[str, bytes], cancelled: threading.Event) -> bytes:
    """A small run, written and exported as `bench` does it, but without a board behind it. The
    payload is its record but for id and worker."""
    from npubench.core.stages import Stage
    from npubench.runs.archive import SUFFIX, export_runs
    from npubench.runs.schema import RunRecord
    from npubench.runs.store import RunWriter

    del cancelled
    document = json.loads(payload)
    job = document["environment"]["worker"]["job"]
    who = identity()
    document["environment"]["worker"] |= {"name": who.name, "host": who.host}
    document["run_id"] = f"20261125T015500Z-point-{job[:16]}"
    with tempfile.TemporaryDirectory() as scratch:
        with RunWriter(Path(scratch) / "runs", document["run_id"]) as writer:
            writer.add_bytes("model.tflite", files.get("model", b""))
            record = RunRecord.model_validate(document)
            stored = writer.finish(record, samples={Stage.LOAD.value: (1510, 1510)})
        return export_runs([stored], Path(scratch) / f"run{SUFFIX}").read_bytes()


def wait_for_end(watch: int) -> None:
    """Wait until the process behind a descriptor (``os.pidfd_open``) has ended, for a minute."""
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    assert poll.poll(60_000), "the program still runs"
    os.close(watch)
