"""Promises about clusters of other machines: who is trusted, whose tools count, what outlives a
scheduler, what Ctrl-C ends. Everything listens on the loopback alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from npubench import api
from npubench.core.progress import Event
from npubench.farm.address import executor_of
from npubench.farm.cluster import ClusterExecutor
from npubench.farm.scheduler import parse_scheduler
from npubench.farm.task import Task, WorkerFailure, key_of
from npubench.farm.toolchain import versions
from npubench.runs.store import list_runs
from support import farm_work
from support.cluster import cluster, scheduler, worker

distributed = pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
pytestmark = pytest.mark.slow
MAIN = "from npubench.cli.main import main; main()"
needs_arm = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
    reason="qemu-system-arm or arm-none-eabi-gcc is not installed",
)


def tasks(count: int, **more: Any) -> Iterator[Task]:
    for number in range(count):
        name = f"job {number}"
        yield Task(key=key_of(name.encode()), title=name, payload=name.encode(), **more)


class Certificates:
    """A certificate of our own authority, and the settings with which Dask uses it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._run("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=lab-authority "
                  "-keyout ca.key -out ca.pem")  # fmt: skip
        self._run("req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout me.key -out me.csr")
        self._run("x509 -req -in me.csr -CA ca.pem -CAkey ca.key -set_serial 1 -days 2 -out me.pem")

    def _run(self, words: str) -> None:
        subprocess.run(["openssl", *words.split()], cwd=self._folder, check=True,
                       capture_output=True)  # fmt: skip

    def settings(self, *roles: str) -> dict[str, str]:
        """By their names in dask.config; of client, scheduler, worker."""
        found = {"distributed.comm.tls.ca-file": str(self._folder / "ca.pem")}
        for role in roles:
            found |= {
                f"distributed.comm.tls.{role}.cert": str(self._folder / "me.pem"),
                f"distributed.comm.tls.{role}.key": str(self._folder / "me.key"),
            }
        return found

    def environment(self, *roles: str) -> dict[str, str]:
        """The same, as programs take it: DASK_DISTRIBUTED__COMM__TLS__..."""
        return {
            "DASK_" + name.upper().replace(".", "__").replace("-", "_"): value
            for name, value in self.settings(*roles).items()
        }


@pytest.mark.long  # keys are made, and a cluster is started
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_cluster_over_tls_talks_to_those_alone_who_have_its_certificates(tmp_path: Path) -> None:
    import dask

    ours, others = Certificates(tmp_path / "ours"), Certificates(tmp_path / "others")
    with cluster(1, "tls", environment=ours.environment("scheduler", "worker")) as found:
        executor = executor_of(f"dask://{found.place}")
        assert isinstance(executor, ClusterExecutor)
        with dask.config.set(ours.settings("client")):
            assert executor.trusted()[0] == f"tls://{found.place}"
            with executor:
                done = list(executor.map(farm_work.echo, tasks(5)))
        assert [item.error for item in done] == [None] * 5
        for settings in ({}, others.settings("client")):
            with (
                dask.config.set(settings),
                pytest.raises(WorkerFailure, match="no Dask scheduler answers at t") as caught,
                ClusterExecutor(parse_scheduler(f"dask://{found.place}"), connect_s=1),
            ):
                pass
            assert "certificates" in caught.value.hint


def test_in_clear_over_a_network_only_on_a_word() -> None:
    """192.0.2.1 is an address of documentation: nothing is there, and nothing is tried. That it is
    refused without the word, test_executors.py holds."""
    place = parse_scheduler("dask://192.0.2.1:8786")
    assert ClusterExecutor(place, insecure=True).trusted() == ("tcp://192.0.2.1:8786", None)


