"""A repository of results holds only what is proven, licensed and not private."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from npubench.bench.job import Settings, resolve_jobs
from npubench.bench.run import run_job
from npubench.compiler.compiled import compile_network, read_network
from npubench.core import format as fmt
from npubench.core.errors import ConfigError, ResultError, UsageError
from npubench.core.progress import Silent
from npubench.results.check import check_repository
from npubench.results.leaderboard import write_leaderboard
from npubench.results.privacy import private_parts
from npubench.results.repository import FILE, add_run, init_repository, read_about
from npubench.runs.archive import export_runs
from npubench.runs.manifest import MANIFEST_FILE, make_manifest, manifest_sha256
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
    (job,) = resolve_jobs(["digits"], ["qemu-m4"], ["cpu"])
    return run_job(
        job,
        compile_network(read_network(job.model), job.board, job.backend),
        Settings(),
        runs_dir=tmp_path_factory.mktemp("results") / "runs",
        reporter=Silent(),
        cancelled=threading.Event(),
    )


@pytest.fixture
def run(honest: StoredRun, tmp_path: Path) -> StoredRun:
    """The run without what pytest's own command line tells of this machine."""
    folder = Path(shutil.copytree(honest.path, tmp_path / "runs" / honest.path.name))
    record = json.loads((folder / "run.json").read_text())
    record["command"] = ["npubench", "bench", "digits"]
    (folder / "run.json").write_text(json.dumps(record))
    (folder / MANIFEST_FILE).write_text(make_manifest(folder, record["run_id"]).text())
    return read_run(folder)


def licensed(repository: Path, run: StoredRun) -> None:
    with (repository / FILE).open("a") as file:
        file.write(
            f"[models.{run.record.model.network_sha256}]\n"
            'name = "digits"\nlicence = "Apache-2.0"\n'
            '[not_run]\n"stm32n6570-dk:st-edge-ai" = "the vendor\'s compiler is not at hand"\n'
        )


def test_a_result_is_added_checked_and_shown(run: StoredRun, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    init_repository(repository, 'Ours, "2026"')
    added = add_run(repository, run)
    assert added.licence_missing == run.record.model.network_sha256
    assert any("no licence" in item.what for item in check_repository(repository).mistakes)
    licensed(repository, run)
    outcome = check_repository(repository)
    assert outcome.ok, outcome.mistakes
    assert outcome.count == 1
    files = write_leaderboard(repository)
    page, site, bibliography = (path.read_text() for path in files)
    place = added.archive.relative_to(repository).as_posix()
    infer = fmt.quantity(run.record.stages["infer"].median, "instructions")
    assert "### Counted, open engines" in page
    assert f"[{infer}]({place})" in page
    assert f'<a href="{place}">{infer}</a>' in site
    assert "Modelled" not in page
    for text in (page, site):
        assert "qemu-m4:cpu" in text
        assert "the vendor" in text
    assert "| stm32n6570-dk:st-edge-ai | closed |" in page
    assert (manifest_sha256(run.path) or "")[:12] in bibliography
    assert [path.read_text() for path in write_leaderboard(repository)] == [
        page,
        site,
        bibliography,
    ]


def test_a_bent_result_fails_the_check(run: StoredRun, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    init_repository(repository, "x")
    added = add_run(repository, run)
    licensed(repository, run)
    record = json.loads((run.path / "run.json").read_text())
    record["stages"]["infer"]["median"] -= 1000
    (run.path / "run.json").write_text(json.dumps(record))
    (run.path / MANIFEST_FILE).write_text(make_manifest(run.path, record["run_id"]).text())
    export_runs([read_run(run.path)], added.archive)
    told = [item.what for item in check_repository(repository).mistakes]
    assert any(text.startswith("stage infer") for text in told)


def test_an_archive_at_another_place_and_a_damaged_one_are_named(
    run: StoredRun, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    init_repository(repository, "x")
    added = add_run(repository, run)
    licensed(repository, run)
    other = added.archive.parent.parent / "qemu-m7_cpu"
    other.mkdir()
    shutil.copy(added.archive, other)
    broken = added.archive.with_name("broken.npubench.tar.gz")
    broken.write_bytes(added.archive.read_bytes()[:1000])
    told = {Path(item.archive).name: item.what for item in check_repository(repository).mistakes}
    assert "not an archive" in told["broken.npubench.tar.gz"]
    assert len(check_repository(repository).mistakes) >= 3


@pytest.mark.parametrize(
    "text",
    ["/".join(["", "home", "ada", "x.tflite"]), "C:\\\\Users\\\\ada\\\\x", "ada@example.org"],
)
def test_what_is_private_does_not_come_in(text: str, run: StoredRun, tmp_path: Path) -> None:
    assert private_parts(run.path) == ()
    record = json.loads((run.path / "run.json").read_text())
    record["command"] = ["npubench", "bench", text]
    (run.path / "run.json").write_text(json.dumps(record))
    assert private_parts(run.path)
    init_repository(tmp_path / "repository", "x")
    with pytest.raises(ResultError, match="private"):
        add_run(tmp_path / "repository", read_run(run.path))


def test_a_folder_that_is_no_repository_is_told(run: StoredRun, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no repository"):
        add_run(tmp_path, run)
    init_repository(tmp_path, "x")
    with pytest.raises(UsageError):
        init_repository(tmp_path, "x")
    (tmp_path / FILE).write_text('schema = 1\ntitle = ""\nlicense = "x"\n')
    with pytest.raises(ConfigError) as error:
        read_about(tmp_path)
    assert "licence" in error.value.message
    assert "license" in error.value.message
