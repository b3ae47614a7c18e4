"""What a newcomer meets: runs that can be named, claims that may be made, digits that are known."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from npubench.bench.energy import check_power, with_power
from npubench.bench.flashing import flash_board, require_boards
from npubench.bench.job import Settings, default_jobs, resolve_jobs
from npubench.boards import load_board
from npubench.cli.main import run
from npubench.cli.output import PlainReporter
from npubench.compiler.quantize import worker
from npubench.core import format as fmt
from npubench.core.errors import DeviceError, ToolError, UsageError
from npubench.core.progress import Event, Silent
from npubench.flash import detect
from npubench.report.html import render_report
from npubench.report.library import library
from npubench.report.selection import by_network, rankings
from npubench.report.terminal import compare_view, runs_table
from npubench.report.views import correctness, layers
from npubench.runs.compare import compare_runs
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun
from npubench.target import Place

Make = Callable[..., RunRecord]
MakeStored = Callable[..., StoredRun]


def on_terminal(view: RenderableType, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def plain(html: str) -> str:
    html = re.sub(r"<(script|style).*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).replace("\u202f", " ")


def kept(runs_dir: Path, record: RunRecord) -> Path:
    """A run folder with its record alone, as a run of before."""
    folder = runs_dir / record.run_id
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(record.model_dump_json())
    return folder


# 8.3: ids and dates


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_list_of_runs_names_each_and_when_it_was_made(
    make_stored: MakeStored, width: int
) -> None:
    text = on_terminal(runs_table([make_stored(second=7), make_stored(second=8)]), width)
    for row in ("000007 2026-11-25 01:55", "000008 2026-11-25 01:55"):
        assert row in re.sub(r"[ │|]+", " ", text)


@pytest.mark.parametrize("name", ["000007", "00000", "last", "latest"])
def test_what_the_list_shows_can_be_shown(
    name: str, tmp_path: Path, make_record: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(tmp_path / "runs", make_record(second=7))
    assert run(["runs", "show", name, "--runs-dir", str(tmp_path / "runs"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"]["run_id"].endswith("-000007")


def test_a_missing_runs_folder_is_no_empty_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["runs", "list", "--runs-dir", str(tmp_path / "rnus")]) != 0
    assert "there is no folder" in capsys.readouterr().err
    (tmp_path / "runs").mkdir()
    assert run(["runs", "list", "--runs-dir", str(tmp_path / "runs")]) == 0
    assert "There are no runs" in capsys.readouterr().out


# 8.4: a report keeps what was there


def test_the_report_of_a_bench_keeps_earlier_runs(
    tmp_path: Path, make_record: Make, make_stored: MakeStored
) -> None:
    from npubench.runs.reader import with_earlier

    for second in (1, 2):
        kept(tmp_path / "runs", make_record(second=second, board="qemu-m7"))
    new = make_stored(second=3, status="failed")
    shown = with_earlier([new], tmp_path / "runs")
    assert [stored.record.run_id[-1] for stored in shown] == ["1", "2", "3"]
    text = plain(render_report(shown))
    assert "qemu-m7" in text
    assert "1 of 2 results valid" in text


# 8.5: one board without virtual power


def test_default_boards_without_power_are_left_out() -> None:
    settings = Settings(power="ppk2-sim")
    jobs, without = with_power(default_jobs(["digits"]), settings)
    boards = {job.board.id for job in jobs}
    assert boards
    assert not boards & set(without)
    # A board with a modelled NPU runs: its record says what is missing of its power.
    assert "qemu-m55-u55" in boards
    assert all(load_board(name).power is None for name in without)
    check_power([job.board for job in jobs], settings)
    assert with_power(jobs, Settings()) == (jobs, ())


def test_a_named_board_without_power_is_refused_with_what_works() -> None:
    able = load_board("qemu-m4")
    without = able.model_copy(update={"id": "qemu-x", "power": None})
    with pytest.raises(UsageError, match="qemu-x has no virtual power") as error:
        check_power([able, without], Settings(power="ppk2-sim"))
    assert error.value.hint == "leave it out: --board qemu-m4"
    with pytest.raises(UsageError) as error:
        check_power([without], Settings(power="ppk2-sim"))
    assert "--board qemu-m4" in error.value.hint


# 8.6: a converter that crashes


@pytest.mark.parametrize(("code", "name"), [(-11, "SIGSEGV"), (-6, "SIGABRT"), (-9, "SIGKILL")])
def test_a_crash_of_the_converter_is_told_as_that(
    code: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(*_: object, **__: object) -> None:
        raise ToolError("python ended", argv=("python",), code=code, tail="a log of TensorFlow")

    monkeypatch.setattr(worker, "run_tool", ends)
    with pytest.raises(ToolError, match=f"crashed on this network .{name}.") as error:
        worker.run_isolated({"do": "saved"})
    assert "unroll" in error.value.hint
    assert "log of TensorFlow" not in error.value.tail


def test_an_error_of_the_converter_that_is_no_crash_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(*_: object, **__: object) -> None:
        raise ToolError("python ended with exit code 1", argv=("python",), code=1, tail="why")

    monkeypatch.setattr(worker, "run_tool", ends)
    with pytest.raises(ToolError, match="exit code 1") as error:
        worker.run_isolated({"do": "saved"})
    assert error.value.tail == "why"


# 8.7: no ranking of what may not be ranked


def test_counts_of_several_boards_have_no_first(make_stored: MakeStored) -> None:
    runs = [
        make_stored(board=board, infer=infer, second=second)
        for second, (board, infer) in enumerate(
            {"qemu-m4": 300, "qemu-m55": 200, "qemu-m7": 250}.items()
        )
    ]
    (ranking,) = rankings(by_network(runs)[0].runs)
    assert not ranking.ranks
    text = plain(render_report(runs))
    assert "they are not ranked" in text
    assert not re.search(r"fewest|of the best|as many|fastest", text)
    assert ' class="best"' not in render_report(runs)


def test_kernels_on_one_core_are_ranked_and_so_is_time(make_stored: MakeStored) -> None:
    engines = [
        make_stored(backend="cpu", infer=300, second=1),
        make_stored(backend="cmsis-nn", infer=200, second=2),
    ]
    assert "needs the fewest instructions" in plain(render_report(engines))
    timed = [
        make_stored(board=board, unit="us", evidence="measured", infer=infer, second=infer)
        for board, infer in {"nucleo-l4r5zi": 30, "max78000fthr": 20}.items()
    ]
    assert "is the fastest" in plain(render_report(timed))


# 8.8: digits that are known, words for ratios


def test_a_modelled_time_has_three_digits() -> None:
    text = fmt.stage(1_686_912.1, "us_modelled", low=1_349_529.7, high=2_024_294.6)
    assert text.replace("\u00a0", " ") == "1.69 s (1.35 s to 2.02 s)"
    assert fmt.stage(843_210, "instructions").startswith("843")
    assert fmt.stage(None, "us_modelled") == fmt.NONE


@pytest.mark.parametrize(
    ("ratio", "unit", "words"),
    [
        (0.0066, "us_modelled", "152× faster"),
        (150.0, "us", "150× slower"),
        (0.5, "instructions", "2.00× fewer"),
        (2.5, "cycles", "2.50× as many"),
        (0.25, "uj", "4.00× less"),
        (1.03, "us", "+3.0 %"),
        (0.98, "cycles", "-2.0 %"),
        (1.0, "us", "the same"),
        (None, "us", fmt.NONE),
        (0.0, "us", fmt.NONE),
    ],
)
def test_a_change_is_told_in_words(ratio: float | None, unit: str, words: str) -> None:
    assert fmt.change(ratio, unit).replace("\u00a0", " ") == words


def test_compare_says_how_much_faster(make_stored: MakeStored) -> None:
    def modelled(infer: float, second: int) -> StoredRun:
        return make_stored(
            unit="us_modelled", evidence="modelled", infer=infer, second=second,
            low=0.8 * infer, high=1.2 * infer,
        )  # fmt: skip

    text = on_terminal(compare_view(compare_runs(modelled(1_686_912.1, 1), modelled(11_246.1, 2))))
    assert "150× faster" in text
    assert "0.0066" not in text
    assert "1.69" in text
    assert not re.search(r"1.686.912", text)


# 8.9: one unit in a column


def npu_run(make_stored: MakeStored) -> StoredRun:
    """Six layers: four in the NPU's job, the rest on the CPU."""
    stored = make_stored(
        board="qemu-m55-u55", backend="ethos-u", unit="us_modelled", evidence="modelled",
        infer=2_100.5, low=1_700.0, high=2_900.0,
    )  # fmt: skip
    whole = list(stored.record.layers)
    for index in range(4):
        whole[index] = whole[index].model_copy(
            update={
                "engine": "npu",
                "npu_cycles": 1000 + index,
                "value": None,
                "reason": "in a job",
            }
        )
    return replace(stored, record=stored.record.model_copy(update={"layers": tuple(whole)}))


