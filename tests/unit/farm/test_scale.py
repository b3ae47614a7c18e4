"""Ten thousand small points on two workers: what each costs beyond its work, and the memory of
client and scheduler. The figures are printed (``-s``) and stand in docs/farm.md; no time is
asserted."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from npubench.farm.address import executor_of
from npubench.farm.point import keep_archive
from npubench.farm.task import Task, key_of
from npubench.runs.schema import RunRecord
from support import farm_work
from support.cluster import cluster

COUNT = 10_000
FLAT_KIB = 16 * 1024
"""What the client or the scheduler may grow by between the first fifth and the end."""


def resident_kib(pid: int | str = "self") -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def busy_s(pid: int | str = "self") -> float:
    """Processor time of a process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def tasks(record: RunRecord, model: Path, count: int) -> Iterator[Task]:
    document = record.model_dump(mode="json")
    for number in range(count):
        key = key_of(str(number).encode())
        document["environment"]["worker"] = {
            "executor": "test", "name": "", "host": "", "job": key, "tools": {},
        }  # fmt: skip
        yield Task(
            key=key,
            title=f"point {number}",
            payload=json.dumps(document).encode(),
            files={"model": model},
        )


class Growth:
    """Memory of client and scheduler between a fifth of the points and their end."""

    def __init__(self, count: int, pids: dict[str, int | str]) -> None:
        self._count = count
        self._pids = pids
        self._from: dict[str, int] = {}

    def look(self, number: int) -> None:
        if number == self._count // 5:
            self._from = {name: resident_kib(pid) for name, pid in self._pids.items()}

    def kib(self) -> dict[str, int]:
        return {name: resident_kib(pid) - self._from[name] for name, pid in self._pids.items()}

    def shown(self) -> str:
        return ", ".join(
            f"{name} {self._from[name] / 1024:.0f} MiB and {grown / 1024:+.1f} MiB over the last "
            f"four fifths, {busy_s(self._pids[name]) / self._count * 1e3:.1f} ms of processor each"
            for name, grown in self.kib().items()
        )


@pytest.fixture(params=["local", "dask"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, int | str]]]:
    """What ``--on`` names, and whose memory is looked at."""
    if request.param == "local":
        yield "local:2", {"client": "self"}
        return
    pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    with cluster(2) as found:
        yield f"dask://{found.place}", {"client": "self", "scheduler": found.scheduler.pid}


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
@pytest.mark.timeout(7200)
def test_ten_thousand_points(
    place: tuple[str, dict[str, int | str]], tmp_path: Path, make_record: Any
) -> None:
    """Each is stored once, and the memory of client and scheduler stays flat."""
    address, pids = place
    model = tmp_path / "model.tflite"
    model.write_bytes(b"x" * 50_000)
    runs_dir = tmp_path / "runs"
    work_s = kept_s = begin = 0.0
    count = archive_bytes = 0
    growth = Growth(COUNT, pids)
    with executor_of(address) as executor:
        for done in executor.map(farm_work.stored_run, tasks(make_record(), model, COUNT)):
            if not count:
                begin = time.monotonic()  # the workers are up
            count += 1
            work_s += done.seconds
            archive_bytes += len(done.body)
            before = time.monotonic()
            assert done.error is None, done.error
            assert keep_archive(done.body, runs_dir)
            kept_s += time.monotonic() - before
            growth.look(count)
        wall_s = time.monotonic() - begin
        grown = growth.kib()
        shown = growth.shown()
    overhead_ms = (wall_s - max(work_s / 2, kept_s)) / COUNT * 1e3
    sys.stdout.write(
        f"\n{address}: {COUNT} points of {archive_bytes / COUNT / 1024:.0f} KiB in {wall_s:.0f} s; "
        f"work {work_s / COUNT * 1e3:.1f} ms each on two workers, {kept_s / COUNT * 1e3:.1f} ms "
        f"to verify and store; beyond the longer of the two {overhead_ms:.1f} ms each; {shown}\n"
    )
    assert count == COUNT
    assert sum(1 for _ in runs_dir.iterdir()) == COUNT
    assert max(grown.values()) < FLAT_KIB


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
@pytest.mark.timeout(3600)
def test_ten_thousand_answers(place: tuple[str, dict[str, int | str]], tmp_path: Path) -> None:
    """Bare jobs, whose work is to answer: what is left is the way there and back."""
    address, pids = place
    model = tmp_path / "model.tflite"
    model.write_bytes(b"x" * 50_000)
    growth = Growth(COUNT, pids)
    wanted = (
        Task(key=key_of(f"{number}".encode()), title="", payload=b"", files={"model": model})
        for number in range(COUNT)
    )
    begin = 0.0
    count = 0
    with executor_of(address) as executor:
        for done in executor.map(farm_work.echo, wanted):
            begin = begin or time.monotonic()
            count += 1
            assert done.error is None, done.error
            growth.look(count)
        wall_s = time.monotonic() - begin
        grown = growth.kib()
        shown = growth.shown()
    sys.stdout.write(f"\n{address}: a bare job takes {wall_s / COUNT * 1e3:.2f} ms; {shown}\n")
    assert count == COUNT
    assert max(grown.values()) < FLAT_KIB
