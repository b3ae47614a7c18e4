"""The shipped results are what their own check, their own page and their own bytes say."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from npubench.bench.verify import verify_run
from npubench.results.check import check_repository
from npubench.results.leaderboard import leaderboard
from npubench.results.repository import FILE, archives, read_about
from npubench.runs.archive import unpack
from npubench.runs.manifest import MANIFEST_FILE, make_manifest
from npubench.runs.store import StoredRun, read_run

# Written so that this file does not match itself. An image holds the path on which the compiler's
# own library was built, which is nobody's here.
MACHINE = re.compile(rb"(?<![\w.$~-])/(?:work|root|home|Users|tmp)" + rb"/\w")
BUILT_HERE = re.compile(rb"(?<![\w.$~-])/(?:work|root|tmp)" + rb"/\w")


@pytest.fixture(scope="module")
def shipped(checkout: Path) -> Path:
    return checkout / "results"


@pytest.fixture
def modelled(shipped: Path, tmp_path: Path) -> StoredRun:
    """A run on a board's model, unpacked: its milliseconds and millijoules are a model's."""
    mine = [path for path in archives(shipped) if "nucleo-l4r5zi_cpu_model" in path.parts]
    (folder,) = unpack(mine[-1], tmp_path)
    return read_run(folder)


def rewritten(run: StoredRun, change: Callable[[dict[str, Any]], None]) -> StoredRun:
    """The run with its record changed and its manifest made to fit."""
    record = json.loads((run.path / "run.json").read_text())
    change(record)
    (run.path / "run.json").write_text(json.dumps(record))
    (run.path / MANIFEST_FILE).write_text(make_manifest(run.path, record["run_id"]).text())
    return read_run(run.path)


def test_the_smallest_pass_their_own_check(shipped: Path, tmp_path: Path) -> None:
    """Two of them, since each is collected anew from its bytes; all of them in the long tests."""
    shutil.copy(shipped / FILE, tmp_path)
    smallest = sorted(archives(shipped), key=lambda path: path.stat().st_size)[:2]
    for archive in smallest:
        place = tmp_path / archive.relative_to(shipped)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(archive, place)
    outcome = check_repository(tmp_path)
    assert outcome.ok, outcome.mistakes
    assert outcome.count == len(smallest) == 2


@pytest.mark.long
def test_all_pass_their_own_check(shipped: Path) -> None:
    outcome = check_repository(shipped)
    assert outcome.ok, outcome.mistakes
    assert outcome.count == len(list(archives(shipped)))


def test_their_page_is_of_their_archives(shipped: Path) -> None:
    for name, text in leaderboard(shipped).items():
        assert (shipped / name).read_text(encoding="utf-8") == text, (
            "npubench results site -R results"
        )


def test_they_are_of_clean_commits_and_name_no_machine(shipped: Path, tmp_path: Path) -> None:
    for archive in archives(shipped):
        (folder,) = unpack(archive, tmp_path / archive.name)
        git = read_run(folder).record.environment.git
        assert git is not None
        assert re.fullmatch(r"[0-9a-f]{12}", git), git
        for path in folder.rglob("*"):
            if path.is_file():
                pattern = BUILT_HERE if path.suffix == ".elf" else MACHINE
                found = pattern.search(path.read_bytes())
                assert found is None, (archive.name, path.name, found)


def test_what_another_model_said_is_not_called_bent(modelled: StoredRun) -> None:
    def renamed(record: dict[str, Any]) -> None:
        record["stages"]["infer"]["cycles"]["model"] = "earlier weights"
        record["stages"]["infer"]["time_us"]["mid"] *= 1.001

    found = verify_run(rewritten(modelled, renamed))
    assert found.status == "partial"
    assert [check.what for check in found.checks if check.status == "unknown"] == [
        "modelled figures"
    ]


def test_a_bent_modelled_time_is_named(modelled: StoredRun) -> None:
    def bent(record: dict[str, Any]) -> None:
        record["stages"]["infer"]["time_us"]["mid"] *= 0.999

    found = verify_run(rewritten(modelled, bent))
    assert [check.what for check in found.checks if check.status == "differs"] == [
        "stage infer: time_us"
    ]


def test_what_was_not_run_has_a_reason_on_the_page(shipped: Path) -> None:
    about = read_about(shipped)
    shown = (shipped / "README.md").read_text(encoding="utf-8")
    assert about.not_run
    assert all(reason.strip() and target in shown for target, reason in about.not_run.items())
