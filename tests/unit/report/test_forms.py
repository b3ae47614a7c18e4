"""The same answers as figures for a paper, tables for a text, overlays for a graph."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from npubench.cli.main import run
from npubench.report.figure import LIGHT, export
from npubench.report.figures import write_figures
from npubench.report.library import library
from npubench.report.overlay import overlay
from npubench.report.site.bundle import asset
from npubench.report.site.contents import all_pages
from npubench.report.tables import bar, comma_separated, document, latex, markdown, text
from npubench.report.views.tradeoff import front
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun

Make = Callable[..., RunRecord]
MakeStored = Callable[..., StoredRun]


@pytest.fixture
def engines(make_stored: MakeStored) -> list[StoredRun]:
    """Two engines on one board, which rank, and an earlier run of one."""
    return [
        make_stored(backend="cpu", infer=300_000_000, second=1),
        make_stored(backend="cpu", infer=300_000_000, second=2),
        make_stored(backend="cmsis-nn", infer=200_000_000, second=3),
    ]


def test_the_colours_of_figures_are_those_of_the_page() -> None:
    root = asset("site.css").partition("}")[0]
    for name, value in LIGHT.items():
        assert re.search(rf"{name}:\s*{value};", root), name


def test_figures_are_files_with_their_data(engines: list[StoredRun], tmp_path: Path) -> None:
    written = write_figures(engines, tmp_path / "figures", "svg")
    names = {path.name for path in written}
    assert any("stages-instructions.svg" in name for name in names)
    for path in written:
        content = path.read_text(encoding="utf-8")
        if path.suffix == ".svg":
            assert content.startswith("<svg")
            assert "var(--" not in content
            assert path.with_suffix(".csv").name in names
        else:
            assert len(list(csv.DictReader(io.StringIO(content)))) > 0


def test_a_figure_is_a_picture_in_every_form(engines: list[StoredRun]) -> None:
    figure = next(page.figures[0] for page in all_pages(library(engines)) if page.figures)
    assert export(figure, "png").startswith(b"\x89PNG")
    assert export(figure, "pdf").startswith(b"%PDF")


def test_a_terminal_gets_the_answer_in_eighty_columns(engines: list[StoredRun]) -> None:
    told = text(engines)
    assert "qemu-m4:cmsis-nn needs the fewest instructions" in re.sub(r"\s+", " ", told)
    assert max(len(line) for line in told.splitlines()) <= 80
    lines = [line for line in told.splitlines() if line.startswith("  qemu-m4")]
    assert [line.count("█") for line in lines] == [16, 24]
    assert lines[1].endswith("1.50x")


@pytest.mark.parametrize(
    ("share", "words"), [(0, "    "), (1, "████"), (0.5, "██  "), (0.03, "▏   "), (7, "████")]
)
def test_a_bar_has_eighths(share: float, words: str) -> None:
    assert bar(share, 4) == words


def test_markdown_has_as_many_cells_in_every_row(engines: list[StoredRun]) -> None:
    told = markdown(engines)
    assert "## kws" in told
    for table in re.findall(r"(?:^\|.*\n)+", told, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_latex_escapes_what_names_bring(make_stored: MakeStored) -> None:
    told = latex([make_stored(model="50%_{net}&$")])
    assert r"50\%\_\{net\}\&\$" in told
    assert told.count("\\begin{tabular}") == told.count("\\end{tabular}") > 2


def test_csv_and_json_carry_numbers(engines: list[StoredRun]) -> None:
    rows = list(csv.DictReader(io.StringIO(comma_separated(engines))))
    (infer,) = [
        row
        for row in rows
        if row["table"] == "stages-instructions"
        and row["column"] == "infer"
        and row["row"] == "qemu-m4:cmsis-nn"
    ]
    assert float(infer["value"]) == 200_000_000
    (network,) = document(engines)["networks"]
    assert [target["target"] for target in network["targets"] if target["best"]] == [
        "qemu-m4:cmsis-nn"
    ]
    json.dumps(network, allow_nan=False)


def test_an_overlay_has_one_kind_of_cost_by_operator(make_stored: MakeStored) -> None:
    stored = make_stored()
    found = overlay(stored.record)["main"]["results"]
    values = {layer.name: layer.value for layer in stored.record.layers}
    assert {name: item["value"] for name, item in found.items()} == values
    layers = [
        layer.model_copy(update={"engine": "npu", "npu_cycles": 100 + layer.index, "value": None})
        for layer in stored.record.layers
    ]
    on_npu = stored.record.model_copy(update={"layers": tuple(layers)})
    cycles = overlay(on_npu)["main"]["results"]
    assert [item["value"] for item in cycles.values()] == [100, 101, 102, 103, 104, 105]


def test_the_front_is_what_nothing_beats() -> None:
    assert front([(1, 9), (2, 5), (3, 6), (4, 1), (4, 1)]) == [0, 1, 3]
    assert front([]) == []


def test_the_command_writes_what_is_asked_for(
    tmp_path: Path,
    make_record: Make,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, infer, second in (("before", 1_000, 1), ("runs", 900, 2)):
        record = make_record(infer=infer, second=second)
        target = tmp_path / folder / record.run_id
        target.mkdir(parents=True)
        (target / "run.json").write_text(record.model_dump_json())
    assert run(["report", "-o", "site", "--against", "before"]) == 0
    page = next((tmp_path / "site" / "models").iterdir()).read_text(encoding="utf-8")
    assert "What changed" in page
    assert "1.11× fewer" in page.replace("\u202f", "") or "-10.0" in page
    assert run(["report", "--single", "one.html"]) == 0
    assert (tmp_path / "one.html").is_file()
    assert run(["report", "--overlays", "overlays"]) == 0
    assert [path.name for path in (tmp_path / "overlays").iterdir()] == ["kws-qemu-m4-cpu.json"]
    capsys.readouterr()
    assert run(["report", "--format", "md"]) == 0
    assert capsys.readouterr().out.startswith("## kws")
    assert run(["report", "--format", "pdf"]) != 0
    assert "--figures DIR" in capsys.readouterr().err
    assert run(["report", "--figures", "f", "--format", "md"]) != 0


def test_a_ranking_is_explained_part_by_part(engines: list[StoredRun]) -> None:
    page = next(page for page in all_pages(library(engines)) if page.kind == "model")
    (section,) = [section for section in page.sections if section.name == "gap"]
    assert "qemu-m4:cpu against qemu-m4:cmsis-nn" in section.view.claim
    ((grid,),) = section.view.folded.values()
    parts = [float(str(row[1].value)) for row in grid.rows]
    assert sum(parts) == pytest.approx(100_000_000)
