"""Completion answers the shell at once, with what there is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from npubench.cli.app import app
from npubench.cli.completion import SCRIPTS, candidates
from npubench.cli.main import run


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["be"], {"bench"}),
        (["runs", ""], {"list", "show"}),
        (["bench", "kw"], {"kws"}),
        (["bench", "kws", "--board", "qemu-m5"], {"qemu-m55", "qemu-m55-u55"}),
        (["bench", "kws", "--board", "qemu-m4", "--backend", "ethos"], {"ethos-u"}),
        (["bench", "--on-"], {"--on-model", "--on-simulator"}),
        (["tools", "setup", "o"], {"onnx"}),
        (["completion", ""], {"bash", "fish", "zsh"}),
    ],
)
def test_words_are_completed(words: list[str], some: set[str]) -> None:
    found = candidates(app, words)
    assert some <= set(found)
    assert all(word.startswith(words[-1]) for word in found)


@pytest.mark.parametrize("words", [["bench", "kws", "--report", ""], ["nonsense", "x"], []])
def test_where_a_file_may_stand_nothing_is_offered(words: list[str]) -> None:
    found = candidates(app, words)
    assert found == [] or words == []


def test_the_shell_is_answered_before_anything_heavy_is_imported(checkout: Path) -> None:
    code = (
        "import sys; from npubench.cli.main import run\n"
        "run(['__complete', 'bench', 'kws', '--board', 'qemu-m4'])\n"
        "print({name.partition('.')[0] for name in sys.modules} & "
        "{'numpy', 'pandas', 'scipy', 'pyarrow', 'pydantic', 'jinja2', 'rich'})"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "PYTHONPATH": f"{checkout / 'compiler'}:{checkout / 'host'}"},
    ).stdout.splitlines()
    assert said == ["qemu-m4", "set()"]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_the_shells(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["completion", shell]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([program, "-n", script], check=True)


def test_bash_completes(tmp_path: Path, checkout: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    own = tmp_path / "npubench"
    own.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'from npubench.cli.main import main; main()' \"$@\"\n"
    )
    own.chmod(0o755)
    roots = f"{checkout / 'compiler'}:{checkout / 'host'}"
    said = subprocess.run(
        [
            bash,
            "-c",
            f"{SCRIPTS['bash']}\nCOMP_WORDS=(npubench bench kws --board qemu-m5); COMP_CWORD=4; "
            '_npubench; echo "${COMPREPLY[@]}"',
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": roots},
    ).stdout
    found = said.split()
    assert {"qemu-m55", "qemu-m55-u55"} <= set(found)
    assert all(word.startswith("qemu-m5") for word in found)
