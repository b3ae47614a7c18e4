"""A run proves itself: who changes something in it is caught, also with a rewritten manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from npubench.bench.job import Settings, resolve_jobs
from npubench.bench.reproduce import reproduce_run
from npubench.bench.run import run_job
from npubench.bench.verify import Verification, verify_named, verify_run
from npubench.compiler.compiled import compile_network, read_network
from npubench.core.progress import Silent
from npubench.runs.archive import export_runs
from npubench.runs.manifest import MANIFEST_FILE, make_manifest
from npubench.runs.store import StoredRun, read_run

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """A run with energy, as it was stored."""
    (job,) = resolve_jobs(["digits"], ["qemu-m4"], ["cpu"])
    return run_job(
        job,
        compile_network(read_network(job.model), job.board, job.backend),
        Settings(power="ppk2-sim"),
        runs_dir=tmp_path_factory.mktemp("verify") / "runs",
        reporter=Silent(),
        cancelled=threading.Event(),
    )


def told(outcome: Verification) -> list[str]:
    return [check.what for check in outcome.checks if check.status == "differs"]


def rewritten(folder: Path) -> Verification:
    """The verification after the manifest was made to fit."""
    run_id = json.loads((folder / "run.json").read_text())["run_id"]
    (folder / MANIFEST_FILE).write_text(make_manifest(folder, run_id).text())
    return verify_run(read_run(folder))


def edit_record(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    record = json.loads((folder / "run.json").read_text())
    change(record)
    (folder / "run.json").write_text(json.dumps(record))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def folder(honest: StoredRun, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest.path, tmp_path / honest.path.name))


def test_an_honest_run_is_ok_and_names_what_it_cannot_prove(honest: StoredRun) -> None:
    outcome = verify_run(honest)
    assert outcome.status == "ok", told(outcome)
    assert any("memory of the empty firmware" in text for text in outcome.missing)
    looked_at = {check.what for check in outcome.checks}
    assert {"files", "project", "memory", "layers", "samples.parquet", "energy of infer"} <= (
        looked_at
    )


@pytest.mark.parametrize(
    "name", ["serial.bin", "firmware.elf", "model.tflite", "project/src/model/nb_model.c"]
)
def test_a_changed_file_is_named_by_the_manifest(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    outcome = verify_run(read_run(folder))
    assert outcome.status == "broken"
    assert f"file {name}" in told(outcome)


def test_a_file_too_much_and_a_file_too_few_are_named(folder: Path) -> None:
    (folder / "extra.txt").write_text("x")
    (folder / "memory.json").unlink()
    found = {check.what: check for check in verify_run(read_run(folder)).checks}
    assert found["file extra.txt"].expected == "no such file"
    assert found["file memory.json"].found == "missing"


def test_a_rewritten_record_with_a_rewritten_manifest_is_caught(folder: Path) -> None:
    def faster(record: dict[str, Any]) -> None:
        for stage in ("infer", "end_to_end"):
            for field in ("median", "min", "max"):
                record["stages"][stage][field] //= 2

    edit_record(folder, faster)
    found = told(rewritten(folder))
    assert "stage infer: max" in found
    assert any(text.startswith("stage end_to_end") for text in found)


def test_an_edited_sample_is_caught(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.ParquetFile(folder / "samples.parquet").read().to_pylist()
    edited = next(row for row in rows if row["stage"] == "infer")
    edited["value"] -= 1000.0
    pq.write_table(pa.Table.from_pylist(rows), folder / "samples.parquet")
    assert told(rewritten(folder)) == ["sample 0 of infer"]


def test_a_changed_image_is_caught_by_its_hash(folder: Path) -> None:
    with (folder / "firmware.elf").open("ab") as file:
        file.write(b"\0")
    assert told(rewritten(folder)) == ["image: firmware.elf"]


def test_a_swapped_model_is_caught_even_with_its_hash(folder: Path, checkout: Path) -> None:
    shutil.copyfile(checkout / "models" / "kws" / "kws.tflite", folder / "model.tflite")

    def renamed(record: dict[str, Any]) -> None:
        for field in ("network_sha256", "artifact_sha256"):
            record["model"][field] = sha256(folder / "model.tflite")

    edit_record(folder, renamed)
    outcome = rewritten(folder)
    assert outcome.status == "broken"
    assert any(
        "firmware answers" in check.found for check in outcome.checks if check.status == "differs"
    )


def test_an_edited_session_is_caught(folder: Path) -> None:
    path = folder / "serial.bin"
    data = path.read_bytes()
    at = data.index(b'"infer":') + len(b'"infer":')
    path.write_bytes(data[:at] + (b"1" if data[at : at + 1] != b"1" else b"2") + data[at + 1 :])
    outcome = rewritten(folder)
    assert outcome.status != "ok"


def test_edited_power_samples_are_caught(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for part in (folder / "power").glob("part-*.parquet"):  # how many there are is chance
        table = pq.read_table(part)
        current = table.column("current_ua").to_numpy() * 0.5
        at = table.column_names.index("current_ua")
        halved = table.set_column(at, table.schema.field(at), pa.array(current.astype("float32")))
        pq.write_table(halved.replace_schema_metadata(table.schema.metadata), part)
    assert any(text.startswith(("energy", "idle power")) for text in told(rewritten(folder)))


def test_an_edited_source_is_caught_by_the_project(folder: Path) -> None:
    source = folder / "project/src/model/nb_model.c"
    source.write_text(source.read_text() + "/* faster */\n")
    assert told(rewritten(folder)) == ["project"]


def test_an_archive_is_verified_as_the_run_is(honest: StoredRun, tmp_path: Path) -> None:
    archive = export_runs([honest], tmp_path / "run.tar.gz")
    assert verify_named(str(archive), tmp_path).status == "ok"


def test_a_run_is_reproduced_to_the_byte_and_to_the_instruction(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "elsewhere"))
    outcome = reproduce_run(read_run(folder), reporter=Silent())
    assert outcome.elf_identical
    assert outcome.status == "reproduced"
    assert {stage.stage for stage in outcome.stages} >= {"infer", "load", "post", "end_to_end"}


def test_a_changed_source_is_not_reproduced(folder: Path) -> None:
    source = folder / "project/src/model/nb_model.c"
    text = source.read_text()
    source.write_text(text.replace("#include", 'static const char nb_extra[] = "x";\n#include', 1))
    header = folder / "project/include/nb_config.h"
    header.write_text(header.read_text().replace("npubench", "npubenhc", 1))
    outcome = reproduce_run(read_run(folder), reporter=Silent(), build_only=True)
    assert not outcome.elf_identical
    assert outcome.status == "differs"
