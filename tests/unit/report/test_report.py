"""The report: a failure is never fast, units never mix, a hostile name is only text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from npubench.boards import board_ids, load_board
from npubench.core.errors import StorageError
from npubench.report.html import render_report, write_report
from npubench.report.library import library
from npubench.report.markdown import boards_table as markdown_boards
from npubench.report.sections import discover_views
from npubench.report.selection import by_network, infer_per_mac, rankings
from npubench.report.site.contents import all_pages, discover_pages
from npubench.report.site.writer import render_page
from npubench.report.terminal import (
    board_view,
    boards_table,
    compare_view,
    layers_table,
    results_table,
    run_view,
    timings_table,
)
from npubench.report.views.memory import flash_parts, ram_parts
from npubench.runs.compare import compare_runs
from npubench.runs.store import StoredRun

MakeStored = Callable[..., StoredRun]
HOSTILE = "<script>alert(1)</script>\"'>&{{7*7}}[red]\x1b[31m\u202e" + "n" * 10_000
VOID = {"meta", "br", "hr", "img", "input", "link", "rect"}
OF_OURS = re.compile(r"<script>.*?</script>|<style>.*?</style>", re.DOTALL)


class Reader(HTMLParser):
    """Checks that tags nest, and collects what a test asks about."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert re.fullmatch("[a-z]+[1-6]?", tag), tag
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID or tag == "rect":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def words(html: str) -> str:
    """What a reader sees, without a policy's and a library's text."""
    html = OF_OURS.sub("", html)
    return re.sub(r"\s+", " ", " ".join(read(html).text).replace("\u00a0", " "))


def on_terminal(view: RenderableType, width: int = 80) -> str:
    console = Console(width=width, force_terminal=False, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(view)
    return capture.get().replace("\u00a0", " ").replace("\u202f", "")


@pytest.fixture
def matrix(make_stored: MakeStored) -> list[StoredRun]:
    return [
        make_stored(second=1),
        make_stored(second=2, board="qemu-m55", infer=30_558_306),
        make_stored(second=3, board="qemu-m33", status="failed"),
        make_stored(second=4, board="qemu-m7", infer=1_000, golden="mismatch"),
        make_stored(
            second=5,
            board="board-a",
            unit="us",
            evidence="measured",
            infer=181_923.5,
            n=20,
            deterministic=False,
        ),
        make_stored(
            second=6,
            board="qemu-m55-u55",
            backend="ethos-u",
            unit="us_modelled",
            evidence="modelled",
            infer=2_100.5,
            low=1_700.0,
            high=2_900.0,
        ),
        make_stored(second=7, model="vww", infer=100_251_137, macs=7_489_664),
    ]


def test_the_answer_comes_first(matrix: list[StoredRun]) -> None:
    text = words(render_report(matrix))
    plain = text.replace("\u202f", "").replace(" ", "")
    assert "43042678instr" in plain
    assert "30561116instr" in plain
    assert text.index("they are not ranked") < text.index("Runs Search")
    assert text.index("Runs Search") < text.index("Stages Every board")
    assert "the fewest" not in text


def test_units_and_evidence_are_ranked_apart(matrix: list[StoredRun]) -> None:
    network = by_network(matrix)[0]
    kinds = {(ranking.unit, str(ranking.evidence)): ranking for ranking in rankings(network.runs)}
    assert set(kinds) == {
        ("instructions", "counted"),
        ("us", "measured"),
        ("us_modelled", "modelled"),
    }
    counted = kinds["instructions", "counted"]
    assert [run.board for run in counted.runs] == ["qemu-m4", "qemu-m55"]
    assert not counted.ranks


def test_a_wrong_or_failed_run_is_never_ranked_and_its_reason_is_shown(
    matrix: list[StoredRun],
) -> None:
    ranked = {run.board for ranking in rankings(by_network(matrix)[0].runs) for run in ranking.runs}
    assert not ranked & {"qemu-m7", "qemu-m33"}
    text = words(render_report(matrix))
    assert "no answer for 10 s after bench" in text
    assert "1 of 1 tensors differ" in text
    terminal = on_terminal(results_table(matrix))
    assert "no answer for 10 s after bench" in terminal
    assert "is the console's port right?" in terminal
    line = next(line for line in terminal.splitlines() if "mismatch" in line)
    assert "1000 instr" not in line


def test_the_latest_run_of_a_target_stands_for_it(make_stored: MakeStored) -> None:
    runs = [make_stored(second=1), make_stored(second=9, infer=7), make_stored(second=5)]
    (network,) = by_network(runs)
    assert network.older == 2
    assert network.runs[0].stages["infer"].median == 7
    text = words(render_report(runs))
    assert "2 earlier ones are listed as well" in text
    assert all(stored.record.run_id in text for stored in runs)


def test_overlapping_modelled_ranges_are_undecided(make_stored: MakeStored) -> None:
    runs = [
        make_stored(
            board=board, unit="us_modelled", evidence="modelled", infer=infer, low=low, high=high
        )
        for board, infer, low, high in (("a-1", 100.0, 80.0, 120.0), ("b-2", 110.0, 90.0, 130.0))
    ]
    text = words(render_report(runs))
    assert "Undecided between a-1:cpu and b-2:cpu" in text
    assert "1.10×" not in text


def test_a_modelled_difference_is_named_as_a_range_only(make_stored: MakeStored) -> None:
    runs = [
        make_stored(
            board=board, unit="us_modelled", evidence="modelled", infer=infer, low=low, high=high
        )
        for board, infer, low, high in (("a-1", 1e9, 8e8, 12e8), ("b-2", 4e9, 24e8, 56e8))
    ]
    text = words(render_report(runs))
    assert "b-2:cpu takes 2.00 to 7.00 times as long" in text
    assert not re.search(r"4\.00 ?(×|times)", text)


def test_the_file_is_self_contained(matrix: list[StoredRun]) -> None:
    html = render_report(matrix)
    for tag, attributes in read(html).tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base")
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "data", "action"):
            assert (attributes.get(name) or "#").startswith("#")
    style = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)[0]
    assert "@import" not in style
    assert "url(" not in style
    assert len(OF_OURS.sub("", html)) < 600_000


