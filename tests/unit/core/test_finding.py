"""What is said about a number has an id, its values and one place where it is declared."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from npubench.audit.rules import RULES
from npubench.bench.findings import NO_REFERENCE
from npubench.conformance.findings import BY_CHECK
from npubench.conformance.run import Check
from npubench.core import errors
from npubench.core.errors import DeviceError, NpubenchError, ResultError, ToolMissing
from npubench.core.finding import Finding, Severity, Spoils, aliases, declared, findings
from npubench.core.findings import of_error
from npubench.power.energy.refusal import Cause, Reason, reason_of
from npubench.report.findings_page import findings_page
from npubench.runs.findings import EVIDENCE_DIFFERS

CHECKOUT = Path(__file__).resolve().parents[3]
SAMPLE = Finding(
    id="test.sample",
    severity=Severity.WARNING,
    meaning="a sample",
    remedy="none",
    spoils=Spoils.TIME,
    text="{lost_count} of {part} are lost",
    values={"lost_count": int, "part": str},
)


def test_the_page_is_that_of_the_code() -> None:
    published = (CHECKOUT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert published == findings_page(), (
        "renew it: python -m npubench.report.findings_page > docs/findings.md"
    )


@pytest.mark.parametrize("finding", findings().values(), ids=lambda finding: finding.id)
def test_a_finding_says_what_it_means_and_what_to_do(finding: Finding) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z0-9-]+", finding.id)
    assert finding.meaning
    assert finding.remedy


def test_values_are_those_that_were_declared() -> None:
    found = SAMPLE.found(lost_count=3, part="it", where="infer")
    assert found.text == "3 of it are lost"
    assert found.document() == {
        "id": "test.sample",
        "severity": "warning",
        "text": "3 of it are lost",
        "values": {"lost_count": 3, "part": "it"},
        "where": "infer",
    }
    with pytest.raises(TypeError, match="takes"):
        SAMPLE.found(lost_count=3)
    with pytest.raises(TypeError, match="no int"):
        SAMPLE.found(lost_count="3", part="it")
    with pytest.raises(ValueError, match="names"):
        Finding(
            id="test.x",
            severity=Severity.REMARK,
            meaning="m",
            remedy="r",
            spoils=Spoils.NOTHING,
            text="{absent}",
        )


def test_each_kind_of_error_is_one_finding_and_an_error_may_bring_its_own() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, NpubenchError) and kind is not NpubenchError
    ]
    assert len(kinds) > 10
    assert {kind.__name__ for kind in kinds} <= set(aliases())
    assert of_error(ToolMissing("gcc is gone")).finding.id == "error.tool-missing"
    assert of_error(ToolMissing("gcc is gone")).text == "gcc is gone"
    error = EVIDENCE_DIFFERS.found(a="counted", b="measured").error(ResultError)
    assert isinstance(error, ResultError)
    assert error.hint == EVIDENCE_DIFFERS.remedy
    assert of_error(error).finding is EVIDENCE_DIFFERS

    class Special(DeviceError):
        """A plug-in's own."""

    assert of_error(Special("x")).finding.id == "error.device"


@pytest.mark.parametrize("cause", Cause)
def test_old_names_of_causes_lead_to_their_findings(cause: Cause) -> None:
    assert aliases()[cause] == cause.finding.id == f"power.{cause}"
    reason = Reason(cause=cause, detail="3 of 9: gone")
    assert reason_of(str(reason)) == reason
    assert reason.found.text == "3 of 9: gone"


def test_rules_and_checks_are_findings() -> None:
    assert {f"audit.{rule}" for rule in RULES} <= findings().keys()
    failed = Check(name="stack", verdict="failed", seen="9 of 9 bytes")
    assert failed.found is not None
    assert (failed.found.finding.id, failed.found.text) == ("conformance.stack", "9 of 9 bytes")
    assert Check(name="stack", verdict="ok", seen="").found is None
    source = (CHECKOUT / "host/npubench/conformance/run.py").read_text(encoding="utf-8")
    assert all(f'"{name}"' in source for name in BY_CHECK)


def _names_used(folder: Path) -> set[str]:
    """Every name and attribute that product code outside of the findings' own modules uses."""
    used: set[str] = set()
    for path in folder.rglob("*.py"):
        if path.name != "findings.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute):
                    used.add(node.attr)
                elif isinstance(node, ast.Name):
                    used.add(node.id)
    return used


def test_no_constant_is_raised_by_tests_alone() -> None:
    used = _names_used(CHECKOUT / "host" / "npubench")
    idle = []
    for path in sorted((CHECKOUT / "host" / "npubench").glob("*/findings.py")):
        module = importlib.import_module(f"npubench.{path.parent.name}.findings")
        own = path.read_text(encoding="utf-8")
        for name, value in vars(module).items():
            # Used elsewhere, or by a table or function of its own module.
            if isinstance(value, Finding) and name not in used and own.count(name) < 2:
                idle.append(f"{path.parent.name}.{name}")
    assert idle == ["power.NEVER_CALIBRATED"] or idle == []
    assert findings()["bench.no-reference"] is NO_REFERENCE
    assert len(list(declared(importlib.import_module("npubench.power.findings")))) == len(Cause) + 1
