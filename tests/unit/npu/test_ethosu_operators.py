"""Every operator that Vela maps: exact, or it is said who is off. The table has all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.compiler.backends.ethos_u import BACKEND, proven
from npubench.compiler.backends.ethos_u.listed import operators
from npubench.compiler.findings import NPU_DIFFERS, NPU_UNPROVEN
from npubench.compiler.tflite.reader import load_tflite
from support.npu_operator_verdict import EXACT, MISCOMPILED, ON_CPU, TRUE, operator_verdict
from support.npu_operators import OPERATORS, operator_network
from support.vela_in_process import CHECKOUT

pytest.importorskip("ethosu.vela", reason="Vela is not installed")

BOARD = load_board("qemu-m55-u55")
FRESH = 100
"""A seed beyond those of the table."""


def test_the_table_has_what_velas_report_has() -> None:
    assert list(OPERATORS) == sorted(OPERATORS)
    assert set(operators()) == set(OPERATORS) == set(proven.table())
    for kind, types in operators().items():
        run = {
            dtype
            for dtype, cores in proven.table()[kind].items()
            if any(cores["default"].get(word) for word in (*proven.RIGHT, proven.DIFFERS))
        }
        assert run <= {str(dtype) for dtype in types}, kind


def test_the_page_is_made_of_the_table() -> None:
    published = (CHECKOUT / "docs" / "npu-operators.md").read_text(encoding="utf-8")
    assert published == proven.page(), (
        "renew it: python -m npubench.compiler.backends.ethos_u.proven > docs/npu-operators.md"
    )


@pytest.mark.parametrize("kind", OPERATORS)
def test_an_operator_is_exact(kind: str, tmp_path: Path) -> None:
    number = list(OPERATORS).index(kind)
    part = ("ethos-u55-32", "ethos-u55-256", "ethos-u65-512")[number % 3]
    word = operator_verdict(kind, "int8", FRESH + number, tmp_path, accelerator=part)
    counts = proven.table()[kind]["int8"]["default"]
    assert word in counts or word in (EXACT, TRUE, ON_CPU, MISCOMPILED)


@pytest.mark.parametrize("kind", list(OPERATORS)[::4])
def test_an_operator_of_16_bits_is_as_the_table_says(kind: str, tmp_path: Path) -> None:
    word = operator_verdict(kind, "int16", FRESH, tmp_path, accelerator="ethos-u55-128")
    counts = proven.table()[kind]["int16"]["default"]
    assert word in counts or (word == EXACT and TRUE in counts)


def test_an_operator_without_proof_is_named_before_a_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "network.tflite"
    path.write_bytes(operator_network("SUM", "int8", 1))
    data, graph = load_tflite(path)
    assert BACKEND.compile(graph, data, BOARD).findings == ()
    table = {"SUM": {"int8": {"default": {"differs": 2, "exact": 4}}}}
    monkeypatch.setattr(proven, "table", lambda: table)
    (found,) = BACKEND.compile(graph, data, BOARD).findings
    assert found.finding is NPU_DIFFERS
    assert "SUM of int8 (2 of 6 networks)" in found.text
    monkeypatch.setattr(proven, "table", dict)
    (found,) = BACKEND.compile(graph, data, BOARD).findings
    assert found.finding is NPU_UNPROVEN
    assert found.text.endswith("nothing independent was found to compare with: SUM of int8")
