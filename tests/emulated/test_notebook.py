"""The notebook of the documentation runs, from its first cell to its last."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "examples" / "first-run.ipynb"

pytestmark = [pytest.mark.emulated, pytest.mark.native]


def execute(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does; gives the value of its last line, where that is one."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, NOTEBOOK.name, "exec"), names)
    if last is None:
        return None
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names)


def test_the_notebook_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    values = [
        execute("".join(cell["source"]), names) for cell in cells if cell["cell_type"] == "code"
    ]
    network, image, targets, table, verdicts = values
    assert network[0] == 88064
    assert image[0] == "firmware.elf"
    assert targets == {"native:cpu": (True, "match"), "qemu-m4:cpu": (True, "match")}
    assert sorted(table["evidence"]) == ["counted", "unavailable"]
    assert set(verdicts.values()) == {"equal"}
    assert capfd.readouterr() == ("", ""), "the API prints nothing"
    assert Path.cwd() == tmp_path
