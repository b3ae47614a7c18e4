"""Promise: what lies in the user's environment cannot change what a tool makes."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest

from npubench.core.errors import ToolError
from npubench.core.tool import own_python, run_tool, tool_environment

HARMFUL = (
    "C_INCLUDE_PATH", "CPATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "CFLAGS",
    "DEPENDENCIES_OUTPUT", "SOURCE_DATE_EPOCH", "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONHOME",
    "PYTHONSTARTUP", "PYTHONPATH", "SCONSFLAGS", "PLATFORMIO_BUILD_FLAGS", "GIT_DIR",
    "QEMU_AUDIO_DRV", "TF_ENABLE_ONEDNN_OPTS", "UNHEARD_OF",
)  # fmt: skip
_SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


def _seen(**options: object) -> dict[str, str]:
    result = run_tool((sys.executable, "-c", _SHOW), **options)  # type: ignore[arg-type]
    seen: dict[str, str] = json.loads(result.stdout)
    return seen


def test_only_the_allowed_variables_reach_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HARMFUL:
        monkeypatch.setenv(name, "harm")
    for name in ("LC_ALL", "NPUBENCH_CACHE", "HTTPS_PROXY", "TMPDIR"):
        monkeypatch.setenv(name, "C" if name == "LC_ALL" else "/tmp")
    seen = _seen()
    assert set(HARMFUL).isdisjoint(seen)
    assert {"PATH", "LC_ALL", "NPUBENCH_CACHE", "HTTPS_PROXY", "TMPDIR"} <= set(seen)


def test_what_a_caller_adds_or_keeps_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/vendor")
    assert "LD_LIBRARY_PATH" not in _seen(env={"A": "1"})
    seen = _seen(env={"A": "1"}, keep=("LD_LIBRARY_PATH",))
    assert (seen["A"], seen["LD_LIBRARY_PATH"]) == ("1", "/opt/vendor")
    assert tool_environment({"PATH": "/x"})["PATH"] == "/x"


def test_a_module_of_ours_is_found_without_the_users_python_path() -> None:
    argv, extra = own_python("npubench.core.version")
    assert run_tool(argv, env=extra).code == 0


def test_lines_are_told_as_they_come_and_kept_as_well() -> None:
    """The program waits for its input file until the first line was heard."""
    seen: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        go = Path(folder) / "go"
        text = (
            "import pathlib, sys, time\n"
            "print('one', flush=True)\n"
            f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\n"
            "print('two'); print('three', file=sys.stderr)\n"
        )

        def heard(line: str) -> None:
            seen.append(line)
            go.touch()

        result = run_tool((sys.executable, "-c", text), heard=heard, timeout_s=60.0)
    assert seen == ["one", "two"]
    assert (result.stdout, result.stderr) == ("one\ntwo\n", "three\n")


def test_a_program_that_is_listened_to_ends_with_its_time() -> None:
    argv = (sys.executable, "-c", "print('one', flush=True)\nwhile True: pass")
    with pytest.raises(ToolError, match="did not end within"):
        run_tool(argv, heard=lambda _: None, timeout_s=0.5)
