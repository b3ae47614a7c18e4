"""Published results: every row has a source and a locator, and none is taken for one of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench import published as module
from npubench.core.errors import ConfigError, UsageError
from npubench.published import Choice, networks, published, sources
from npubench.zoo import load_zoo


def test_every_row_can_be_found_again() -> None:
    rows = published()
    assert {row.source for row in rows} == set(sources())
    assert all(row.result.locator for row in rows)
    assert all(row.document()["evidence"] == "published" for row in rows)


def test_no_row_stands_twice() -> None:
    seen = [(row.source, row.result.model_dump_json()) for row in published()]
    assert len(seen) == len(set(seen))


def test_a_known_result_is_quoted_exactly() -> None:
    (row,) = (
        row
        for row in published(Choice(network="kws", board="Nucleo_L4R5ZI", source="mlperf-tiny"))
        if row.result.round == "v1.2" and row.result.latency_us == 43186.57
    )
    assert row.result.clock_mhz == 120
    assert row.cycles == pytest.approx(5_182_388, abs=1)
    assert row.origin == "measured"


def test_models_figures_are_not_called_measured() -> None:
    assert {row.origin for row in published(Choice(source="ethos-u-fvp"))} == {"modelled"}


def test_networks_name_the_reference_files() -> None:
    assert networks()["kws"].macs == 2_656_768
    named = {row.result.network for row in published(Choice(source="mlperf-tiny"))}
    tiny = {name for name, network in networks().items() if network.mlperf}
    assert tiny <= named
    assert set(networks()) <= {row.result.network for row in published()}


def test_networks_of_the_zoo_are_those_of_its_files() -> None:
    for network in networks().values():
        if network.zoo:
            assert load_zoo(network.zoo).macs == network.macs
            assert network.sha256 is None, "an own definition is no reference file"


def test_a_clock_in_doubt_gives_two_readings() -> None:
    rows = [row for row in published(Choice(source="unpu-bench")) if row.result.divided_by_mhz]
    assert len(rows) == 10
    for row in rows:
        assert row.result.latency_us is not None
        assert row.cycles == pytest.approx(100 * row.result.latency_us)
        assert row.other_latency_us == pytest.approx(row.result.latency_us / 4)
        assert row.document()["other_latency_us"] == row.other_latency_us


@pytest.mark.parametrize(
    ("choice", "close"),
    [
        (Choice(network="kwz"), "kws"),
        (Choice(source="mlperftiny"), "mlperf-tiny"),
        (Choice(submitter="Arn"), "Arm"),
    ],
)
def test_a_name_that_nobody_published_is_answered_with_the_closest(
    choice: Choice, close: str
) -> None:
    with pytest.raises(UsageError) as error:
        published(choice)
    assert close in error.value.hint


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("submitter,system,network,locator,latency_us\na,b,kws,x,-1\n", "latency_us"),
        ("submitter,system,network,locator,speed\na,b,kws,x,1\n", "speed"),
        (
            "submitter,system,network,locator,latency_us,divided_by_mhz\na,b,kws,x,1,100\n",
            "want each other",
        ),
        ("submitter,system,network,locator\na,b,kws\n", "locator"),
        ("submitter,system,network,locator\na,b,kws,x,y\n", "results.csv:2"),
    ],
)
def test_a_damaged_row_is_named_by_file_and_line(
    line: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "published" / "own"
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text(
        'schema = 1\ntitle = "t"\ncitation = "c"\nurl = "u"\norigin = "measured"\nnotes = "n"\n'
    )
    (folder / "results.csv").write_text(line)
    monkeypatch.setattr(module, "published_folder", lambda: tmp_path / "published")
    with pytest.raises(ConfigError) as error:
        published()
    assert word in error.value.message
    assert ":2" in error.value.message