def test_the_policy_allows_our_script_and_style_and_nothing_else(matrix: list[StoredRun]) -> None:
    html = render_report(matrix)
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in read(html).tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
        digests = [
            base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies
        ]
        allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
        assert f"{directive} {allowed};" in policy


def test_a_hostile_name_is_only_text(make_stored: MakeStored) -> None:
    run = make_stored(
        model=HOSTILE,
        command=("npubench", "bench", HOSTILE),
        layers=[
            layer.model_dump() | {"name": HOSTILE, "op": HOSTILE, "reason": HOSTILE}
            for layer in make_stored().record.layers
        ],
        error={"kind": "X", "message": HOSTILE, "hint": HOSTILE},
        status="partial",
        notes=(HOSTILE,),
    )
    pages = [render_page(page, library([run])) for page in all_pages(library([run]))]
    for html in (render_report([run]), *pages):
        read(html)
        own = OF_OURS.sub("", html)
        assert "49[red]" not in own
        assert "\x1b" not in own
        assert "\u202e" not in own
        assert "<script>alert" not in own
        assert not re.search(
            r"<script(?! type=.application/json. id=.look.>| src=| type=.app)", own
        )
    assert "<script>alert(1)" in "".join(read(render_report([run])).text)
    for view in (
        results_table([run]),
        run_view(run),
        layers_table(run.record),
        timings_table([run], total_s=1.0),
        compare_view(compare_runs(run, run)),
    ):
        shown = on_terminal(view)
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_a_name_is_never_read_as_markup(make_stored: MakeStored) -> None:
    shown = on_terminal(run_view(make_stored(model="[red]net[/red]")))
    assert "[red]net[/red]" in shown


def test_the_same_runs_give_the_same_file(matrix: list[StoredRun]) -> None:
    assert render_report(matrix) == render_report(list(matrix))


def test_pages_are_found_by_their_module_and_each_stands_alone(matrix: list[StoredRun]) -> None:
    kinds = [module.name for module in discover_pages()]
    assert kinds == ["index", "model", "board", "backend", "sweep", "run", "numbers"]
    shown = library(matrix)
    found = list(all_pages(shown))
    assert {page.kind for page in found} == {*kinds} - {"sweep"}
    for page in found:
        read(render_page(page, shown))
    for page in all_pages(library([])):
        read(render_page(page, library([])))


