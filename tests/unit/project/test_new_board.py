"""Adding a board of a family that is there takes one file: board.toml."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from npubench import boards
from npubench.bench.job import resolve_jobs
from npubench.bench.prepare import build_image
from npubench.build.elf import read_image
from npubench.compiler.compiled import compile_network, read_network
from npubench.core import paths
from npubench.core.errors import ConfigError
from npubench.core.progress import Silent

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
)

NAME = "my-max78000"
CHANGES = (
    ('id = "max78000fthr"', f'id = "{NAME}"'),
    ('name = "MAX78000FTHR', 'name = "My own board'),
    ("NB_CODE0_PIN = 4", "NB_CODE0_PIN = 5"),
    ("size_bytes = 0x20000", "size_bytes = 0x10000"),
)


@pytest.fixture
def new_board(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data root that has the checkout's firmware and models, and one board: a file of ours."""
    cache = paths.cache_root()
    for name in ("firmware", "models"):
        (tmp_path / name).symlink_to(checkout / name)
    folder = tmp_path / "boards" / NAME
    folder.mkdir(parents=True)
    text = (checkout / "boards" / "max78000fthr" / "board.toml").read_text(encoding="utf-8")
    for old, new in CHANGES:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "board.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("NPUBENCH_CACHE", str(cache))
    monkeypatch.setattr(paths, "checkout_root", lambda: tmp_path)
    paths.data_root.cache_clear()
    boards.board_ids.cache_clear()
    yield folder / "board.toml"
    paths.data_root.cache_clear()
    boards.board_ids.cache_clear()


def test_one_file_makes_a_board(new_board: Path) -> None:
    assert boards.board_ids() == (NAME,)
    (job,) = resolve_jobs(["digits"], [NAME], ["cpu"])
    prepared = build_image(
        compile_network(read_network(job.model), job.board, job.backend), job, Silent()
    )
    image = read_image(prepared.firmware.elf)
    assert image.vectors is not None
    assert image.vectors[0] == 0x20000000 + 0x10000, "the stack ends where the file says RAM ends"
    header = prepared.compiled.project.files["include/nb_board.h"].decode()
    assert f'"{NAME}"' in header
    assert "#define NB_CODE0_PIN 5" in header
    assert new_board.parent.parent.name == "boards"
    assert [path.name for path in new_board.parent.iterdir()] == ["board.toml"]


def test_a_family_that_is_not_there_is_said(new_board: Path) -> None:
    text = new_board.read_text(encoding="utf-8")
    new_board.write_text(text.replace('hal = "max78"', 'hal = "max79"'), encoding="utf-8")
    (job,) = resolve_jobs(["digits"], [NAME], ["cpu"])
    with pytest.raises(ConfigError, match="there is no family 'max79'"):
        compile_network(read_network(job.model), job.board, job.backend)
