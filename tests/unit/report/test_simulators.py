"""The table of what vendors' simulators gave says what the stored runs say."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from npubench.report.simulators import simulators_table
from npubench.runs.store import StoredRun
from npubench.zoo import load_zoo

CHECKOUT = Path(__file__).resolve().parents[3]


def a_run(target: str, network: str, **changes: Any) -> StoredRun:
    """A stored run, as far as the table reads it."""
    scheme = SimpleNamespace(
        samples=100,
        distribution="drawn",
        snr_db=(22.24, 30.0),
        snr_low_db=(21.0, 29.0),
        agreement_ratio=0.98,
        agreement_low_ratio=0.93,
        int8_snr_db=(31.0,),
        int8_agreement_ratio=None,
        worst_layer=None,
    )
    fields: dict[str, Any] = {
        "target": target,
        "status": "ok",
        "model": SimpleNamespace(name="mine", network_sha256=network),
        "golden": SimpleNamespace(reference="float"),
        "scheme": scheme,
        "npu": SimpleNamespace(macs_share=1.0, details={}),
        "stages": {"infer": SimpleNamespace(npu_cycles=None)},
        "layers": (SimpleNamespace(index=3, op="SOFTMAX"),),
        "error": None,
        "environment": SimpleNamespace(tools={"nncase": "1.9"}),
    }
    fields |= changes
    return cast(StoredRun, SimpleNamespace(record=SimpleNamespace(**fields)))


def cells(runs: list[StoredRun]) -> list[list[str]]:
    lines = [line for line in simulators_table(runs).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_a_cell_says_how_near_how_made_where_and_how_fast() -> None:
    kws = load_zoo("kws")
    assert kws.fetch is not None
    run = a_run(
        "a:x@simulator",
        kws.fetch.sha256,
        npu=SimpleNamespace(
            macs_share=0.88, details={"setting": "INT8 (on 32 calibration samples: INT8 23.4 dB)"}
        ),
        stages={"infer": SimpleNamespace(npu_cycles=596295)},
    )
    head, _, row = cells([run])
    assert head == ["network", "int8 itself", "`a:x`"]
    assert row[0] == "`kws`, trained"
    assert row[1] == "31.0 dB"
    assert row[2] == "22.2 dB, 98%; INT8; 88% of the MACs on the NPU; 596,295 cycles"


def test_what_failed_or_was_refused_or_not_run_says_so() -> None:
    far = a_run("a:x@simulator", "1" * 64, status="failed")
    cast(Any, far.record.scheme).worst_layer = 3
    cast(Any, far.record.scheme).samples = 59
    refused = a_run(
        "b:y@simulator",
        "1" * 64,
        status="failed",
        scheme=None,
        error=SimpleNamespace(
            message="axon: the vendor's compiler does not take this network: one input alone"
        ),
    )
    other = a_run("b:y@simulator", "2" * 64, model=SimpleNamespace(name="z", network_sha256="2"))
    rows = cells([far, refused, other])[2:]
    assert rows[0][2] == "22.2 dB, 98% of 59; **failed**, at 3 SOFTMAX"
    assert rows[0][3] == "refused: one input alone"
    assert rows[1][2] == "not run"


def test_the_newest_run_wins_and_boards_runs_stay_out() -> None:
    old, new = (a_run("a:x@simulator", "1" * 64) for _ in range(2))
    cast(Any, new.record.scheme).snr_db = (None,)
    board = a_run("a:x", "1" * 64)
    rows = cells([old, new, board])
    assert len(rows) == 3
    assert rows[2][2] == "no difference, 98%"


def test_the_document_has_the_section_and_the_script_wants_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = (CHECKOUT / "docs/vendor-npus.md").read_text(encoding="utf-8")
    assert text.index("<!-- simulators:begin -->") < text.index("<!-- simulators:end -->")
    monkeypatch.setattr(sys, "argv", ["simulators.py"])
    with pytest.raises(SystemExit, match="Usage"):
        runpy.run_path(str(CHECKOUT / "scripts/simulators.py"), run_name="__main__")
