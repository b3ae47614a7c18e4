"""A run is there as a whole or not at all, and a broken one does not hide the others."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from npubench.core.errors import ResultError, StorageError
from npubench.core.progress import Event
from npubench.runs import staging, writer
from npubench.runs.samples import read_samples
from npubench.runs.schema import RunRecord
from npubench.runs.store import (
    RunWriter,
    StoredRun,
    check_runs_dir,
    find_run,
    list_runs,
    new_run_id,
    read_run,
    short_id,
)
from npubench.target import Place, Target

Make = Callable[..., RunRecord]


def store(runs_dir: Path, record: RunRecord, **more: Any) -> StoredRun:
    with RunWriter(runs_dir, record.run_id) as run:
        run.add_bytes("serial.bin", b"m-ready\r\n")
        return run.finish(record, **more)


def strangers(folder: Path) -> list[str]:
    """What lies beside the runs folder and is not it."""
    return [entry.name for entry in folder.iterdir() if entry.name != "runs"]


def test_a_run_comes_back_as_it_was(tmp_path: Path, make_record: Make) -> None:
    record = make_record()
    events = [Event(job="kws on qemu-m4", step="build", state="done", duration_s=0.5)]
    stored = store(tmp_path / "runs", record, events=events)
    assert stored.path == tmp_path / "runs" / record.run_id
    again = read_run(stored.path)
    assert again.record == stored.record
    assert again.record.model_copy(update={"artifacts": ()}) == record
    assert again.record.artifacts == (
        "events.jsonl",
        "manifest.json",
        "memory.json",
        "run.json",
        "serial.bin",
    )
    line = json.loads((stored.path / "events.jsonl").read_text())
    assert (line["step"], line["duration_s"]) == ("build", 0.5)
    assert json.loads((stored.path / "memory.json").read_text())["arena_bytes"] == 22_000


def test_the_document_names_the_folder(tmp_path: Path, make_record: Make) -> None:
    document = store(tmp_path / "runs", make_record()).document()
    assert Path(document["run_dir"]).is_absolute()
    assert json.loads(json.dumps(document))["stages"]["infer"]["median"] == 43_039_868


def test_samples_are_kept_in_full(tmp_path: Path, make_record: Make) -> None:
    stored = store(
        tmp_path / "runs",
        make_record(),
        samples={"infer": (43_039_868, 43_039_868), "load": (1_510, 1_510)},
        raw_counts={"infer": (110_182_098, 110_182_098)},
    )
    samples = read_samples(stored.path)
    assert [(sample.rep, sample.stage) for sample in samples] == [
        (0, "infer"),
        (1, "infer"),
        (0, "load"),
        (1, "load"),
    ]
    assert (samples[0].value, samples[0].raw_count) == (43_039_868, 110_182_098)
    assert samples[0].unit == "instructions"
    assert isinstance(samples[0].value, int)
    assert samples[2].raw_count is None


def test_cycles_become_time_with_the_measured_clock(tmp_path: Path, make_record: Make) -> None:
    record = make_record(unit="us", evidence="measured")
    assert record.clock is not None
    clock = record.clock.model_copy(update={"measured_hz": 120e6})
    record = record.model_copy(update={"clock": clock})
    stored = store(tmp_path / "runs", record, samples={"infer": (240,)})
    assert read_samples(stored.path)[0].value == 2
    assert read_samples(stored.path)[0].unit == "us"


def test_files_and_folders_are_copied_without_build_products(
    tmp_path: Path, make_record: Make
) -> None:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "main.c").write_text("int main(void);")
    (project / ".pio").mkdir()
    record = make_record()
    with RunWriter(tmp_path / "d" / "runs", record.run_id) as run:
        run.add_tree("project", project)
        run.add_file("firmware.elf", project / "src" / "main.c")
        with run.open("serial.bin") as log:
            log.write(b"abc")
        stored = run.finish(record)
    assert (stored.path / "project" / "src" / "main.c").is_file()
    assert not (stored.path / "project" / ".pio").exists()
    assert "project/" in stored.record.artifacts


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_leaves_nothing(
    tmp_path: Path, make_record: Make, error: type[BaseException]
) -> None:
    def work() -> None:
        with RunWriter(tmp_path / "runs", make_record().run_id) as run:
            run.add_bytes("serial.bin", b"half")
            raise error

    with pytest.raises(error):
        work()
    assert list((tmp_path / "runs").iterdir()) == []
    assert strangers(tmp_path) == []


def test_while_it_is_written_a_run_is_not_in_the_folder(tmp_path: Path, make_record: Make) -> None:
    record = make_record()
    with RunWriter(tmp_path / "runs", record.run_id) as run:
        run.add_bytes("serial.bin", b"half")
        assert list((tmp_path / "runs").iterdir()) == []
        assert run.folder.parent == tmp_path
        run.finish(record)
        assert [entry.name for entry in (tmp_path / "runs").iterdir()] == [record.run_id]
    assert strangers(tmp_path) == []


def test_what_a_killed_process_left_is_swept(tmp_path: Path, make_record: Make) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from npubench.runs.store import RunWriter;"
        "run = RunWriter(Path(sys.argv[1]), 'x-run').__enter__(); run.add_bytes('a', b'1');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = ":".join(entry for entry in sys.path if entry)
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "runs")], env={"PYTHONPATH": path}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(strangers(tmp_path)) == 1
    assert list_runs(tmp_path / "runs").runs == ()
    store(tmp_path / "runs", make_record())
    assert strangers(tmp_path) == []


def test_a_live_writer_is_not_swept_by_another(tmp_path: Path, make_record: Make) -> None:
    first, second = make_record(), make_record(board="qemu-m55")
    with RunWriter(tmp_path / "runs", first.run_id) as one:
        store(tmp_path / "runs", second)
        assert one.folder.is_dir()
        one.finish(first)
    assert len(list_runs(tmp_path / "runs").runs) == 2


def test_another_machine_s_partial_folder_is_left_alone(tmp_path: Path, make_record: Make) -> None:
    foreign = tmp_path / ".runs.partial-otherhost-1-00000000"
    foreign.mkdir()
    store(tmp_path / "runs", make_record())
    assert foreign.is_dir()


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "may not write"),
        (errno.EDQUOT, "quota"),
    ],
)
def test_a_disk_that_refuses_is_explained_and_nothing_is_left(
    tmp_path: Path, make_record: Make, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), "samples.parquet")

    monkeypatch.setattr(writer, "write_samples", refuse)
    with pytest.raises(StorageError) as caught:
        store(tmp_path / "runs", make_record(), samples={"infer": (1,)})
    assert hint in caught.value.hint
    assert list((tmp_path / "runs").iterdir()) == []
    assert strangers(tmp_path) == []


def test_a_full_disk_under_an_open_log_is_explained(tmp_path: Path, make_record: Make) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(StorageError, match="No space"):  # noqa: SIM117
        with RunWriter(tmp_path / "runs", make_record().run_id):
            raise full
    assert strangers(tmp_path) == []


def test_a_runs_folder_that_is_a_file_is_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(StorageError):
        check_runs_dir(tmp_path / "runs")
    with pytest.raises(StorageError):
        check_runs_dir(tmp_path / "runs" / "below")


def test_checking_a_runs_folder_leaves_it_empty(tmp_path: Path) -> None:
    check_runs_dir(tmp_path / "a" / "runs")
    assert list((tmp_path / "a").iterdir()) == [tmp_path / "a" / "runs"]


def test_a_run_moves_across_file_systems(
    tmp_path: Path, make_record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def across(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(writer.os, "rename", across)
    stored = store(tmp_path / "runs", make_record())
    assert read_run(stored.path).record == stored.record
    assert strangers(tmp_path) == []


def test_where_the_parent_cannot_be_written_the_staging_lies_in_the_temporary_folder(
    tmp_path: Path, make_record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(staging.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    monkeypatch.setattr(staging.os, "access", lambda *_: False)
    record = make_record()
    with RunWriter(tmp_path / "d" / "runs", record.run_id) as run:
        assert run.folder.parent == tmp_path / "tmp"
        run.finish(record)
    assert list((tmp_path / "tmp").iterdir()) == []
    assert len(list_runs(tmp_path / "d" / "runs").runs) == 1


def test_a_stored_run_is_never_replaced(tmp_path: Path, make_record: Make) -> None:
    record = make_record()
    store(tmp_path / "runs", record)
    with pytest.raises(StorageError, match="exists"):
        store(tmp_path / "runs", record)


def _target(board: str, backend: str) -> Target:
    return Target(board=board, backend=backend, place=Place.EMULATED)


def test_run_ids_are_readable_and_sort_by_time() -> None:
    early = new_run_id(
        "kws", _target("qemu-m4", "cpu"), now=datetime(2026, 11, 25, 1, 55, 15, tzinfo=UTC)
    )
    late = new_run_id(
        "AD/../x y", _target("qemu-m4", "ethos-u"), now=datetime(2026, 12, 1, tzinfo=UTC)
    )
    assert re.fullmatch(r"20261125T015515Z-kws-qemu-m4-cpu-[0-9a-f]{6}", early)
    assert re.fullmatch(r"20261201T000000Z-ad-x-y-qemu-m4-ethos-u-[0-9a-f]{6}", late)
    assert early < late


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", ".hidden"])
def test_a_run_id_cannot_leave_the_folder(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(ValueError, match="no run id"):
        RunWriter(tmp_path, run_id)


def test_a_newer_schema_is_said_to_be_newer(tmp_path: Path, make_record: Make) -> None:
    stored = store(tmp_path / "runs", make_record())
    file = stored.path / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema_version": 99, "new": 1}))
    with pytest.raises(ResultError, match="newer npubench: its schema is 99") as caught:
        read_run(stored.path)
    assert "update" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "not a run record"),
        ("\xff", "not"),
        ("[" * 100_000, "not JSON"),
        ('{"schema_version": 1}', "board"),
    ],
)
def test_a_broken_folder_is_reported_and_the_rest_shown(
    tmp_path: Path, make_record: Make, text: str, reason: str
) -> None:
    good = store(tmp_path / "runs", make_record())
    broken = tmp_path / "runs" / "20260101T000000Z-broken"
    broken.mkdir()
    (broken / "run.json").write_bytes(text.encode("latin-1"))
    (tmp_path / "runs" / "no-record").mkdir()
    (tmp_path / "runs" / "notes.txt").write_text("mine")
    listing = list_runs(tmp_path / "runs")
    assert [run.record.run_id for run in listing.runs] == [good.record.run_id]
    reasons = {path.name: why for path, why in listing.unreadable}
    assert set(reasons) == {broken.name, "no-record"}
    assert reason in reasons[broken.name]


def test_runs_are_found_by_id_start_path_and_latest(tmp_path: Path, make_record: Make) -> None:
    runs_dir = tmp_path / "runs"
    first = store(runs_dir, make_record(second=1))
    last = store(runs_dir, make_record(second=2, board="qemu-m55"))
    assert find_run(runs_dir, first.record.run_id).path == first.path
    assert find_run(runs_dir, "20261125T015501").path == first.path
    assert find_run(runs_dir, str(last.path)).path == last.path
    assert find_run(runs_dir, str(last.path / "run.json")).path == last.path
    assert find_run(runs_dir, "latest").path == last.path
    assert find_run(runs_dir, "last").path == last.path
    assert short_id(first.record.run_id) == "000001"
    assert find_run(runs_dir, "000001").path == first.path
    assert find_run(runs_dir, "0000" + "02").path == last.path
    with pytest.raises(ResultError, match="2 runs are called '0000'"):
        find_run(runs_dir, "0000")
    with pytest.raises(ResultError, match="no run"):
        find_run(runs_dir, "001")
    with pytest.raises(ResultError, match="2 runs are called"):
        find_run(runs_dir, "2026")
    with pytest.raises(ResultError, match="no run") as caught:
        find_run(runs_dir, first.record.run_id[:-1] + "z")
    assert first.record.run_id in caught.value.hint


def test_latest_passes_over_a_broken_folder(tmp_path: Path, make_record: Make) -> None:
    good = store(tmp_path / "runs", make_record())
    shutil.copytree(good.path, tmp_path / "runs" / "20991231T000000Z-broken")
    (tmp_path / "runs" / "20991231T000000Z-broken" / "run.json").write_text("{")
    assert find_run(tmp_path / "runs", "latest").path == good.path


def test_no_folder_is_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "absent").runs == ()
    with pytest.raises(ResultError, match="no runs"):
        find_run(tmp_path / "absent", "latest")