def test_layers_with_an_npu_keep_one_unit_in_a_column(make_stored: MakeStored) -> None:
    stored = npu_run(make_stored)
    view = layers.of_run(stored, library([stored]))
    assert view is not None
    (grid,) = view.grids
    mine = [column for column in grid.columns if "qemu" in column.title]
    assert [column.unit for column in mine] == ["NPU cycles", "µs, modelled"]
    assert all(len(row) == len(grid.columns) for row in (*grid.rows, *grid.foot))
    cycles = grid.columns.index(mine[0])
    assert [row[cycles].value for row in grid.rows] == [1000, 1001, 1002, 1003, -1, -1]
    assert grid.foot[0][cycles].value == sum(range(1000, 1004))
    assert not any("NPU cycles" in cell.text for row in grid.rows for cell in row)


def test_layers_without_an_npu_are_as_they_were(make_stored: MakeStored) -> None:
    stored = make_stored()
    view = layers.of_run(stored, library([stored]))
    assert view is not None
    titles = [column.title for column in view.grids[0].columns]
    assert "per MAC" in titles
    assert not any("NPU" in column.unit for column in view.grids[0].columns)


# 8.11: a board that is absent


def test_an_absent_board_is_told_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "detect_boards", lambda: ())
    jobs = resolve_jobs(["digits"], ["qemu-m4", "nucleo-l4r5zi"])
    with pytest.raises(DeviceError, match="nucleo-l4r5zi"):
        require_boards(jobs, Settings())
    require_boards(jobs, Settings(port="somewhere"))
    require_boards(jobs[:1], Settings())
    require_boards(resolve_jobs(["digits"], ["nucleo-l4r5zi"], place=Place.MODEL), Settings())

    def built(*_: object, **__: object) -> None:
        raise AssertionError("it was built first")

    monkeypatch.setattr("npubench.bench.flashing.build_image", built)
    with pytest.raises(DeviceError, match="nucleo-l4r5zi"):
        flash_board(jobs[1], port=None, probe_serial=None, reporter=Silent())


