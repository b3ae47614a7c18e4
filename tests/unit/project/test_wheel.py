"""What a user gets from a wheel: the package, its data, and nothing else in site-packages."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

DATA = ("boards", "docs", "firmware", "models", "published")


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built from the checkout without network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--no-build-isolation",
            "--disable-pip-version-check",
            "--wheel-dir",
            str(folder),
            str(checkout),
        ],
        check=True,
    )
    (built,) = folder.glob("npubench-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; third-party packages are borrowed from this one by a path
    entry, which does not take our own editable install along."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--disable-pip-version-check",
            str(wheel),
        ],
        check=True,
    )
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def run_installed(installed: Path, *words: str, cwd: Path) -> str:
    """Output of a program of the environment, run far from the checkout."""
    return subprocess.run(
        [str(installed / "bin" / words[0]), *words[1:]],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "HOME": str(cwd)},
    ).stdout


def test_only_our_package_reaches_site_packages(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names}
    assert top == {"npubench", next(name for name in top if name.endswith(".dist-info"))}
    assert "npubench/__init__.py" not in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_wheel_holds_every_source_and_data_file(checkout: Path, wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "compiler", "host", *DATA],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout: which files are tracked cannot be known")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = set()
    for name in filter(None, listed.stdout.split("\0")):
        root, _, rest = name.partition("/")
        if (checkout / name).is_file():
            expected.add(f"npubench/_data/{name}" if root in DATA else rest)
    assert not expected - names
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_installed_program_finds_its_data(installed: Path, tmp_path: Path) -> None:
    code = "from npubench.core.paths import data_root; print(data_root())"
    root = Path(run_installed(installed, "python", "-c", code, cwd=tmp_path).strip())
    assert root.is_relative_to(installed)
    assert all((root / part).is_dir() for part in DATA)


def test_installed_program_runs(checkout: Path, installed: Path, tmp_path: Path) -> None:
    assert "npubench" in run_installed(installed, "npubench", "--version", cwd=tmp_path)
    boards = json.loads(
        run_installed(installed, "npubench", "boards", "list", "--json", cwd=tmp_path)
    )
    expected = {path.parent.name for path in checkout.glob("boards/*/board.toml")}
    assert {board["id"] for board in boards["boards"]} == expected
    models = json.loads(
        run_installed(installed, "npubench", "models", "list", "--json", cwd=tmp_path)
    )
    expected = {path.parent.name for path in checkout.glob("models/*/model.toml")}
    assert {model["id"] for model in models["models"]} == expected


def test_hints_name_files_that_are_there(installed: Path, tmp_path: Path) -> None:
    """A page or a folder that a message names is found by who has no checkout."""
    code = (
        "from npubench.core.paths import located\n"
        "print(located('see docs/power.md, firmware/power/ina2xx_bridge.py, docs/none.md'))"
    )
    said = run_installed(installed, "python", "-c", code, cwd=tmp_path)
    page, sketch, none = said.removeprefix("see ").split(", ")
    assert Path(page).is_file()
    assert Path(sketch).is_file()
    assert Path(page).is_relative_to(installed)
    assert none.strip() == "docs/none.md"


def test_modules_come_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = (
        "import npubench.compiler.graph as low, npubench.cli.main as high\n"
        "print(low.__file__); print(high.__file__)"
    )
    files = run_installed(installed, "python", "-c", code, cwd=tmp_path).split()
    assert all(Path(file).is_relative_to(installed) for file in files)
