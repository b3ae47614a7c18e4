"""The promise that a refusal says what to do, whatever it refuses."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from npubench.boards import board_ids, load_board
from npubench.cli import app
from npubench.cli.main import run
from npubench.compiler.backends import load_backend
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import DoesNotFit, ModelFormatError, StorageError, UsageError
from npubench.report.catalog import boards_table
from support.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model


@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec(ops=(OpSpec(inputs=(99,)),)),
        ModelSpec(tensors=(TensorSpec(shape=(1, 60_000, 30_000)), TensorSpec())),
        ModelSpec(version=9),
        ModelSpec(subgraphs=0),
    ],
    ids=["wild index", "too large", "version", "no subgraph"],
)
def test_every_refused_file_comes_with_a_hint(spec: ModelSpec) -> None:
    with pytest.raises(ModelFormatError) as caught:
        read_tflite(write_model(spec), name="bad")
    assert caught.value.hint


def test_what_takes_the_memory_beside_the_arena_is_named() -> None:
    big = TensorSpec(shape=(1, 3000, 1000))
    data = write_model(ModelSpec(tensors=(big, big)))
    with pytest.raises(DoesNotFit) as caught:
        load_backend("cpu").compile(read_tflite(data, name="big"), data, load_board("qemu-m4"))
    assert "beside 6000000 bytes of uploaded input and output" in caught.value.message
    # The operator works in place: one tensor's bytes serve both.
    assert (caught.value.needed_bytes, caught.value.free_bytes) == (3_000_000, 0)


def test_a_folder_that_cannot_be_written_does_not_lose_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    from npubench.bench import prepare
    from npubench.cli.build import build

    (tmp_path / "file").write_text("in the way")
    (tmp_path / "project").mkdir()
    image = tmp_path / "firmware.elf"
    firmware = SimpleNamespace(elf=image, map=image, project_dir=tmp_path / "project")
    monkeypatch.setattr(prepare, "build_image", lambda *_: SimpleNamespace(firmware=firmware))
    with pytest.raises(StorageError) as caught:
        build("kws", "qemu-m4", output=tmp_path / "file" / "out", as_json=False)
    assert str(image) in caught.value.hint


def test_a_full_disk_is_no_bug_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(words: list[str]) -> int:
        del words
        raise OSError(errno.ENOSPC, "No space left on device", "some/file")

    monkeypatch.setattr(app, "run_words", full)
    assert run(["boards", "list", "--json"]) == StorageError.exit_code
    said = capsys.readouterr()
    assert "some/file: cannot be written: No space left on device" in said.err
    assert json.loads(said.out)["error"]["kind"] == "StorageError"


def test_the_list_of_boards_breaks_no_word_at_80_columns() -> None:
    boards = [load_board(name) for name in board_ids()]
    out = io.StringIO()
    Console(file=out, width=80).print(boards_table(boards))
    words = set(out.getvalue().split())
    for board in boards:
        assert {board.id, *board.status.cpu.split("-")} <= words


def test_an_input_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    words = ["bench", "kws", "--runs-dir", str(tmp_path / "runs")]
    assert run([*words, "--input", str(tmp_path / "none.bin")]) == UsageError.exit_code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["--help"], ["boards", "list"], ["boards", "list", "--json"]])
def test_a_reader_that_goes_away_is_no_error(words: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from npubench.cli.main import main; main()", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        said = process.stderr.read()
    assert (process.wait(60), said) == (0, "")


@pytest.mark.parametrize("words", [[], ["boards"]])
def test_a_command_without_words_shows_its_help(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == UsageError.exit_code
    said = capsys.readouterr()
    assert said.err.startswith("Usage: npubench")
    assert "hint:" not in said.err
