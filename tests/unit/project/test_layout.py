"""The layout that everything relies on: two source roots of one namespace, layers, clean texts."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOTS = ("compiler/npubench", "host/npubench")
# Written so that this file does not match itself.
FOREIGN = {
    "a path of somebody's machine": re.compile(
        rb"(?<![\w.$~-])/(?:work|root|home|Users)" + rb"/\w"
    ),
    "a temporary folder of somebody's machine": re.compile(rb"(?<![\w.$~-])/tmp" + rb"/[a-z]"),
    "the host of a package registry": re.compile(
        rb"(?:pypi\." + rb"org|pythonhosted\." + rb"org|deb\.debian\." + rb"org|npmjs\." + rb"org)"
    ),
}


def tracked_files(checkout: Path) -> list[Path]:
    """All files that belong to the project, also those that are not committed yet."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=checkout,
            capture_output=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: which files are tracked cannot be known")
    paths = (checkout / name for name in listed.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def top_level_parts(checkout: Path) -> Iterator[str]:
    """Names of the packages and modules directly under ``npubench``, of both roots."""
    for root in ROOTS:
        for path in (checkout / root).iterdir():
            if path.name == "__pycache__" or path.name.startswith("."):
                continue
            if path.suffix == ".py" or any(path.rglob("*.py")):
                yield path.stem


def layer_names(checkout: Path) -> list[str]:
    """Every module that the import-linter contract names, top first."""
    config = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (
        item for item in config["tool"]["importlinter"]["contracts"] if item["id"] == "layers"
    )
    assert contract["exhaustive"], "the contract must be exhaustive"
    return [name for layer in contract["layers"] for name in re.split(r"[ |:]+", layer)]


@pytest.mark.parametrize("root", ROOTS)
def test_no_init_hides_the_other_root(checkout: Path, root: str) -> None:
    assert not (checkout / root / "__init__.py").exists(), (
        f"{root}/__init__.py makes npubench a regular package and hides the other source root: "
        "delete it"
    )


def test_both_roots_hold_different_parts(checkout: Path) -> None:
    parts = list(top_level_parts(checkout))
    assert len(parts) == len(set(parts)), "a part lies in both source roots"


def test_every_part_has_its_layer(checkout: Path) -> None:
    parts, layers = set(top_level_parts(checkout)), layer_names(checkout)
    assert parts == set(layers), (
        f"without a layer: {sorted(parts - set(layers))}; "
        f"named, but not there: {sorted(set(layers) - parts)}: "
        "edit [tool.importlinter] in pyproject.toml"
    )


def test_every_package_is_a_regular_package(checkout: Path) -> None:
    """A folder without __init__.py would be imported, but packaged and type-checked differently."""
    missing = {
        path.parent.relative_to(checkout)
        for root in ROOTS
        for path in (checkout / root).glob("*/**/*.py")
        if not (path.parent / "__init__.py").exists()
    }
    assert not missing, f"add an __init__.py to {sorted(map(str, missing))}"


@pytest.mark.parametrize("kind", FOREIGN)
def test_tracked_files_speak_of_the_project_alone(checkout: Path, kind: str) -> None:
    found = [
        f"{path.relative_to(checkout)}: {match.group(0).decode(errors='replace')}"
        for path in tracked_files(checkout)
        for match in [FOREIGN[kind].search(path.read_bytes())]
        if match is not None
    ]
    assert not found, f"{kind} in:\n" + "\n".join(found)


def imported_by(checkout: Path, statements: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after ``statements``."""
    code = (
        f"import sys\n{statements}\n"
        "print('\\n'.join({name.partition('.')[0] for name in sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "PYTHONPATH": f"{checkout / 'compiler'}:{checkout / 'host'}"},
    )
    return set(result.stdout.split())


HEAVY = {"numpy", "pandas", "scipy", "tensorflow", "pyarrow", "PIL", "tflite_micro", "jinja2"}


def test_help_imports_nothing_heavy(checkout: Path) -> None:
    loaded = imported_by(
        checkout,
        "import contextlib, io\n"
        "from npubench.cli.main import run\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    assert run(['--help']) == 0\n"
        "    assert run(['bench', '--help']) == 0",
    )
    assert not loaded & HEAVY


def test_bench_imports_neither_pandas_nor_scipy(checkout: Path) -> None:
    folders = tuple(
        f"host/npubench/{room}"
        for room in ("bench", "build", "connect", "emulators", "transport", "wire")
    )
    modules = sorted(
        ".".join(path.relative_to(checkout / "host").with_suffix("").parts)
        for folder in folders
        for path in (checkout / folder).rglob("*.py")
        if path.name != "__init__.py"
    )
    loaded = imported_by(checkout, "\n".join(f"import {module}" for module in modules))
    assert not loaded & {"pandas", "scipy", "tensorflow", "PIL"}
