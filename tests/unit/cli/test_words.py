"""Promise: a path that no record could hold is refused before anything runs, in words that can be
printed and parsed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from npubench.cli.main import run

BAD = os.fsdecode(b"mod\xffel.tflite")


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", BAD],
        ["bench", "digits", "--runs-dir", BAD],
        ["build", "digits", "--output", os.fsdecode(b"\xc3")],
        ["bench", "digits", "--report", os.fsdecode(b"r\xe9sum\xe9.html")],
        ["runs", "list", "--runs-dir", os.fsdecode(b"\xed\xa0\x80")],
    ],
)
def test_words_that_are_not_utf8_are_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--json"]) == 2
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert "is not UTF-8" in document["error"]["message"]
    assert "\\x" in document["error"]["message"]
    out.encode()
    err.encode()


def test_a_folder_above_us_may_have_any_name(checkout: Path, tmp_path: Path) -> None:
    """The working folder's name is not UTF-8 and ends up in paths of the document: escaped, and
    still JSON."""
    folder = tmp_path / os.fsdecode(b"f\xffolder")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(str(checkout / root) for root in ("compiler", "host")),
        "NPUBENCH_CACHE": str(tmp_path / "cache"),
    }
    start = "from npubench.cli.main import main; main()"
    words = ["models", "list", "--json"]
    result = subprocess.run(
        [sys.executable, "-c", start, *words],
        cwd=folder, env=environment, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    json.loads(result.stdout.decode("utf-8"))
    script = (
        "import os, sys; from npubench.cli.main import main; import npubench.cli.app as app\n"
        "from npubench.cli.output import print_json\n"
        "app.run_words = lambda words: print_json({'at': os.getcwd()}) or 0\n"
        "main(['x'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder, env=environment, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.decode("utf-8"))["at"].endswith("f\udcffolder")