def test_an_absent_board_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(detect, "detect_boards", lambda: ())
    monkeypatch.chdir(tmp_path)
    assert run(["bench", "digits", "--board", "nucleo-l4r5zi"]) != 0
    said = capsys.readouterr()
    assert (said.out + said.err).count("nucleo-l4r5zi") <= 2  # the message and its hint
    assert not (tmp_path / "runs").exists()
    assert "compile" not in said.err


def test_progress_leaves_the_error_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    PlainReporter().event(
        Event(job="kws on x", step="run", state="fail", detail="the reason", duration_s=2.0)
    )
    assert capsys.readouterr().err == "kws on x: run fail (2.00 s)\n"


# 8.14: the error of a reconstruction is no class


@pytest.mark.parametrize(
    ("index", "words"), [(-1, "mean squared error 2.500"), (0, "class 0, score 2.500")]
)
def test_a_network_without_classes_has_none(
    index: int, words: str, make_stored: MakeStored
) -> None:
    said = correctness.answer(make_stored(answer={"index": index, "milli": 2500}).record)
    assert words in said
    assert "class -1" not in said


@pytest.mark.parametrize(("group", "verbs"), [("models", "quantize"), ("runs", "recheck")])
def test_help_of_groups_names_their_verbs(
    group: str, verbs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([group, "--help"]) == 0
    first = capsys.readouterr().out.split("Example")[0]
    assert verbs in first


@pytest.mark.parametrize("timings", [False, True])
def test_a_log_has_a_line_for_each_step_and_none_for_its_parts(
    timings: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """8.14: where stdout is no terminal, a run is a line, not twenty."""
    reporter = PlainReporter(timings=timings)
    for step, state in (
        ("compile", "start"), ("compile", "done"), ("run", "start"), ("build", "start"),
        ("build", "done"), ("bench", "start"), ("bench", "done"), ("run", "done"),
    ):  # fmt: skip
        duration = 2.0 if state == "done" else None
        reporter.event(Event(job="kws on x", step=step, state=state, duration_s=duration))
    reporter.event(Event(job="kws on x", step="build", state="note", detail="image from the cache"))
    reporter.event(Event(job="kws on x", step="line", state="note", detail="a byte was lost"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "kws on x: line note: a byte was lost"
    assert len(lines) == (6 if timings else 3)
    assert lines[0] == "kws on x: compile (2.00 s)"
