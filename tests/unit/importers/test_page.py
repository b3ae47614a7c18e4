"""Promise: docs/import.md does what it says, command by command."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from npubench.cli.main import run
from npubench.runs.reader import list_runs
from npubench.toolenv.environment import READY, states
from support.needs import need_compiler


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.S | re.M)


def test_the_page_from_pytorch_to_a_verdict(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = {state.id: state for state in states()}["torch"]
    if torch.status != READY:
        pytest.skip(f"{torch.title} is {torch.status}: {torch.hint}")
    pytest.importorskip("ai_edge_quantizer", reason="npubench[import] is not installed")
    pytest.importorskip("ethosu.vela", reason="Vela is not installed")
    need_compiler("qemu-m4")
    need_compiler("qemu-m55-u55")
    text = (checkout / "docs" / "import.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    module, test_set = blocks(text, "python")
    Path("my_net.py").write_text(module, encoding="utf-8")
    exec(compile(test_set, "import.md", "exec"), {})
    commands = [line for block in blocks(text, "bash") for line in block.splitlines()]
    assert [shlex.split(line)[1] for line in commands] == [
        "tools", "import", "analyze", "bench", "accuracy", "accuracy", "report",
    ]  # fmt: skip
    for line in commands:
        assert run(shlex.split(line)[1:]) == 0, line
    page = Path("npubench-report.html").read_text(encoding="utf-8")
    assert "Top-1" in page
    runs = list_runs(Path("runs")).runs
    assert len(runs) == 4
    assert {stored.record.board for stored in runs} == {"qemu-m4", "qemu-m55-u55"}
    asked = [stored.record.accuracy for stored in runs if stored.record.accuracy]
    assert [[item.form for item in items] for items in asked] == [["float", "int8", "target"]] * 2
    assert {items[-1].agreement_ratio for items in asked} == {1.0}
    for stored in runs:
        record = stored.record
        assert record.status == "ok"
        assert record.golden.status == "match"
        assert [step.tool for step in record.import_steps] == ["litert-torch", "ai-edge-quantizer"]
        assert record.import_steps[0].input_sha256 == record.model.network_sha256
        assert record.model.source == "my_net.py:MyNet"
        assert run(["verify", str(stored.path), "--json"]) == 0, json.dumps(record.run_id)
