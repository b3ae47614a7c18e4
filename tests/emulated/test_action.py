"""The GitHub Action's own steps, run as they stand: bench, archive, gate, and what a gate says."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML reads the action's file")

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed"),
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
]


@pytest.fixture
def action(checkout: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((checkout / "action.yml").read_text())
    return document


@pytest.fixture
def program(checkout: Path, tmp_path: Path) -> Path:
    """npubench of this checkout as one command."""
    path = tmp_path / "npubench"
    roots = os.pathsep.join(str(checkout / root) for root in ("compiler", "host"))
    path.write_text(
        f"#!/bin/sh\nPYTHONPATH={roots} exec {sys.executable} -c "
        "'from npubench.cli.main import main; main()' \"$@\"\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def run_step(
    action: dict[str, Any], name: str, inputs: dict[str, str], folder: Path
) -> tuple[int, str]:
    """One step as GitHub would run it; the exit code and what it printed."""
    (step,) = (item for item in action["runs"]["steps"] if item["name"] == name)
    known = {key: item.get("default", "") for key, item in action["inputs"].items()} | inputs
    environment = {**os.environ, "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    for key, text in step["env"].items():
        asked = text.removeprefix("${{ inputs.").removesuffix(" }}")
        environment[key] = known[asked]
    result = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


def test_the_steps_bench_archive_and_gate(
    action: dict[str, Any], program: Path, tmp_path: Path
) -> None:
    inputs = {"npubench": str(program), "models": "digits", "boards": "qemu-m4"}
    for name in ("Bench", "Archive"):
        code, said = run_step(action, name, inputs, tmp_path)
        assert code == 0, said
    out = tmp_path / "npubench-out"
    assert (out / "report.html").is_file()
    archive = tmp_path / "baseline.tar.gz"
    (out / "runs.npubench.tar.gz").rename(archive)
    code, said = run_step(action, "Gate", {**inputs, "baseline": str(archive)}, tmp_path)
    assert code == 0, said
    assert "pass" in (tmp_path / "summary.md").read_text()
    assert (out / "gate.xml").is_file()
    never = {**inputs, "baseline": str(tmp_path / "nothing")}
    code, said = run_step(action, "Gate", never, tmp_path)
    assert code != 0
    assert "nothing" in said


def test_every_input_is_used_and_every_used_input_is_there(action: dict[str, Any]) -> None:
    text = str(action["runs"])
    used = {name for name in action["inputs"] if f"inputs.{name}" in text}
    assert used == set(action["inputs"])
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), "inputs reach a script through the environment"
