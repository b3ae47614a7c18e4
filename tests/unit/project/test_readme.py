"""The texts for newcomers are true: commands exist, links lead somewhere, tables are current."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from npubench.core.evidence import Evidence

CHECKOUT = Path(__file__).resolve().parents[3]
TEXTS = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md")])
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def commands(text: str, program: str) -> list[list[str]]:
    """The words after ``program`` wherever code shows it, one command each."""
    code = re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    return [
        line.split("#")[0].split()[1:]
        for block in code
        for line in block.splitlines()
        if line.split("#")[0].split()[:1] == [program]
    ]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_links_lead_somewhere(path: Path) -> None:
    dead = [
        target
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert not dead


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_make_targets_exist(path: Path) -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {words[0] for words in commands(path.read_text(encoding="utf-8"), "make") if words}
    assert named <= known


def test_help_of_make_names_every_target(tmp_path: Path) -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    shown = subprocess.run(
        ["make", "-f", str(CHECKOUT / "Makefile")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    ).stdout
    missing = {name for name in phony.group(1).split() if f"make {name}" not in shown}
    assert missing == {"help"}


def test_verbs_exist() -> None:
    """Every verb in the texts is known to the command line, and no verb is missing in README.md."""
    import typer

    from npubench.cli.app import app

    verbs = {
        name: set(getattr(command, "commands", {}))
        for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
    }
    named = set()
    for path in TEXTS:
        for words in commands(path.read_text(encoding="utf-8"), "npubench"):
            if not words or words[0].startswith("-"):
                continue
            verb = words[0].rstrip(",")
            assert verb in verbs, f"{path.name}: npubench has no verb {verb}"
            if verbs[verb] and len(words) > 1 and words[1].isalpha() and words[1].islower():
                assert words[1] in verbs[verb], f"{path.name}: {verb} has no {words[1]}"
            if path.name == "README.md":
                named.add(verb)
    assert named == set(verbs)


def test_every_kind_of_evidence_is_explained() -> None:
    for name in ("README.md", "docs/numbers.md"):
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        assert not {kind for kind in Evidence if f"| `{kind}` |" not in text}, name


def test_table_of_boards_is_current() -> None:
    result = subprocess.run(
        [sys.executable, "scripts/readme.py", "--check"],
        cwd=CHECKOUT,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT / 'compiler'}:{CHECKOUT / 'host'}"},
    )
    assert result.returncode == 0, "the table of boards in README.md is stale: run `make readme`"


def test_every_field_of_a_run_is_described() -> None:
    from npubench.runs import schema

    text = (CHECKOUT / "docs/results-format.md").read_text(encoding="utf-8")
    records = [
        value
        for value in vars(schema).values()
        if isinstance(value, type) and issubclass(value, schema.BaseModel)
    ]
    fields = {field for record in records for field in record.model_fields}
    assert len(fields) > 50
    assert not {field for field in fields if f"`{field}`" not in text}


def test_the_readme_shows_what_make_bench_prints() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("<!-- bench-output:begin -->")
    shown, _, _ = rest.partition("<!-- bench-output:end -->")
    rows = [line.split()[:4] for line in shown.splitlines()]
    for model in ("kws", "vww", "ic", "ad"):
        for board in ("qemu-m4", "qemu-m55"):
            assert [model, f"{board}:cpu", "ok,", "match"] in rows
    assert "Report: " in shown
