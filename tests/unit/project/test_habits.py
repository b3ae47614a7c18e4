"""Habits that machines hold: the form of C, the site of the docs, fragments, forms, citation."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

KINDS = ("added", "changed", "fixed", "removed")


def test_the_c_sources_are_as_described(checkout: Path) -> None:
    result = subprocess.run(
        [sys.executable, "scripts/format_c.py", "--check"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"make format\n{result.stderr[-3000:]}"


@pytest.mark.slow
def test_the_docs_are_a_site(checkout: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"),
            *("-d", str(tmp_path / "trees"), "docs", str(tmp_path / "site")),
        ],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    pages = {path.stem for path in (checkout / "docs").glob("*.md")}
    assert pages | {"index"} <= {path.stem for path in (tmp_path / "site").glob("*.html")}
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=\"https?://[^\"]+\.(?:js|css|woff2?)\"", index)


def test_changes_are_fragments(checkout: Path) -> None:
    for path in (checkout / "changes").glob("*.md"):
        assert re.fullmatch(rf"[a-z0-9-]+\.(?:{'|'.join(KINDS)})\.md", path.name), path.name
        text = path.read_text(encoding="utf-8").strip()
        assert text, path.name
        assert not text.startswith("-"), f"{path.name}: without the dash"
    marker = tomllib.loads((checkout / "pyproject.toml").read_text())["tool"]["towncrier"]
    assert tuple(kind["directory"] for kind in marker["type"]) == KINDS
    assert marker["start_string"] in (checkout / "CHANGELOG.md").read_text(encoding="utf-8")


def test_workflows_and_forms_say_what_there_is(checkout: Path) -> None:
    makefile = (checkout / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for path in sorted((checkout / ".github").rglob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert document, path.name
        for job in document.get("jobs", {}).values():
            for step in job["steps"]:
                for target in re.findall(r"^make ([a-z-]+)", step.get("run", ""), re.MULTILINE):
                    assert target in targets, f"{path.name}: make {target}"
    hooks = yaml.safe_load((checkout / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in hooks["repos"]] == ["local"], "no foreign hooks"
    json.loads((checkout / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version(checkout: Path) -> None:
    citation = yaml.safe_load((checkout / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    assert citation["version"] == project["version"]
    assert citation["title"] == project["name"]
    assert citation["license"] == project["license"]