def test_a_worker_with_other_tools_gets_no_job_while_another_does_them_all(tmp_path: Path) -> None:
    """One of two workers finds another numpy first; what it made would not be comparable."""
    other = tmp_path / "other" / "numpy-0.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.0.1\n")
    path = os.pathsep.join([str(other.parent), *(part for part in sys.path if part)])
    tools = versions(["numpy"])
    with (
        scheduler() as (place, _),
        worker(f"tcp://{place}", name="other", environment={"PYTHONPATH": path}),
    ):
        with executor_of(f"dask://{place}") as executor, pytest.raises(WorkerFailure) as caught:
            list(executor.map(farm_work.echo, tasks(1, tools=tools)))
        assert f"other: numpy: 0.0.1 instead of {tools['numpy']}" in caught.value.message
        with (
            worker(f"tcp://{place}", name="same"),
            executor_of(f"dask://{place}") as executor,
        ):
            done = list(executor.map(farm_work.echo, tasks(24, tools=tools)))
    assert [item.error for item in done] == [None] * 24
    assert {item.worker.name for item in done if item.worker is not None} == {"same"}


class EndAfter:
    """Ends a process when a number of points is done."""

    def __init__(self, process: subprocess.Popen[str], count: int) -> None:
        self._process = process
        self._left = count

    def event(self, event: Event) -> None:
        if event.step.startswith("run on ") and event.state == "done":
            self._left -= 1
            if self._left == 0:
                self._process.kill()
                self._process.wait()


@pytest.mark.long
@pytest.mark.emulated
@pytest.mark.timeout(900)
@needs_arm
def test_a_scheduler_that_dies_loses_nothing_and_the_sweep_goes_on(tmp_path: Path) -> None:
    """What was finished is kept, the reason is said, and the same words do the rest alone."""

    def sweep(place: str, progress: Any = None) -> api.SweepOutcome:
        return api.sweep(
            "mlp", vary=["width=8:15:1"], boards=["qemu-m4"], runs_dir=tmp_path / "runs",
            on=f"dask://{place}", progress=progress,
        )  # fmt: skip

    with cluster(2) as found:
        first = sweep(found.place, EndAfter(found.scheduler, 3))
    assert first.error is not None
    assert "the Dask scheduler at 127.0.0.1" in first.error.message
    assert "is gone" in first.error.message
    assert "what was finished is kept" in first.error.hint
    kept = {run.record.run_id for run in list_runs(tmp_path / "runs").runs}
    assert len(kept) == first.fresh
    assert 3 <= first.fresh < 8
    with cluster(1) as found:
        second = sweep(found.place)
    assert second.error is None
    assert second.fresh == 8 - first.fresh
    runs = [run.record.run_id for run in list_runs(tmp_path / "runs").runs]
    assert len(runs) == 8
    assert kept < set(runs)


@pytest.mark.long
@pytest.mark.emulated
@pytest.mark.timeout(300)
@needs_arm
def test_ctrl_c_ends_the_emulator_on_the_worker(tmp_path: Path) -> None:
    """The worker's emulator tells its process id as it starts; after Ctrl-C it is gone, the worker
    is not, and does the next job."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    real = shutil.which("qemu-system-arm")
    wrapper = tmp_path / "bin" / "qemu-system-arm"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\n[ "$1" = --version ] || echo $$ > {fifo}\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    path = f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"
    with scheduler() as (place, _), worker(
        f"tcp://{place}", name="one", environment={"PATH": path}
    ):  # fmt: skip
        command = subprocess.Popen(
            [sys.executable, "-c", MAIN, "bench", "kws", "--board", "qemu-m4", "-n", "3000",
             "--no-layers", "--on", f"dask://{place}", "--runs-dir", str(tmp_path / "runs"),
             "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        emulator = int(fifo.read_text())
        watch = os.pidfd_open(emulator)
        command.send_signal(signal.SIGINT)
        stdout, stderr = command.communicate(timeout=120)
        assert command.returncode == 130, stderr
        assert json.loads(stdout)["runs"] == []
        farm_work.wait_for_end(watch)
        assert not list_runs(tmp_path / "runs").runs
        with executor_of(f"dask://{place}") as executor:
            (done,) = executor.map(farm_work.echo, tasks(1))
        assert done.error is None
