"""Runs that older releases stored still open, and mean what they meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from npubench.bench.verify import verify_run
from npubench.report.html import render_report
from npubench.runs import load_runs
from npubench.runs.compare import compare_runs
from npubench.runs.store import list_runs, read_run
from npubench.target import Place

FIRST = Path(__file__).resolve().parents[2] / "data" / "runs_schema_1"
TARGETS = {
    "native:cpu": Place.EMULATED,
    "nucleo-l4r5zi:cpu@model": Place.MODEL,
    "qemu-m4:cpu": Place.EMULATED,
    "qemu-m55-u55:ethos-u": Place.EMULATED,
}


def test_runs_of_the_first_schema_open_with_their_target() -> None:
    listing = list_runs(FIRST)
    assert not listing.unreadable
    found = {run.record.target: run.record.place for run in listing.runs}
    assert found == TARGETS
    for run in listing.runs:
        old = json.loads((run.path / "run.json").read_text())
        new = run.record.model_dump(mode="json")
        assert old["schema_version"] == 1
        assert (new["schema_version"], new["options"], new["findings"]) == (2, {}, [])
        for name in old.keys() - {"schema_version"}:
            _holds(new[name], old[name], name)


def _holds(new: object, old: object, where: str) -> None:
    """Every value that was stored is there, unchanged."""
    if isinstance(old, dict):
        assert isinstance(new, dict), where
        for name, value in old.items():
            _holds(new[name], value, f"{where}.{name}")
    elif isinstance(old, list):
        assert isinstance(new, list), where
        assert len(new) == len(old), where
        for index, value in enumerate(old):
            _holds(new[index], value, f"{where}.{index}")
    else:
        assert new == old, where


def test_they_are_shown_compared_and_tabulated() -> None:
    runs = list_runs(FIRST).runs
    page = render_report(runs)
    assert "nucleo-l4r5zi:cpu@model" in page
    by_target = {run.record.target: run for run in runs}
    comparison = compare_runs(by_target["qemu-m4:cpu"], by_target["nucleo-l4r5zi:cpu@model"])
    assert (comparison.provenance[0].what, comparison.provenance[0].b) == (
        "target",
        "nucleo-l4r5zi:cpu@model",
    )
    assert set(load_runs(FIRST)["target"]) == set(TARGETS)


def test_a_stored_session_says_the_same_today() -> None:
    for run in list_runs(FIRST).runs:
        checks = {check.what: check.status for check in verify_run(run).checks}
        differing = [what for what, status in checks.items() if status == "differs"]
        # The image is not among the committed files.
        assert differing == ["image: firmware.elf"]
        assert checks["golden answer"] == checks["stage infer"] == "ok"
        # The NPU's timing model was another then: its figures per operator cannot be derived.
        assert ("modelled figures" in checks) >= (run.record.npu is not None)


@pytest.mark.parametrize("kind", ["physical", "emulated"])
def test_reasons_of_a_refused_capture_become_findings(tmp_path: Path, kind: str) -> None:
    (run,) = (run for run in list_runs(FIRST).runs if run.record.energy is not None)
    document = json.loads((run.path / "run.json").read_text())
    document["board_kind"] = kind
    document["energy"] |= {"verdict": "refused", "reasons": ["samples-lost: 3 of 9 are missing"]}
    (tmp_path / "run.json").write_text(json.dumps(document))
    record = read_run(tmp_path).record
    assert record.place == kind
    (finding,) = record.findings
    assert (finding.id, finding.severity) == ("power.samples-lost", "refusal")
    assert finding.text == "3 of 9 are missing"
