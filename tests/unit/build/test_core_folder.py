"""Two PlatformIOs that start at once find the folders that each would make and fail at."""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench.build.platformio import core_dir
from npubench.core.errors import ToolError


def test_its_folders_are_there_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path))
    for _ in range(2):  # also where they are there already
        core = core_dir()
        for name in ("packages", "platforms", ".cache/downloads", ".cache/tmp"):
            assert (core / name).is_dir()
    assert (core / "packages" / "tool-scons" / ".piopm").is_file()


def test_a_cache_that_is_a_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "platformio").write_text("")
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path))
    with pytest.raises(ToolError, match="PlatformIO's folder cannot be made"):
        core_dir()
