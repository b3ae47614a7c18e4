"""A citation says all that a stranger needs, can be taken apart, and cannot be bent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npubench.core.errors import ResultError, UsageError
from npubench.runs.cite import Citation, check_citation, cite, find_cited, parse_citation
from npubench.runs.schema import RunRecord
from npubench.runs.store import RunWriter, StoredRun

MakeRecord = Callable[..., RunRecord]


def store(record: RunRecord, runs_dir: Path) -> StoredRun:
    with RunWriter(runs_dir, record.run_id) as writer:
        return writer.finish(record)


def test_the_line_holds_value_evidence_versions_and_hashes(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    run = store(make_record(infer=9989914), tmp_path)
    line = cite(run).line()
    assert line.count("\n") == 0
    for part in ("kws", "qemu-m4", "infer 9989914 instructions", "counted", "stage contract"):
        assert part in line
    assert parse_citation(line) == cite(run)
    assert parse_citation(line.replace(" ", "\n  ")) == cite(run)
    assert find_cited(parse_citation(line), [run]) == run
    assert all(claim.status == "ok" for claim in check_citation(parse_citation(line), run))
    assert "npubench" in cite(run).bibtex()


def test_a_bent_number_is_told(make_record: MakeRecord, tmp_path: Path) -> None:
    run = store(make_record(), tmp_path)
    bent = replace(cite(run), value=1.0, evidence="measured")
    told = [claim.what for claim in check_citation(bent, run) if claim.status == "differs"]
    assert told == ["cited value", "cited evidence"]


def test_another_run_under_the_cited_id_is_told(make_record: MakeRecord, tmp_path: Path) -> None:
    run = store(make_record(), tmp_path / "a")
    other = store(make_record(infer=5), tmp_path / "b")
    with pytest.raises(ResultError, match="another one"):
        find_cited(cite(run), [other])
    with pytest.raises(ResultError, match="not here"):
        find_cited(cite(run), [])


def test_an_interval_is_cited_where_there_is_one(make_record: MakeRecord, tmp_path: Path) -> None:
    record = make_record(
        unit="us_modelled", evidence="modelled", infer=3040.5, low=2500.25, high=3600.0
    )
    citation = cite(store(record, tmp_path))
    assert (citation.low, citation.high) == (2500.25, 3600.0)
    assert parse_citation(citation.line()) == citation


@pytest.mark.parametrize("changes", [{"status": "failed"}, {"infer": 5, "memory": None}])
def test_what_has_no_number_cannot_be_cited(
    changes: dict[str, object], make_record: MakeRecord, tmp_path: Path
) -> None:
    run = store(make_record(**changes), tmp_path)
    with pytest.raises(ResultError):
        cite(run, "ram")


@pytest.mark.parametrize("line", ["", "kws on qemu-m4: 5", "manifest sha256:zz"])
def test_what_is_no_citation_is_refused(line: str) -> None:
    with pytest.raises(UsageError):
        parse_citation(line)


HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
NUMBERS = st.floats(min_value=0, max_value=1e18, allow_nan=False)


@given(value=NUMBERS, low=NUMBERS, high=NUMBERS, exact=st.booleans(), network=HASHES, digest=HASHES)
def test_every_citation_can_be_taken_apart(
    value: float, low: float, high: float, exact: bool, network: str, digest: str
) -> None:
    citation = Citation(
        model="kws",
        network=network,
        target="qemu-m55-u55:ethos-u[optimise=Size]",
        metric="energy.infer",
        value=value,
        low=None if exact else low,
        high=None if exact else high,
        unit="µJ",
        evidence="modelled",
        n=3,
        version="0.1.0",
        contract=1,
        run="20261125T015515Z-kws-qemu-m4-cpu-9f31c2",
        manifest=digest,
    )
    assert parse_citation(citation.line()) == citation
