"""Promise: what runs where is told in advance, completely, from the code that decides it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from npubench.cli.main import run
from npubench.compiler.backends.ethos_u.listed import parse
from npubench.compiler.coverage.network import missing, uses
from npubench.compiler.coverage.samples import TYPES
from npubench.compiler.coverage.table import cpu_operators
from npubench.compiler.graph import DType
from npubench.compiler.lower import SUPPORTED
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import ToolError
from support.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model

OPS = Path(__file__).resolve().parents[2] / "data" / "ops"


def _chain(*kinds: str, dtype: str = "int8") -> bytes:
    tensors = tuple(TensorSpec(dtype=dtype, name=f"t{n}") for n in range(len(kinds) + 1))
    ops = tuple(OpSpec(kind=kind, inputs=(n,), outputs=(n + 1,)) for n, kind in enumerate(kinds))
    return write_model(ModelSpec(tensors=tensors, ops=ops, outputs=(len(kinds),)))


def test_every_lowering_takes_one_of_the_samples() -> None:
    table = cpu_operators()
    assert set(table) == set(SUPPORTED)
    assert [kind for kind, dtypes in table.items() if not dtypes] == []
    assert all(set(dtypes) <= set(TYPES) for dtypes in table.values())


def test_networks_that_run_are_covered_by_the_table() -> None:
    """The table says of no operator less than the networks that the kernels are tested on."""
    table = cpu_operators()
    for path in sorted(OPS.glob("*.tflite"))[::7]:
        for use in uses(read_tflite(path.read_bytes(), name=path.stem), npus=()):
            assert use.refused == ()
            assert use.dtype in table[use.op] or use.dtype not in TYPES, path.stem


def test_all_that_is_missing_is_listed_at_once() -> None:
    data = _chain("RELU", "GELU", "SVDF", "GELU", "CUMSUM")
    found = missing(read_tflite(data, name="net"), npus=())
    assert [(use.op, use.refused) for use in found] == [
        ("GELU", (1, 3)),
        ("SVDF", (2,)),
        ("CUMSUM", (4,)),
    ]
    assert all(use.reason and use.hint for use in found)


@pytest.mark.parametrize("board", [(), ("--board", "qemu-m4")])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (_chain("SVDF", "CUMSUM", "RELU"), {("SVDF", "int8"), ("CUMSUM", "int8")}),
        (_chain("RELU", "LOGISTIC", dtype="bool"), {("RELU", "bool"), ("LOGISTIC", "bool")}),
        (_chain("RELU", "WHERE", dtype="float32"), {("RELU", "float32"), ("WHERE", "float32")}),
    ],
    ids=["operators", "a type", "floats"],
)
def test_analyze_lists_what_runs_nowhere(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    data: bytes,
    expected: set[tuple[str, str]],
    board: tuple[str, ...],
) -> None:
    (tmp_path / "net.tflite").write_bytes(data)
    words = ["analyze", str(tmp_path / "net.tflite"), *board]
    assert run([*words, "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert {(use["op"], use["dtype"]) for use in document["missing"]} == expected
    assert document["error"]["message"]
    assert run(words) == 2
    out = capsys.readouterr().out
    assert all(f"- {op} {dtype} " in out for op, dtype in expected)


def test_analyze_of_a_network_that_runs_has_nothing_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["analyze", "digits", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["missing"], document["error"]) == ([], None)


def test_coverage_of_a_network_and_a_board(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["coverage", "digits", "--board", "qemu-m4", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["runs"] is True
    assert {use["op"] for use in document["operators"]} >= {"CONV_2D", "FULLY_CONNECTED"}
    assert set(document["engines"].values()) <= {"cpu", "nothing to do"}
    (tmp_path / "net.tflite").write_bytes(_chain("CUMSUM"))
    assert run(["coverage", str(tmp_path / "net.tflite"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["runs"] is False
    assert run(["coverage", "--board", "qemu-m4"]) == 2


def test_velas_report_is_read_by_its_sections() -> None:
    text = (
        "## Ethos-U55 and Ethos-U65 TFLite Summary Table\n\n| Operator | C |\n| --- | --- |\n"
        "| ADD | [Generic](#g) |\n| LOG | [Generic](#g), [Specific](#s) |\n\n"
        "## Ethos-U85 TFLite Summary Table\n| CAST | [Generic](#g) |\n\n"
        "## Ethos-U55 and Ethos-U65 TFLite Generic Constraints\n"
        '- Feature-map dataTypes must be one of {"INT16", "INT8", "UINT8"}\n\n'
        "### Ethos-U55 and Ethos-U65 TFLite LOG Constraints\n"
        "- IFM and OFM datatypes must match, and must be Int8 or Int16\n\n## End\n"
    )
    assert parse(text) == {
        "ADD": (DType.INT8, DType.UINT8, DType.INT16),
        "LOG": (DType.INT8, DType.INT16),
    }
    with pytest.raises(ToolError, match="cannot be read"):
        parse("## Something else\n")


def test_the_page_of_operators_is_what_the_program_says(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Renew it: npubench coverage --markdown > docs/coverage.md"""
    pytest.importorskip("ethosu.vela")
    assert run(["coverage", "--markdown"]) == 0
    assert (checkout / "docs" / "coverage.md").read_text() == capsys.readouterr().out
