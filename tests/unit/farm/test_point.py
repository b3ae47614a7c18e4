"""A run as a job: it travels whole, comes back verified, and is kept once."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from npubench.bench.job import Job, Settings, resolve_jobs
from npubench.core.errors import ResultError, UsageError
from npubench.core.progress import Event, Silent
from npubench.farm import matrix
from npubench.farm.local import LocalExecutor
from npubench.farm.point import HERE_ALONE, SettingsPart, keep_run, run_point, task_of
from npubench.farm.task import Done, Task
from npubench.farm.toolchain import sources_of
from npubench.farm.worker import opened, perform
from npubench.runs.store import list_runs
from npubench.target import Place

needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def job_of(board: str = "native", **more: object) -> Job:
    (job,) = resolve_jobs(["kws"], [board], **more)  # type: ignore[arg-type]
    return job


def done(task: Task) -> Done:
    """What a worker in this process makes of a task."""
    blobs = [path.read_bytes() for path in task.files.values()]
    answer = perform(run_point, "s", "w", task.payload, task.tools, tuple(task.files), *blobs)
    header, body = opened(answer)
    assert header.status == "done", header.error
    return Done(task=task, body=body)


@pytest.fixture(scope="module")
def made() -> Done:
    """kws on the board that is a process of this machine."""
    return done(task_of(job_of(), Settings(command=("npubench", "bench")), "test"))


@needs_compiler
@pytest.mark.native
def test_a_run_comes_back_as_if_it_was_made_here(made: Done, tmp_path: Path) -> None:
    stored = keep_run(made, tmp_path / "runs")
    record = stored.record
    assert record.status == "ok"
    assert record.target == "native:cpu"
    assert record.command == ("npubench", "bench")
    worker = record.environment.worker
    assert worker is not None
    assert (worker.executor, worker.name, worker.job) == ("test", "w", made.task.key)
    assert worker.tools["npubench"].startswith(record.environment.npubench)
    assert [run.path for run in list_runs(tmp_path / "runs").runs] == [stored.path]
    again = keep_run(made, tmp_path / "runs")
    assert again.path == stored.path
    assert len(list_runs(tmp_path / "runs").runs) == 1


@needs_compiler
@pytest.mark.native
def test_what_is_stored_is_not_done_again(
    made: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = keep_run(made, tmp_path / "runs")
    monkeypatch.setattr(LocalExecutor, "__enter__", _not_entered)
    outcome = matrix.run_matrix_on(
        LocalExecutor(1),
        [job_of()],
        Settings(command=("another",)),
        runs_dir=tmp_path / "runs",
        reporter=Silent(),
        resume=True,
    )
    assert [run.path for run in outcome.stored] == [stored.path]
    assert outcome.exit_code == 0


def _not_entered(self: LocalExecutor) -> LocalExecutor:
    raise AssertionError(f"nothing is left to do, but {self.describe()} is started")


@needs_compiler
@pytest.mark.native
def test_another_run_than_was_asked_for_is_not_kept(made: Done, tmp_path: Path) -> None:
    other = task_of(job_of(), Settings(repetitions=5), "test")
    with pytest.raises(ResultError, match=r"its (job|settings) is .* was asked for"):
        keep_run(replace(made, task=other), tmp_path / "runs")
    assert not list_runs(tmp_path / "runs").runs


@needs_compiler
@pytest.mark.native
def test_a_changed_run_is_not_kept(made: Done, tmp_path: Path) -> None:
    """A count is changed inside the archive; its manifest tells."""
    with pytest.raises(ResultError, match=r"not what its manifest says, first run\.json"):
        keep_run(replace(made, body=_changed(made.body)), tmp_path / "runs")
    assert not list_runs(tmp_path / "runs").runs


def _changed(archive: bytes) -> bytes:
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as source,
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as target,
    ):
        for entry in source:
            file = source.extractfile(entry)
            assert file is not None
            data = file.read()
            if entry.name.endswith("/run.json"):
                document = json.loads(data)
                document["memory"]["arena_bytes"] += 1
                data = json.dumps(document).encode()
                entry.size = len(data)
            target.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def test_a_network_that_does_not_fit_is_a_failed_run(tmp_path: Path) -> None:
    """The compiler's refusal is a result too, made at the worker and stored here."""
    jobs = resolve_jobs(["vww"], ["qemu-m4"])
    assert jobs
    path = tmp_path / "broken.tflite"
    path.write_bytes(jobs[0].model.path.read_bytes()[:5000])
    broken = replace(jobs[0], model=replace(jobs[0].model, path=path, entry=None, id="broken"))
    stored = keep_run(done(task_of(broken, Settings(), "test")), tmp_path / "runs")
    assert stored.record.status == "failed"
    assert stored.record.error is not None
    assert stored.record.error.kind == "ModelFormatError"
    assert stored.record.environment.worker is not None


