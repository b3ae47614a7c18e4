"""A sweep on a Dask cluster of two workers, one of them killed in the middle: its stored runs equal
those of the same sweep run here, byte for byte in all that is measured."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from npubench import api
from npubench.core.progress import Event
from npubench.runs.samples import read_samples
from npubench.runs.store import StoredRun, list_runs

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
        reason="qemu-system-arm or arm-none-eabi-gcc is not installed",
    ),
]
POINTS = 200
VARY = f"width=8:{7 + POINTS}:1"


class Killer:
    """Kills a worker of a cluster when a quarter of the points is done."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._done = 0
        self.killed = 0

    def event(self, event: Event) -> None:
        if not event.step.startswith("run on ") or event.state != "done":
            return
        self._done += 1
        if self._done == POINTS // 4:
            worker = next(iter(self._cluster.workers.values()))
            self.killed = worker.process.pid
            os.kill(self.killed, signal.SIGKILL)


def by_point(runs_dir: Path) -> dict[object, StoredRun]:
    found = {run.record.sweep["vary.width"]: run for run in list_runs(runs_dir).runs}
    assert len(found) == len(list_runs(runs_dir).runs) == POINTS
    return found


def measured(run: StoredRun) -> dict[str, Any]:
    """All of a record that is measured, counted or read from the image, the image itself, and every
    repetition. Not the session's raw bytes: between windows serial traffic moves ticks by one."""
    record = run.record.model_dump(mode="json")
    names = ("status", "evidence", "target", "model", "golden", "stages", "layers", "memory",
             "clock", "answer", "settings", "findings", "sweep")  # fmt: skip
    return {
        **{name: record[name] for name in names},
        "elf": record["environment"]["elf_sha256"],
        "samples": [(item.stage, item.value, item.unit) for item in read_samples(run.path)],
        "image": (run.path / "firmware.elf").read_bytes(),
    }


def test_a_sweep_on_a_cluster_equals_the_one_here(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="[cluster] is not installed")
    here = api.sweep("mlp", vary=[VARY], boards=["qemu-m4"], runs_dir=tmp_path / "here")
    assert here.fresh == POINTS
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as cluster:
        killer = Killer(cluster)
        address = cluster.scheduler_address.removeprefix("tcp://")
        there = api.sweep(
            "mlp",
            vary=[VARY],
            boards=["qemu-m4"],
            runs_dir=tmp_path / "there",
            on=f"dask://{address}",
            progress=killer,
        )
    assert killer.killed
    assert there.error is None
    assert there.fresh == POINTS
    left, right = by_point(tmp_path / "here"), by_point(tmp_path / "there")
    assert left.keys() == right.keys()
    for width, run in left.items():
        assert measured(run) == measured(right[width]), width
    workers = {run.record.environment.worker.name for run in right.values()
               if run.record.environment.worker is not None}  # fmt: skip
    assert len(workers) >= 2
