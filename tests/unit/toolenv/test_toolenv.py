"""Environments of foreign tools: made exactly from their lock, and only on the explicit verb."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from packaging.requirements import Requirement

from npubench.cli.main import run
from npubench.core.errors import (
    ConfigError,
    StorageError,
    ToolError,
    ToolMissing,
    UsageError,
)
from npubench.core.progress import Event
from npubench.toolenv import catalog, environment, pythons

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
MakeTool = Callable[..., None]


@pytest.fixture
def make_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeTool:
    """A catalog of its own whose tools come from a wheel in a folder, without network."""
    folder = tmp_path / "catalog"
    folder.mkdir()
    monkeypatch.setattr(catalog, "FOLDER", folder)
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    wheel = tmp_path / "sample_tool-1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("sample_tool/__init__.py", "import absent_part\nANSWER = 42\n")
        file.writestr("sample_tool/heavy.so", "in the way")
        info = "sample_tool-1.2.dist-info"
        file.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: sample-tool\nVersion: 1.2\n"
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()

    def make(
        *,
        check: str = "import sample_tool",
        sha256: str = digest,
        python: str = MINOR,
        more: str = "",
    ) -> None:
        (folder / "sample.toml").write_text(
            'title = "Sample"\npurpose = "serves this test"\n'
            'licence = "MIT"\nmain = "sample-tool"\n'
            f'python = ["{python}"]\nplatforms = ["{catalog.this_platform()}"]\n'
            "download_mb = 1\ndisk_mb = 20\nminutes = 1\n"
            'bare = ["sample-tool==1.2"]\nremove = ["sample_tool/*.so"]\n'
            f"{more}\ncheck = '''{check}'''\n[stubs]\nabsent_part = ''\n"
        )
        (folder / "sample.lock").write_text(f"sample-tool==1.2 --hash=sha256:{sha256}\n")

    return make


def test_a_tool_is_set_up_checked_and_used(
    make_tool: MakeTool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tool()
    with pytest.raises(ToolMissing, match="not set up") as refusal:
        environment.environment("sample")
    assert "tools setup sample" in refusal.value.hint
    assert "1 MB to download, 20 MB on disk, about 1 minute, licence MIT" in refusal.value.hint

    assert run(["tools", "setup", "sample", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err.index("1 MB to download") < said.err.index("install")
    (tool,) = json.loads(said.out)["tools"]
    assert (tool["status"], tool["version"], tool["licence"]) == ("ready", "1.2", "MIT")
    assert Path(tool["path"]).is_dir()
    assert tool["mb"] > 0

    found = environment.environment("sample")
    script = tmp_path / "job.py"
    script.write_text("import sample_tool, sys; print(sample_tool.ANSWER, *sys.argv[1:])")
    assert found.script(script, "a", cwd=tmp_path).stdout.split() == ["42", "a"]
    assert not list(found.folder.rglob("heavy.so"))
    assert run(["tools", "check", "sample"]) == 0

    # A changed lock, and an environment that was left half made, are not used.
    lock = found.tool.lock.read_text()
    found.tool.lock.write_text(f"# newer\n{lock}")
    assert [state.status for state in environment.states()] == ["out of date"]
    found.tool.lock.write_text(lock)
    (found.folder / environment.MARK).unlink()
    assert [state.status for state in environment.states()] == ["interrupted"]
    with pytest.raises(ToolMissing, match="interrupted"):
        environment.environment("sample")


def test_what_differs_from_the_lock_is_not_installed(make_tool: MakeTool) -> None:
    make_tool(sha256="0" * 64)
    with pytest.raises(ToolError, match="could not be installed") as refusal:
        environment.setup("sample")
    assert "HASH" in refusal.value.tail.upper()
    assert environment.state(catalog.find("sample")).status == "interrupted"


class _Watch:
    """Notes what is told, and lets go of the lock when somebody waits for it."""

    def __init__(self, held: IO[str]) -> None:
        self.steps: list[str] = []
        self._held = held

    def event(self, event: Event) -> None:
        self.steps.append(event.step)
        if event.step == "wait":
            fcntl.flock(self._held, fcntl.LOCK_UN)


def test_a_second_set_up_says_that_it_waits_and_a_full_disk_is_named(
    make_tool: MakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tool()
    place = environment.state(catalog.find("sample")).path
    place.parent.mkdir(parents=True, exist_ok=True)
    usage = shutil.disk_usage(place.parent)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with place.with_suffix(".busy").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        watch = _Watch(held)
        with pytest.raises(StorageError, match=r"takes \d+ MB on disk, and .* has 0 MB") as refusal:
            environment.setup("sample", reporter=watch)
    assert watch.steps == ["wait"]
    assert "NPUBENCH_CACHE" in refusal.value.hint
    assert environment.state(catalog.find("sample")).status == "not set up"


def test_ctrl_c_leaves_nothing_behind(make_tool: MakeTool, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tool()
    folder = environment.state(catalog.find("sample")).path

    def interrupted(*_: object) -> None:
        (folder / "bin").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "_make", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environment.setup("sample")
    assert not folder.exists()
    assert environment.state(catalog.find("sample")).status == "not set up"


def test_a_tool_that_fails_its_job_is_not_ready(make_tool: MakeTool) -> None:
    make_tool(check="import sample_tool; assert sample_tool.ANSWER == 43, 'wrong answer'")
    with pytest.raises(ToolError, match="does not pass its check") as refusal:
        environment.setup("sample")
    assert "wrong answer" in refusal.value.tail
    with pytest.raises(ToolMissing):
        environment.environment("sample")


def test_the_kind_of_machine_and_the_python_are_looked_at_first(
    make_tool: MakeTool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_tool(python="3.4")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"no CPython 3\.4") as refusal:
        environment.setup("sample")
    assert "--python" in refusal.value.hint
    with pytest.raises(UsageError, match=rf"is CPython {re.escape(MINOR)}"):
        environment.setup("sample", python=Path(sys.executable))
    monkeypatch.setattr(environment, "this_platform", lambda: "plan9-pdp11")
    monkeypatch.setattr(catalog, "this_platform", lambda: "plan9-pdp11")
    with pytest.raises(ToolMissing, match="cannot be set up on plan9-pdp11"):
        environment.setup("sample")


def test_a_name_on_the_path_is_run_before_it_is_believed(tmp_path: Path) -> None:
    shim = tmp_path / f"python{MINOR}"
    shim.write_text("#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n")
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    versions = tmp_path / "pyenv" / "versions" / f"{MINOR}.1" / "bin"
    versions.mkdir(parents=True)
    (versions / "python").symlink_to(sys.executable)
    environ = {"PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path / "pyenv")}
    assert pythons.probe(shim) is None
    assert pythons.choose((MINOR,), environ=environ).minor == MINOR
    with pytest.raises(ToolMissing):
        pythons.choose((MINOR,), environ=environ | {"PYENV_ROOT": str(tmp_path)})


def test_an_unknown_tool_and_a_wrong_file_are_named(make_tool: MakeTool) -> None:
    make_tool(more="colour = 'red'")
    with pytest.raises(ConfigError, match="colour"):
        catalog.tools()
    make_tool()
    with pytest.raises(UsageError, match="there is no tool 'other'") as refusal:
        catalog.find("other")
    assert "sample" in refusal.value.hint
    (catalog.FOLDER / "sample.lock").unlink()
    with pytest.raises(ConfigError, match="lock"):
        catalog.tools()


@pytest.mark.parametrize("tool", catalog.tools(), ids=lambda tool: tool.id)
def test_each_lock_pins_everything_that_its_tool_asks_for(tool: catalog.Tool) -> None:
    text = tool.lock.read_text()
    pins = {
        match[1].lower(): match[2]
        for match in re.finditer(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE)
    }
    blocks = re.split(r"\n(?=\S)", "\n".join(text.splitlines()[1:]))
    assert all("--hash=sha256:" in block for block in blocks)
    assert tool.file.main in pins
    for wanted in (*tool.file.requirements, *tool.file.bare):
        asked = Requirement(wanted)
        name = asked.name.lower()
        assert name in pins, f"{name}: run scripts/tool_lock.py {tool.id}"
        assert asked.specifier.contains(pins[name], prereleases=True), wanted
    compile(tool.file.check, tool.id, "exec")
