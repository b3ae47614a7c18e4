"""Executors: every job once, whoever dies; errors in words; nothing left running."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from npubench.core.errors import UsageError
from npubench.farm.address import executor_of
from npubench.farm.executor import AHEAD, Executor
from npubench.farm.local import LocalExecutor
from npubench.farm.scheduler import parse_scheduler
from npubench.farm.task import Task, WorkerFailure, key_of
from npubench.farm.worker import opened, perform
from support import farm_work

WORKERS = 2
Make = Callable[[], AbstractContextManager[Executor]]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[Any]:
    """A Dask cluster of two processes on the loopback."""
    distributed = pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    with distributed.LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as cluster:
        yield cluster


@pytest.fixture(params=["local", "dask"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes an executor of two workers."""
    if request.param == "local":
        return lambda: LocalExecutor(WORKERS)
    address = request.getfixturevalue("scheduler").scheduler_address.removeprefix("tcp://")
    return lambda: executor_of(f"dask://{address}")


def task(name: str, payload: str | None = None, **more: Any) -> Task:
    return Task(
        key=key_of(name.encode()),
        title=name,
        payload=(name if payload is None else payload).encode(),
        **more,
    )


@pytest.mark.slow
def test_every_job_comes_back_once_and_no_more_are_under_way_than_there_is_room_for(
    make: Make, tmp_path: Path
) -> None:
    """Equal keys are one job; tasks are drawn as results are taken: memory stays flat."""
    file = tmp_path / "model.tflite"
    file.write_bytes(b"x" * 1000)
    drawn = 0

    def tasks() -> Iterator[Task]:
        nonlocal drawn
        for number in range(60):
            drawn += 1
            yield task(f"job {number % 50}", files={"model": file})

    with make() as executor:
        results = executor.map(farm_work.echo, tasks())
        seen = [next(results)]
        assert drawn <= WORKERS * AHEAD + 1
        seen += results
    assert [done.error for done in seen] == [None] * 50
    assert len({done.task.key for done in seen}) == 50
    for done in seen:
        assert json.loads(done.body) == {"payload": done.task.title, "sizes": {"model": 1000}}
        assert done.worker is not None
        assert done.worker.host


@pytest.mark.slow
def test_what_fails_says_so_and_the_rest_goes_on(make: Make) -> None:
    with make() as executor:
        found = {
            done.task.title: done
            for done in executor.map(
                farm_work.fail, [task("ours"), task("bug"), task("good"), task("better")]
            )
        }
    assert found["good"].error is None
    assert found["better"].error is None
    ours, bug = found["ours"].error, found["bug"].error
    assert isinstance(ours, WorkerFailure)
    assert ours.remote_kind == "DeviceError"
    assert "the board said nothing for 3 s" in ours.message
    assert ours.hint == "is it on?"
    assert isinstance(bug, WorkerFailure)
    assert bug.remote_kind == "InternalError"
    assert "ZeroDivisionError: a bug" in bug.message


@pytest.mark.slow
def test_a_worker_that_dies_loses_nothing(make: Make, tmp_path: Path) -> None:
    """A job kills its process once; what else was there and it itself are done."""
    killers = [task("killer", str(tmp_path / "seen"))]
    others = [task(f"job {number}") for number in range(12)]
    with make() as executor:
        found = list(executor.map(farm_work.die_once, [others[0], *killers, *others[1:]]))
    assert [done.error for done in found] == [None] * 13
    assert len({done.task.key for done in found}) == 13


@pytest.mark.long
def test_a_job_that_kills_every_worker_is_given_up_alone() -> None:
    with LocalExecutor(WORKERS) as executor:
        found = {
            done.task.title: done.error
            for done in executor.map(
                farm_work.die_once, [task("1"), task("killer", "always"), task("2"), task("3")]
            )
        }
    assert {title for title, error in found.items() if error is None} == {"1", "2", "3"}
    assert "the process that did it died" in str(found["killer"])


@pytest.mark.slow
def test_leaving_ends_the_programs_of_running_jobs(make: Make, tmp_path: Path) -> None:
    """As on Ctrl-C: the job's program is gone, here or on the worker."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with make() as executor:
        results = executor.map(farm_work.long_tool, [task("quick", ""), task("long", str(fifo))])
        assert next(results).task.title == "quick"
        pid = int(fifo.read_text())
        os.kill(pid, 0)
        watch = os.pidfd_open(pid)
    farm_work.wait_for_end(watch)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.slow
def test_a_worker_with_other_tools_is_refused(make: Make) -> None:
    with (
        make() as executor,
        pytest.raises(WorkerFailure, match=r"numpy: .* instead of 0\.0\.1") as caught,
    ):
        list(executor.map(farm_work.echo, [task("job", tools={"numpy": "0.0.1"})]))
    assert caught.value.hint


def test_tools_that_the_client_lacks_are_left_to_the_worker() -> None:
    tools = {"no-such-program": "absent", "numpy": "absent"}
    header, body = opened(perform(farm_work.echo, "s", "w", b"x", tools, ()))
    assert header.status == "done"
    assert header.worker.tools["no-such-program"] == "absent"
    assert header.worker.tools["numpy"] != "absent"
    assert json.loads(body)["payload"] == "x"


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_damaged_answer_is_no_answer(cut: int) -> None:
    answer = perform(farm_work.echo, "s", "w", b"payload", {}, ())
    with pytest.raises(WorkerFailure, match=r"damaged|cannot be read"):
        opened(answer[:cut] if cut > 0 else answer + b"x")


@pytest.mark.parametrize(
    "text", ["", "local", "local:x", "dask:/x", "tcp://h:1", "dask://h/path", "dask://u@h:1"]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="says no place"):
        executor_of(text)


@pytest.mark.parametrize("verb", ["accuracy", "bench", "micro", "referee", "sweep"])
def test_verbs_of_many_jobs_take_a_place_to_run_on(verb: str) -> None:
    from typer.main import get_command

    from npubench.cli.app import app

    command = get_command(app).commands[verb]  # type: ignore[attr-defined]
    said = {word for parameter in command.params for word in parameter.opts}
    assert {"--on", "--insecure"} <= said


def test_local_takes_a_sane_number() -> None:
    with pytest.raises(UsageError, match="local:0 is not possible"):
        executor_of("local:0")


def test_a_scheduler_over_a_network_needs_tls_or_a_word() -> None:
    """192.0.2.1 is an address of documentation: nothing is there, and nothing is tried."""
    pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    with pytest.raises(UsageError, match="no TLS certificates"), executor_of("dask://192.0.2.1:1"):
        pass


def test_loopback_is_told_by_address() -> None:
    assert parse_scheduler("dask://127.0.0.1:8786").is_loopback
    assert parse_scheduler("dask://[::1]").is_loopback
    assert not parse_scheduler("dask://192.0.2.1:8786").is_loopback
    assert not parse_scheduler("dask://no-such-host.invalid:8786").is_loopback