def test_the_key_is_of_all_that_counts() -> None:
    """Command and executor do not change a result; everything else does."""
    job = job_of()
    key = task_of(job, Settings(), "a").key
    assert task_of(job, Settings(command=("x",)), "b").key == key
    others = [
        task_of(job, Settings(seed=2), "a"),
        task_of(job, Settings(repetitions=3), "a"),
        task_of(job, Settings(layers=False), "a"),
        task_of(job_of("qemu-m4"), Settings(), "a"),
        task_of(replace(job, model=replace(job.model, id="other")), Settings(), "a"),
    ]
    assert len({key, *(task.key for task in others)}) == 6


def test_the_sources_are_the_same_however_they_lie(tmp_path: Path) -> None:
    """Two roots of a checkout, one of them twice on Python's path, and the one root of a wheel."""
    for root, name in (("compiler", "z/a.py"), ("host", "b.py"), ("host", "_data/c.toml")):
        for folder in (tmp_path / root, tmp_path / "wheel"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    roots = [tmp_path / "host", tmp_path / "compiler", tmp_path / "host"]
    found = sources_of(roots)
    assert sorted(found) == sorted(sources_of([tmp_path / "wheel"])) == ["b.py", "z/a.py"]


def test_no_setting_is_forgotten_on_the_way() -> None:
    """A new setting is sent, or stands among those that stay here."""
    sent = set(SettingsPart.model_fields)
    assert sent | set(HERE_ALONE) == {field.name for field in fields(Settings)}
    assert not sent & set(HERE_ALONE)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"port": "/dev/ttyACM0"}, "port or a probe"),
        ({"power": "my-ppk2"}, "stands here"),
    ],
    ids=["port", "instrument"],
)
def test_what_only_this_machine_has_is_refused(changes: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        task_of(job_of(), Settings(**changes), "a")  # type: ignore[arg-type]


def test_a_physical_board_needs_a_place_or_its_model() -> None:
    with pytest.raises(UsageError, match="is a physical board"):
        task_of(job_of("nucleo-l4r5zi"), Settings(), "a")
    assert task_of(job_of("nucleo-l4r5zi", place=Place.MODEL), Settings(), "a").tools["unicorn"]


def test_a_payload_from_elsewhere_is_read_strictly() -> None:
    """Unknown fields and file names with folders are refused, and nothing is written."""
    document = json.loads(task_of(job_of(), Settings(), "a").payload)
    for change in (
        lambda it: it.update(more=1),
        lambda it: it["model"].update(file="../../x.tflite"),
    ):
        bad = json.loads(json.dumps(document))
        change(bad)
        answer = perform(run_point, "s", "w", json.dumps(bad).encode(), {}, ("model",), b"data")
        header, _ = opened(answer)
        assert header.status == "failed"
        assert header.error is not None
        assert header.error.kind in ("ConfigError", "UsageError")


def test_progress_says_who_did_it() -> None:
    events: list[Event] = []

    class Keep:
        def event(self, event: Event) -> None:
            events.append(event)

    task = Task(key="k", title="kws on native:cpu", payload=b"")
    list(matrix.watched(iter([Done(task=task)]), 1, Keep()))
    assert [event.job for event in events] == ["kws on native:cpu", "all jobs"]
    assert events[1].detail.startswith("1 of 1 jobs, 0 failed")


def test_a_job_that_was_called_off_says_so() -> None:
    called: list[threading.Event] = []

    def work(payload: bytes, files: object, cancelled: threading.Event) -> bytes:
        del payload, files
        called.append(cancelled)
        cancelled.set()
        raise RuntimeError("the board is gone")

    run: Callable[..., bytes] = perform
    header, _ = opened(run(work, "s", "w", b"", {}, ()))
    assert header.error is not None
    assert header.error.kind == "Cancelled"
