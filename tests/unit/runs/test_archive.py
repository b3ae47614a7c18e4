"""An archive of runs: equal runs give equal bytes, and a hostile one brings nothing in."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from npubench.core.errors import NpubenchError, ResultError, UsageError
from npubench.runs.archive import export_runs, import_runs
from npubench.runs.schema import RunRecord
from npubench.runs.store import RunWriter, StoredRun, read_run

MakeRecord = Callable[..., RunRecord]


def store(record: RunRecord, runs_dir: Path) -> StoredRun:
    with RunWriter(runs_dir, record.run_id) as writer:
        writer.add_bytes("serial.bin", b"bytes")
        writer.add_bytes("project/src/main.c", b"int main(void);")
        return writer.finish(record)


def entries(path: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        return [(entry.name, tar.extractfile(entry).read()) for entry in tar]  # type: ignore[union-attr]


def packed(path: Path, items: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, data in items:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_out_and_in_again_is_the_same_run(make_record: MakeRecord, tmp_path: Path) -> None:
    run = store(make_record(), tmp_path / "runs")
    archive = export_runs([run], tmp_path / "a.tar.gz")
    (again,) = import_runs(archive, tmp_path / "other")
    assert again.record == run.record
    assert (again.path / "project/src/main.c").read_bytes() == b"int main(void);"
    assert import_runs(archive, tmp_path / "other")[0].record == run.record
    assert not list(tmp_path.glob(".*partial*"))


def test_equal_runs_give_equal_bytes(make_record: MakeRecord, tmp_path: Path) -> None:
    run = store(make_record(), tmp_path / "runs")
    first = export_runs([run], tmp_path / "a.tar.gz").read_bytes()
    (run.path / "serial.bin").touch()
    assert export_runs([run], tmp_path / "b.tar.gz").read_bytes() == first
    assert gzip.decompress(first)


def test_a_run_that_is_not_what_it_says_is_not_exported(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    run = store(make_record(), tmp_path / "runs")
    (run.path / "serial.bin").write_bytes(b"other")
    with pytest.raises(ResultError, match=r"serial\.bin"):
        export_runs([run], tmp_path / "a.tar.gz")
    assert not list(tmp_path.glob("*.tar.gz"))
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../evil", tarfile.REGTYPE),
        ("/etc/evil", tarfile.REGTYPE),
        ("run/../../evil", tarfile.REGTYPE),
        ("run/./evil", tarfile.REGTYPE),
        ("lonely", tarfile.REGTYPE),
        (".hidden/run.json", tarfile.REGTYPE),
        ("run/link", tarfile.SYMTYPE),
        ("run/hard", tarfile.LNKTYPE),
        ("run/device", tarfile.CHRTYPE),
        ("run/pipe", tarfile.FIFOTYPE),
        ("run\\evil/x", tarfile.REGTYPE),
        ("run/" + "x" * 600, tarfile.REGTYPE),
    ],
)
def test_tricks_with_paths_bring_nothing_in(
    name: str, kind: bytes, make_record: MakeRecord, tmp_path: Path
) -> None:
    run = store(make_record(), tmp_path / "runs")
    good = [
        (tarfile.TarInfo(name), data)
        for name, data in entries(export_runs([run], tmp_path / "a.tar.gz"))
    ]
    evil = tarfile.TarInfo(name)
    evil.type, evil.linkname = kind, "/etc/passwd"
    archive = packed(
        tmp_path / "evil.tar.gz", [*good, (evil, b"" if kind != tarfile.REGTYPE else b"x")]
    )
    with pytest.raises(ResultError):
        import_runs(archive, tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []


def test_an_entry_that_the_manifest_does_not_know_is_refused(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    run = store(make_record(), tmp_path / "runs")
    items = entries(export_runs([run], tmp_path / "a.tar.gz"))
    items.append((f"{run.path.name}/more", b"x"))
    archive = packed(tmp_path / "b.tar.gz", [(tarfile.TarInfo(name), data) for name, data in items])
    with pytest.raises(ResultError, match="more"):
        import_runs(archive, tmp_path / "other")


def test_another_run_of_the_same_id_is_not_overwritten(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    archive = export_runs([store(make_record(), tmp_path / "runs")], tmp_path / "a.tar.gz")
    (there,) = import_runs(archive, tmp_path / "other")
    (there.path / "serial.bin").write_bytes(b"mine")
    with pytest.raises(ResultError, match="another run"):
        import_runs(archive, tmp_path / "other")
    assert (there.path / "serial.bin").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "data", [b"", b"no archive", gzip.compress(b"no tar", mtime=0), b"\x1f\x8b\x08"]
)
def test_what_is_no_archive_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(data)
    with pytest.raises(NpubenchError):
        import_runs(path, tmp_path / "other")


def test_an_output_that_cannot_be_meant_is_refused(make_record: MakeRecord, tmp_path: Path) -> None:
    run = store(make_record(), tmp_path / "runs")
    for out, runs in ((tmp_path / "x.zip", [run]), (tmp_path / "x.tar.gz", [])):
        with pytest.raises(UsageError):
            export_runs(runs, out)


def test_a_run_of_before_gets_a_manifest_in_the_archive(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    run = store(make_record(), tmp_path / "runs")
    (run.path / "manifest.json").unlink()
    (again,) = import_runs(export_runs([run], tmp_path / "a.tar.gz"), tmp_path / "other")
    assert json.loads((again.path / "manifest.json").read_text())["run_id"] == run.record.run_id
    assert read_run(again.path).record == run.record
