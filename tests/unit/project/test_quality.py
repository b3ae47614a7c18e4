"""The checks that a change must pass: lint, types, layers. Each is the tool's own run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BROKEN = '"""A module of the lowest layer that reaches up."""\n\nfrom npubench.cli import app\n'


def run_check(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run this Python on ``words`` in ``folder``, with the two source roots of that folder."""
    roots = os.pathsep.join((str(folder / "compiler"), str(folder / "host")))
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": roots},
    )


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the layers of the sources in ``folder``."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return run_check(folder, "-c", program, "--no-logo", "--no-cache", "pyproject.toml")


def report(result: subprocess.CompletedProcess[str]) -> str:
    return f"{result.stdout}\n{result.stderr}"


def test_ruff(checkout: Path) -> None:
    result = run_check(checkout, "-m", "ruff", "check", "--no-cache", "--output-format", "concise")
    assert result.returncode == 0, report(result)


def test_mypy(checkout: Path) -> None:
    result = run_check(checkout, "-m", "mypy", "--no-error-summary")
    assert result.returncode == 0, report(result)


def test_layers(checkout: Path) -> None:
    result = lint_imports(checkout)
    assert result.returncode == 0, report(result)
    assert "5 kept, 0 broken" in result.stdout, report(result)


@pytest.mark.parametrize("root", ["compiler", "host"])
def test_a_broken_layer_is_seen(checkout: Path, tmp_path: Path, root: str) -> None:
    """The check sees both source roots: an import upwards fails it, in either of them."""
    for name in ("compiler", "host"):
        shutil.copytree(
            checkout / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(checkout / "pyproject.toml", tmp_path)
    place = {"compiler": "compiler/npubench/compiler", "host": "host/npubench/core"}[root]
    (tmp_path / place / "upwards.py").write_text(BROKEN, encoding="utf-8")

    result = lint_imports(tmp_path)

    assert result.returncode != 0
    assert "upwards" in result.stdout, report(result)
