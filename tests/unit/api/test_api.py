"""The front door for Python: typed, quiet, and what the verbs themselves use."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from npubench import api, cli
from npubench.core.errors import ResultError, UsageError
from npubench.runs.store import RunWriter, StoredRun

CLI = Path(cli.__file__).parent
FUNCTIONS = (
    "analyze",
    "bench",
    "build",
    "compare",
    "load_runs",
    "micro",
    "sweep",
    "where_it_breaks",
)


def test_all_that_is_promised_is_there_and_typed() -> None:
    assert set(FUNCTIONS) <= set(api.__all__)
    for name in api.__all__:
        assert getattr(api, name).__doc__, name
    for name in FUNCTIONS:
        signature = inspect.signature(getattr(api, name))
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(one.annotation for one in signature.parameters.values())
    assert (Path(api.__file__).parent / "py.typed").is_file()


def _orders(function: ast.FunctionDef) -> list[str]:
    """Calls of a verb into rooms that do something: not into report, core or the verbs' own."""
    names: dict[str, str] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.ImportFrom) and node.module and node.module != "npubench":
            room = node.module.split(".")[1] if node.module.startswith("npubench.") else ""
            if room not in ("", "cli", "report", "core"):
                names |= {alias.asname or alias.name: node.module for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "npubench":
            names |= {alias.name: alias.name for alias in node.names}
    found = []
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            root = node.func
            while isinstance(root, ast.Attribute):
                root = root.value
            # A class makes an argument, a parser reads a word: neither does the verb's work.
            called = ast.unparse(node.func)
            if (
                isinstance(root, ast.Name)
                and root.id in names
                and not called.rpartition(".")[2][0].isupper()
                and not called.startswith(("parse_", "find_run"))
            ):
                found.append(called)
    return found


def test_each_verb_calls_one_function_of_a_room() -> None:
    many = {}
    for path in sorted(CLI.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        registered = ast.unparse(tree)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                is_verb = f")({node.name})" in registered or any(
                    "app.command" in ast.unparse(one) for one in node.decorator_list
                )
                orders = _orders(node)
                if is_verb and len(orders) > 1:
                    many[f"{path.stem}.{node.name}"] = orders
    assert many == {}


def test_analysis_is_of_the_network_or_of_its_plan() -> None:
    found = api.analyze("kws")
    assert isinstance(found, api.Inspection)
    assert (found.error, found.compiled) == (None, None)
    assert found.network.analysis.macs == 2_656_768
    compiled = api.analyze("kws", board="qemu-m4").compiled
    assert compiled is not None
    assert compiled.plan.backend == "cpu"
    with pytest.raises(UsageError, match="a backend needs a board"):
        api.analyze("kws", backend="cpu")


def test_runs_are_compared_by_object_and_by_name(
    tmp_path: Path, make_stored: Callable[..., StoredRun]
) -> None:
    a, b = make_stored(), make_stored(board="qemu-m55", infer=30_000_000)
    comparison = api.compare(a, b)
    assert comparison.provenance[0].what == "target"
    with pytest.raises(ResultError, match="no run"):
        api.compare("nothing", b, runs_dir=tmp_path)
    for run in (a, b):
        with RunWriter(tmp_path / "runs", run.record.run_id) as writer:
            writer.finish(run.record)
    named = api.compare(a.record.run_id, "latest", runs_dir=tmp_path / "runs")
    assert named.b.record.run_id == b.record.run_id
    assert set(api.load_runs(tmp_path / "runs")["target"]) == {"qemu-m4:cpu", "qemu-m55:cpu"}


def test_a_simulator_is_not_guessed() -> None:
    with pytest.raises(UsageError, match="needs a board"):
        api.bench(["kws"], place=api.Place.SIMULATOR)
