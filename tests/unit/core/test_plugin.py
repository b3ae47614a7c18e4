"""A package of somebody else brings a backend and an instrument; its version is looked at."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from npubench.bench.job import resolve_jobs
from npubench.bench.prepare import compile_job
from npubench.compiler.backends import backend_names, load_backend
from npubench.core.errors import ToolError
from npubench.power.registry import driver_names, load_driver
from npubench.target import parse_settings

PACKAGE = Path(__file__).resolve().parents[2] / "support" / "sample_plugin"


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(PACKAGE))
    driver_names.cache_clear()
    yield
    driver_names.cache_clear()
    sys.modules.pop("sample_plugin", None)


def test_a_plugin_is_a_target_like_any_other() -> None:
    assert "sample" in backend_names()
    (job,) = resolve_jobs(
        ["digits"], ["qemu-m4"], ["sample"], settings=parse_settings(["sample.level=1"])
    )
    assert str(job.target) == "qemu-m4:sample[level=1]"
    plan = compile_job(job).plan
    assert (plan.backend, plan.defines["SAMPLE"]) == ("sample", "1")
    assert "sample" in driver_names()
    assert load_driver("sample").title == "Sample instrument"


@pytest.mark.parametrize(
    ("theirs", "hint"),
    [(0, "update the package"), (2, "update npubench"), ("x", "update npubench")],
)
def test_another_version_of_the_interface_is_refused(
    monkeypatch: pytest.MonkeyPatch, theirs: object, hint: str
) -> None:
    load_backend("sample")
    monkeypatch.setattr(sys.modules["sample_plugin"], "API_VERSION", theirs)
    for load in (load_backend, load_driver):
        with pytest.raises(ToolError, match=f"written for version {theirs}") as refusal:
            load("sample")
        assert hint in refusal.value.hint


def test_a_plugin_from_before_versions_still_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    load_backend("sample")
    monkeypatch.delattr(sys.modules["sample_plugin"], "API_VERSION")
    assert load_backend("sample").name == "sample"
