"""Ten thousand small points on two workers: what each costs beyond its work, and the memory of the
client. The figures are printed (``-s``) and stand in docs/farm.md; no time is asserted."""

from __future__ import annotations

import json
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

COUNT = 10_000
FLAT_KIB = 48 * 1024
"""What the client may grow by between the first fifth and the end."""


def resident_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


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


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("where", ["local", "dask"])
def test_ten_thousand_points(where: str, tmp_path: Path, make_record: Any) -> None:
    """Each is stored once, and the client's memory stays flat."""
    model = tmp_path / "model.tflite"
    model.write_bytes(b"x" * 50_000)
    runs_dir = tmp_path / "runs"
    cluster = None
    address = "local:2"
    if where == "dask":
        distributed = pytest.importorskip("distributed", reason="[cluster] is not installed")
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
            silence_logs=50,
        )  # fmt: skip
        address = "dask://" + cluster.scheduler_address.removeprefix("tcp://")
    work_s = kept_s = 0.0
    grown_from = count = archive_bytes = 0
    begin = 0.0
    try:
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
                if count == COUNT // 5:
                    grown_from = resident_kib()
            wall_s = time.monotonic() - begin
            grown_kib = resident_kib() - grown_from
    finally:
        if cluster is not None:
            cluster.close()
    overhead_ms = (wall_s - work_s / 2) / COUNT * 1e3
    sys.stdout.write(
        f"\n{address}: {COUNT} points of {archive_bytes / COUNT / 1024:.0f} KiB in {wall_s:.0f} s; "
        f"work {work_s / COUNT * 1e3:.1f} ms each on two workers; overhead {overhead_ms:.1f} ms "
        f"each, of it {kept_s / COUNT * 1e3:.1f} ms to verify and store; client "
        f"{grown_from / 1024:.0f} MiB, {grown_kib / 1024:+.1f} MiB over the last four fifths\n"
    )
    assert count == COUNT
    assert sum(1 for _ in runs_dir.iterdir()) == COUNT
    assert grown_kib < FLAT_KIB