def test_every_link_and_id_of_a_site_leads_somewhere(matrix: list[StoredRun]) -> None:
    shown = library(matrix)
    pages = {page.path: read(render_page(page, shown)) for page in all_pages(shown)}
    ids = {
        path: [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
        for path, reader in pages.items()
    }
    for path, reader in pages.items():
        assert len(ids[path]) == len(set(ids[path])), path
        for tag, attributes in reader.tags:
            href = attributes.get("href")
            if tag != "a" or href is None:
                continue
            file, _, anchor = href.partition("#")
            target = path
            if file:
                parts = [*path.split("/")[:-1], *file.removesuffix(".html").split("/")]
                while ".." in parts:
                    at = parts.index("..")
                    del parts[at - 1 : at + 1]
                target = "/".join(parts)
            assert target in pages, (path, href)
            assert not anchor or anchor in ids[target], (path, href)


def test_every_link_of_one_file_leads_somewhere(matrix: list[StoredRun]) -> None:
    reader = read(OF_OURS.sub("", render_report(matrix)))
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in reader.tags:
        if tag == "a":
            assert (attributes["href"] or "").removeprefix("#") in ids


def test_a_view_without_data_is_absent(make_stored: MakeStored) -> None:
    """No heading over nothing: without an NPU, power, accuracy or an earlier run, no such view."""
    html = render_report([make_stored()])
    titles = {view.name: view.title for view in discover_views()}
    for name in ("npu", "power", "accuracy", "changes", "history", "spec", "coverage"):
        assert f">{titles[name]}</h2>" not in html
    assert "No power was captured." in html, "energy says how it can be had instead"
    for name in ("stages", "layers", "memory", "correctness"):
        assert f">{titles[name]}</h2>" in html


def test_no_runs_is_a_report_that_says_so(tmp_path: Path) -> None:
    path = write_report([], tmp_path / "deep" / "report.html")
    assert "There are no runs" in path.read_text(encoding="utf-8")
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_a_report_that_cannot_be_written_is_explained(
    tmp_path: Path, matrix: list[StoredRun]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        write_report(matrix, tmp_path / "file" / "report.html")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match="is there and no report"):
        write_report(matrix, tmp_path / "folder")
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "mine"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


def test_a_site_replaces_an_older_one_as_a_whole(
    tmp_path: Path, matrix: list[StoredRun], make_stored: MakeStored
) -> None:
    index = write_report(matrix, tmp_path / "site")
    first = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.html")}
    write_report(matrix, tmp_path / "site")
    again = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.html")}
    assert first == again
    write_report([make_stored(second=9)], tmp_path / "site")
    assert index.is_file()
    assert [path.name for path in (tmp_path / "site" / "runs").iterdir()] == [
        "20261125T015509Z-kws-qemu-m4-cpu-000009.html"
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["site"]


def test_every_kind_of_evidence_in_use_is_explained(matrix: list[StoredRun]) -> None:
    text = words(render_report(matrix))
    for sentence in (
        "Instructions retired in an emulator",
        "Read from a physical board",
        "Output of a documented model",
        "Read from the ELF",
    ):
        assert sentence in text


def test_memory_parts_add_up_to_the_gross_figures(make_stored: MakeStored) -> None:
    memory = make_stored().record.memory
    assert memory is not None
    assert sum(value or 0 for value in flash_parts(memory).values()) == memory.flash_bytes
    assert sum(value or 0 for value in ram_parts(memory).values()) == memory.ram_bytes
    assert memory.fixture_bytes not in ram_parts(memory).values()


def test_cost_per_mac_is_not_made_from_modelled_time(make_stored: MakeStored) -> None:
    assert infer_per_mac(make_stored().record) == pytest.approx(16.2, abs=0.01)
    modelled = make_stored(unit="us_modelled", evidence="modelled", infer=5.0)
    assert infer_per_mac(modelled.record) is None


def test_an_unseparable_stage_is_explained(make_stored: MakeStored) -> None:
    stages = {name: item.model_dump() for name, item in make_stored().record.stages.items()}
    stages["load"] |= {
        "median": None,
        "min": None,
        "max": None,
        "separable": False,
        "reason": "the driver copies inside its run call",
    }
    text = words(render_report([make_stored(stages=stages)]))
    assert "load: not separable: the driver copies inside its run call" in text


def test_the_table_of_the_default_suite_fits_eighty_columns(make_stored: MakeStored) -> None:
    runs = [
        make_stored(model=model, board=board, infer=infer)
        for model, infer in (("kws", 43_039_868), ("ic", 107_403_524))
        for board in ("qemu-m4", "qemu-m55")
    ]
    shown = on_terminal(results_table(runs), width=80)
    assert "107403524 instr" in shown
    assert "counted" in shown
    assert "…" not in shown
    assert len(shown.splitlines()) == 2 + len(runs)


def test_small_difference_is_shown_with_its_sign(make_stored: MakeStored) -> None:
    before, after = make_stored(infer=1_000_000), make_stored(infer=1_000_003)
    view = on_terminal(compare_view(compare_runs(before, after)), width=120)
    assert "+3" in view
    assert "1.00×" not in next(line for line in view.splitlines() if "infer" in line)


def test_run_and_compare_views_show_their_parts(matrix: list[StoredRun]) -> None:
    view = on_terminal(run_view(matrix[0]), width=100)
    for part in ("Stages", "Layers", "Memory", "Provenance", "deterministic", "DEPTHWISE_CONV_2D"):
        assert part in view
    view = on_terminal(compare_view(compare_runs(matrix[0], matrix[1])), width=100)
    assert view.index("What differs") < view.index("Stages, b against a") < view.index("Memory")
    assert "deterministic difference" in view


def test_every_board_can_be_shown() -> None:
    boards = [load_board(name) for name in board_ids()]
    if not boards:
        pytest.skip("there are no boards")
    shown = on_terminal(boards_table(boards))
    table = markdown_boards(boards)
    assert len(table.splitlines()) == 2 + len(boards)
    for board in boards:
        assert board.id in shown
        assert f"`{board.id}`" in table
        view = on_terminal(board_view(board), width=200)
        for line in board.status.unverified:
            assert line in view
        for line in board.power_notes:
            assert line[:60] in view
        pins = () if board.markers is None else (board.markers.timestamp, *board.markers.codes)
        words = () if board.flash is None else board.flash.arguments
        for word in (*pins, *words, *board.console.usb):
            assert word in view, f"{board.id}: {word} is not shown"
        for key, value in ({} if board.npu is None else board.npu.config).items():
            assert f"{key}={value}" in view
