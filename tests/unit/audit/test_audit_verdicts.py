"""Each result gets one verdict, from what there is: nothing is right because nobody looked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from npubench.audit.accuracy import area_under_curve
from npubench.audit.check import Audit, audit
from npubench.audit.rules import RULES, Effect
from npubench.audit.verdict import Judged, Verdict
from npubench.audit.words import figures_words
from npubench.cli.main import run
from support.submissions import (
    MLC_UJ,
    WINDOW_S,
    Eembc,
    kws_answers,
    mlc_entries,
    streaming_entry,
    write_accuracy,
    write_mlc,
    write_performance,
    write_streaming,
)

LAYOUT = "tiny_results_v1.2/closed/ACME/results/board-1"


def one(root: Path, **options: Any) -> Judged:
    (judged,) = audit([root], **options).judged
    return judged


def names(item: Judged | Audit) -> list[str]:
    return [finding.rule for finding in item.findings]


# Nothing is confirmed that was not computed


def test_a_claim_without_raw_data_is_not_checkable(tmp_path: Path) -> None:
    folder = tmp_path / "kws" / "performance"
    folder.mkdir(parents=True)
    (folder / "results.txt").write_text("Median throughput is 999999.9 inf./sec.\n")
    item = one(tmp_path)
    assert item.verdict is Verdict.NOT_CHECKABLE
    assert item.open_reasons == ("throughput not computed: absent: log.txt",)
    assert not audit([tmp_path]).passes


def test_a_claim_that_its_own_windows_contradict_is_found_without_a_log(tmp_path: Path) -> None:
    folder = tmp_path / "kws" / "performance"
    write_performance(folder)
    (folder / "log.txt").unlink()
    assert one(tmp_path).verdict is Verdict.NOT_CHECKABLE
    text = (folder / "results.txt").read_text()
    (folder / "results.txt").write_text(text.replace("is 23.256", "is 999999.900"))
    item = one(tmp_path)
    assert item.verdict is Verdict.CONTRADICTED
    assert names(item) == ["published-inconsistent", "raw-data-absent"]


def test_an_energy_claim_without_a_trace_is_held_against_the_hosts_times(tmp_path: Path) -> None:
    folder = tmp_path / "kws" / "energy"
    Eembc().write(folder)
    (folder / "trace1-energy.bin").unlink()
    item = one(tmp_path)
    assert item.verdict is Verdict.PARTLY_CHECKED
    assert [(figure.name, figure.agrees) for figure in item.figures] == [
        ("throughput", True),
        ("energy", None),
    ]
    assert "computed (between 2" in figures_words(item), "a range is told as one"
    text = (folder / "results.txt").read_text()
    (folder / "results.txt").write_text(
        text.replace("Median throughput is 2", "Median throughput is 92")
    )
    assert "throughput-differs" in names(one(tmp_path))


def test_the_streaming_test_is_computed_from_its_frames_and_detections(tmp_path: Path) -> None:
    folder = tmp_path / "sww" / "performance"
    write_streaming(folder, streaming_entry())
    item = one(tmp_path)
    assert item.verdict is Verdict.CONFIRMED
    assert {figure.name: figure.computed for figure in item.figures} == pytest.approx(
        {
            "throughput": 125.0,
            "duty cycle": 0.25,
            "true positives": 46.0,
            "false negatives": 4.0,
            "false positives": 3.0,
        }
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("throughput: 125.0", "throughput: 999999.9", "throughput-differs"),
        ("cycle: 0.25", "cycle: 0.15", "throughput-differs"),
        ("46 True positives, 4 False", "50 True positives, 0 False", "accuracy-differs"),
        ("3 False positives", "0 False positives", "accuracy-differs"),
    ],
)
def test_a_streaming_claim_that_differs_is_contradicted(
    old: str, new: str, expected: str, tmp_path: Path
) -> None:
    write_streaming(tmp_path / "sww" / "performance", streaming_entry())
    path = tmp_path / "sww" / "performance" / "results.txt"
    path.write_text(path.read_text().replace(old, new))
    item = one(tmp_path)
    assert item.verdict is Verdict.CONTRADICTED
    assert expected in names(item)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_without_results_json_the_streaming_log_serves(line_end: str, tmp_path: Path) -> None:
    folder = tmp_path / "sww" / "performance"
    entry = streaming_entry()
    write_streaming(folder, entry)
    (folder / "results.json").unlink()
    lines = [
        "Logging initialized. Writing output to sessions/1/log.txt",
        "Device model retrieved: sww01",
        "Playing words.wav (length = 1200.0s) at 10:03:19...",
        str(entry["infer"]["detections"]),
        "Duty cycle = 0.250, Period = 32.0 ms",
    ]
    (folder / "log.txt").write_bytes((line_end.join(lines) + line_end).encode())
    item = one(tmp_path)
    agree = {figure.name: figure.agrees for figure in item.figures}
    assert agree["throughput"] is True
    assert agree["true positives"] is None, "the words of this file are not known"
    assert item.verdict is Verdict.PARTLY_CHECKED
    path = folder / "results.txt"
    path.write_text(path.read_text().replace("throughput: 125.0", "throughput: 150.0"))
    assert one(tmp_path).verdict is Verdict.CONTRADICTED


def test_the_words_of_the_official_file_are_known(tmp_path: Path) -> None:
    folder = tmp_path / "sww" / "performance"
    write_streaming(folder, streaming_entry(), printed="Accuracy: 1 True positives, 49 False "
                    "negatives, 0 False positives\n")  # fmt: skip
    (folder / "results.json").unlink()
    (folder / "log.txt").write_text(
        "Logging initialized. Writing output to sessions/1/log.txt\n"
        "Playing long_wav.wav (length = 1200.0s) at 10:03:19...\n[90, 9964, 9996]\n"
    )
    item = one(tmp_path)
    assert names(item) == ["accuracy-below-target", "raw-data-absent"]
    assert [figure.agrees for figure in item.figures if "tives" in figure.name] == [True] * 3


def test_detections_that_count_only_late_are_remarked(tmp_path: Path) -> None:
    entry = streaming_entry()
    words = entry["infer"]["detection_windows"]
    entry["infer"]["detections"] = [100] + [100 + round(1000 * (end + 1.5)) for _, end in words]
    printed = "Accuracy: 50 True positives, 0 False negatives, 0 False positives\n"
    write_streaming(tmp_path / "sww" / "performance", entry, printed=printed)
    item = one(tmp_path)
    assert names(item) == ["detections-late"]
    assert item.findings[0].detail == "within one second 50 words missed, 50 false alarms"
    assert item.verdict is Verdict.CONFIRMED


def test_too_many_missed_words_break_the_target(tmp_path: Path) -> None:
    entry = streaming_entry()
    entry["infer"]["detections"] = entry["infer"]["detections"][:61]
    printed = "Accuracy: 30 True positives, 20 False negatives, 0 False positives\n"
    write_streaming(tmp_path / "sww" / "performance", entry, printed=printed)
    assert "accuracy-below-target" in names(one(tmp_path))


def test_streaming_energy_is_told_as_power_and_of_the_whole_run(tmp_path: Path) -> None:
    entry = mlc_entries()[0]
    entry["infer"] = {"wav_file": "words.wav", "iterations": 1, "warmups": 0, "length_sec": 11.0}
    folder = tmp_path / "sww" / "energy"
    write_mlc(folder, [entry], energy_uj=MLC_UJ * 400)
    lines = (folder / "results.txt").read_text().splitlines()
    del lines[5:-3]
    lines[3:3] = [f"  Power         : {MLC_UJ * 400 / 11.516 / 1000:.4f} mW."]
    (folder / "results.txt").write_text("\n".join(lines) + "\n")
    item = one(tmp_path)
    units = {figure.name: figure.unit for figure in item.figures}
    assert units["energy of the run"] == "uJ"
    assert {figure.name: figure.agrees for figure in item.figures}["power"] is True
    entry["infer"]["length_sec"] = 1200.0
    (folder / "results.json").write_text(json.dumps([entry]))
    assert names(one(tmp_path)) == ["window-too-short"]


# Accuracy


def test_accuracy_is_computed_from_the_answers(tmp_path: Path) -> None:
    write_accuracy(tmp_path / LAYOUT / "kws/accuracy", kws_answers(902), printed="Top-1: 90.2%")
    item = one(tmp_path)
    assert item.verdict is Verdict.CONFIRMED
    assert item.figures[0].computed == pytest.approx(90.2)
    assert item.figures[0].basis == "1000 answers to 1000 files"


@pytest.mark.parametrize(
    ("right", "count", "printed", "expected"),
    [
        (890, 1000, "Top-1: 90.2%", {"accuracy-differs", "accuracy-below-target"}),
        (890, 1000, "Top-1: 89.0%", {"accuracy-below-target"}),
        (24, 24, "Top-1: 90.2%", {"accuracy-differs", "accuracy-files"}),
        (1000, 1985, "Top-1: 50.4%", {"accuracy-files", "accuracy-below-target"}),
    ],
)
def test_flaws_of_accuracy_are_found_by_name(
    right: int, count: int, printed: str, expected: set[str], tmp_path: Path
) -> None:
    answers = kws_answers(right, count)
    if count > 1000:
        answers = [(f"tst_000{at % 1000:03d}_W{at}_{at % 12}.bin", item[1]) for at, item in enumerate(answers)]  # fmt: skip  # noqa: E501
    write_accuracy(tmp_path / LAYOUT / "kws/accuracy", answers, printed=printed)
    item = one(tmp_path)
    assert set(names(item)) == expected
    worst = {RULES[rule].effect for rule in expected}
    contradicted = Effect.CONTRADICTS in worst
    assert item.verdict is (Verdict.CONTRADICTED if contradicted else Verdict.RULE_BROKEN)


def test_an_answer_to_an_unknown_file_leaves_the_figure_open_by_one(tmp_path: Path) -> None:
    folder = tmp_path / LAYOUT / "kws/accuracy"
    write_accuracy(folder, kws_answers(901), printed="Top-1: 90.1%")
    lines = (folder / "log.txt").read_text().splitlines()
    del lines[3]
    (folder / "log.txt").write_text("\n".join(lines))
    item = one(tmp_path)
    assert item.result.accuracy is not None
    assert item.result.accuracy.inferences == 1000
    assert (item.figures[0].low, item.figures[0].high) == (90.0, 90.1)
    assert item.verdict is Verdict.CONFIRMED


def test_classes_that_tie_in_print_may_have_been_right(tmp_path: Path) -> None:
    answers = kws_answers(900)
    answers[900][1][0] = answers[900][1][1] = 0.9
    folder = tmp_path / LAYOUT / "kws/accuracy"
    write_accuracy(folder, answers, printed="Top-1: 90.1%")
    item = one(tmp_path)
    assert item.verdict is Verdict.CONFIRMED
    assert item.figures[0].span == (90.0, 90.1)
    (folder / "results.txt").unlink()
    assert "Top-1 90.1 % computed (between 90 and 90.1), not published" in figures_words(
        one(tmp_path)
    )


def test_a_file_answered_twice_is_not_two_files(tmp_path: Path) -> None:
    answers = [*kws_answers(950)[:-1], kws_answers(950)[0]]
    write_accuracy(tmp_path / LAYOUT / "kws/accuracy", answers, printed="Top-1: 95.0%")
    item = one(tmp_path)
    assert "answers to 999 files, 1000 belong" in str(item.why)


def test_the_open_division_has_no_target(tmp_path: Path) -> None:
    place = LAYOUT.replace("closed", "open")
    write_accuracy(tmp_path / place / "kws/accuracy", kws_answers(700), printed="Top-1: 70.0%")
    assert one(tmp_path).verdict is Verdict.CONFIRMED


def test_area_under_curve_of_means_over_windows(tmp_path: Path) -> None:
    answers = []
    for number in range(248):
        kind = "normal" if number < 140 else "anomaly"
        base = 10.0 + number % 10 + (0.0 if kind == "normal" else 5.0)
        for step in (-1.0, 1.0):
            answers.append((f"{kind}_id_01_{number:08d}_hist_librosa.bin", [base + step]))
    pairs = [(10.0 + n % 10 + (5.0 if n >= 140 else 0.0), int(n >= 140)) for n in range(248)]
    wins = sum((b > a) + 0.5 * (b == a) for a, x in pairs for b, y in pairs if (x, y) == (0, 1))
    truth = wins / (140 * 108)
    assert area_under_curve(pairs) == pytest.approx(truth)
    write_accuracy(
        tmp_path / LAYOUT / "ad/accuracy", answers, printed=f"AUC: {truth:.2f}", model="ad01"
    )
    item = one(tmp_path)
    assert item.verdict is Verdict.CONFIRMED
    assert item.figures[0].computed == pytest.approx(truth, abs=0.005)
    path = tmp_path / LAYOUT / "ad/accuracy/results.txt"
    path.write_text("00999.000 ulp-mlperf: AUC: 0.99\n")
    assert one(tmp_path).verdict is Verdict.CONTRADICTED


def test_labels_of_image_files_are_brought_and_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [(f"COCO_{number:012d}.bin", [0.2, 0.8]) for number in range(1000)]
    write_accuracy(
        tmp_path / LAYOUT / "vww/accuracy", answers, printed="Top-1: 85.0%", model="vww01"
    )
    item = one(tmp_path / LAYOUT)
    assert item.verdict is Verdict.NOT_CHECKABLE
    assert "the class of 1000 of 1000 files is not known" in item.open_reasons[0]
    assert "--labels" in item.open_reasons[0]
    labels = tmp_path / "mine" / "y_labels.csv"
    labels.parent.mkdir()
    labels.write_text(f"{answers[0][0]},2,1\n")
    (reason,) = one(tmp_path / LAYOUT, labels=[labels.parent]).open_reasons
    assert "the class of 999 of 1000 files is not known" in reason
    assert "was another one" in reason
    labels.write_text(
        "".join(f"{name}, 2, {int(at < 850)}\n" for at, (name, _) in enumerate(answers))
    )
    assert one(tmp_path / LAYOUT, labels=[labels.parent]).verdict is Verdict.CONFIRMED
    monkeypatch.setenv("NPUBENCH_MLPERF_LABELS", str(labels.parent))
    assert one(tmp_path / LAYOUT).verdict is Verdict.CONFIRMED


def test_an_accuracy_run_without_its_log_is_not_checkable_and_its_target_is(tmp_path: Path) -> None:
    folder = tmp_path / LAYOUT / "ad/accuracy"
    folder.mkdir(parents=True)
    (folder / "results.txt").write_text("00999.000 ulp-mlperf: AUC: 0.86\n")
    item = one(tmp_path)
    assert item.verdict is Verdict.NOT_CHECKABLE
    assert item.open_reasons == ("AUC not computed: absent: log.txt",)
    (folder / "results.txt").write_text("00999.000 ulp-mlperf: AUC: 0.81\n")
    assert one(tmp_path).verdict is Verdict.RULE_BROKEN


@pytest.mark.parametrize("has_json", [True, False])
def test_accuracy_of_mlcommons_runner_by_its_json_or_its_log(
    has_json: bool, tmp_path: Path
) -> None:
    folder = tmp_path / LAYOUT / "kws/accuracy"
    folder.mkdir(parents=True)
    (folder / "results.txt").write_text("0725.185847 ulp-mlperf: Top 1% = 90.2\n")
    log = ["Logging initialized. Writing output to sessions/1/log.txt"]
    entries = []
    for name, scores in kws_answers(902):
        label = name.removesuffix(".bin").rpartition("_")[2]
        entries.append({"file": name, "class": label, "infer": {"results": scores}, "mode": "a"})
        log += [
            f"0725.162532 ulp-mlperf: Loading file {name} segment 0",
            f"0725.162534 ulp-mlperf:   m-results    : {scores}",
        ]
    (folder / "log.txt").write_text("\n".join(log))
    if has_json:
        (folder / "results.json").write_text(json.dumps(entries))
    item = one(tmp_path)
    assert item.result.runner == "mlcommons"
    assert item.figures[0].agrees is True
    assert item.verdict is (Verdict.CONFIRMED if has_json else Verdict.PARTLY_CHECKED)
    if has_json:
        entries[0]["class"] = "5"
        (folder / "results.json").write_text(json.dumps(entries))
        assert names(one(tmp_path)) == ["accuracy-files"]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("error 1", "the loop was not exactly 5"),
        ("error 2", "the loop ended before 10 s"),
        ("error 9", "the runner: error 9"),
    ],
)
def test_an_error_of_the_runner_is_no_damaged_data(tmp_path: Path, told: str, said: str) -> None:
    """MLCommons' runner writes its own errors as an entry beside the windows."""
    folder = tmp_path / LAYOUT / "kws/energy"
    write_mlc(folder, [*mlc_entries(), {"error": told, "mode": "e"}])
    item = one(tmp_path)
    assert names(item) == ["errors-in-log"]
    assert said in item.findings[0].detail
    write_mlc(folder, [*mlc_entries(), {"mode": "e"}])
    assert "raw-data-damaged" in names(one(tmp_path))


# Rules run on what there is


@pytest.mark.parametrize("gone", ["trace1-energy.bin", "trace1-timestamps.json", "log.txt"])
def test_short_windows_are_found_without_the_trace_or_the_log(gone: str, tmp_path: Path) -> None:
    folder = tmp_path / "kws" / "energy"
    Eembc(window_s=1.01, inferences=20).write(folder)
    (folder / gone).unlink()
    item = one(tmp_path)
    assert item.verdict is Verdict.RULE_BROKEN
    (short,) = [finding for finding in item.findings if finding.rule == "window-too-short"]
    assert short.count == 5
    assert "1.010 s" in short.detail


def test_short_windows_are_found_in_results_txt_alone(tmp_path: Path) -> None:
    folder = tmp_path / "kws" / "performance"
    write_performance(folder, seconds=9.6)
    (folder / "log.txt").unlink()
    assert "window-too-short" in names(one(tmp_path))


# Absent is not damaged, and what is missing is not a breach


def test_a_pointer_of_git_lfs_is_absent_and_not_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "kws" / "energy"
    Eembc().write(folder)
    (folder / "trace1-energy.bin").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
    )
    item = one(tmp_path)
    assert names(item) == ["raw-data-absent"]
    assert "pointer of Git LFS" in item.findings[0].detail


def test_a_voltage_is_not_unknown_because_its_file_is_absent(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "eembc" / "kws" / "energy")
    (tmp_path / "eembc" / "kws" / "energy" / "log.txt").unlink()
    write_mlc(tmp_path / "mlc" / "kws" / "energy", mlc_entries())
    (tmp_path / "mlc" / "kws" / "energy" / "results.json").unlink()
    assert {item.rule for item in audit([tmp_path]).findings} == {"raw-data-absent"}


def test_a_boot_mark_before_the_first_window_is_none_of_its_marks(tmp_path: Path) -> None:
    entries = mlc_entries()
    for number, entry in enumerate(entries):
        marks = [[f"{2 * number + 1:02x}", 1770], [f"{2 * number + 2:02x}", 13286]]
        entry["power"]["timestamps"] = [["00", 60], *marks] if number == 0 else marks
    write_mlc(tmp_path / "kws" / "energy", entries)
    assert one(tmp_path).verdict is Verdict.CONFIRMED
    entries[0]["power"]["timestamps"][1][1] = 6000
    (tmp_path / "kws" / "energy" / "results.json").write_text(json.dumps(entries))
    assert "marks-do-not-pair" in names(one(tmp_path)), "its window lasts as long as no other"
    entries = mlc_entries()
    entries[3]["power"]["timestamps"].insert(0, ["06", 60])
    (tmp_path / "kws" / "energy" / "results.json").write_text(json.dumps(entries))
    assert "marks-do-not-pair" in names(one(tmp_path)), "no board boots before the fourth"


def test_lines_printed_again_are_not_windows(tmp_path: Path) -> None:
    folder = tmp_path / "kws" / "performance"
    write_performance(folder)
    lines = (folder / "results.txt").read_text().splitlines()
    (folder / "results.txt").write_text("".join(f"{line}\n" * 4 for line in lines))
    item = one(tmp_path)
    assert len(item.result.published_windows) == 5
    assert item.verdict is Verdict.CONFIRMED


# One line for a rule and a result, ranked, with names


def test_one_line_for_a_rule_and_a_result_and_the_largest_move_first(tmp_path: Path) -> None:
    Eembc(printed_ratio=1.01, window_s=6.0).write(tmp_path / "a" / "energy")
    Eembc(printed_ratio=1.3, salt=0.5).write(tmp_path / "b" / "energy")
    found = audit([tmp_path])
    keys = [(item.rule, item.folder) for item in found.findings]
    assert len(keys) == len(set(keys))
    moves = [item.moves_pct or 0.0 for item in found.findings]
    assert moves == sorted(moves, reverse=True)
    assert Path(found.findings[0].folder).parent.name == "b"
    assert names(found)[-1] == "window-too-short"


def test_the_document_has_one_shape_and_says_whose_result_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_performance(tmp_path / LAYOUT / "keyword_spotting" / "net-a" / "performance")
    write_accuracy(tmp_path / LAYOUT / "kws/accuracy", kws_answers(902), printed="Top-1: 90.2%")
    assert run(["audit", str(tmp_path), "--json"]) == 0
    text = capsys.readouterr().out
    good = json.loads(text)
    assert len(text) < 20_000, "answers and windows of accuracy runs are not in it"
    identity = {
        "round": "v1.2",
        "division": "closed",
        "submitter": "ACME",
        "system": "board-1",
        "benchmark": "kws",
    }
    for result in good["results"]:
        assert identity.items() <= result.items()
    assert good["summary"]["confirmed"] == 2
    assert run(["audit", str(tmp_path / "absent"), "--json"]) == 2
    bad = json.loads(capsys.readouterr().out)
    assert bad.keys() == good.keys()
    assert (bad["results"], good["error"]) == ([], None)
    assert "is no folder" in bad["error"]["message"]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        (
            "tiny_results_v1.3-main/closed/A/results/BOARD_V2.0/ic/performance",
            ("v1.3", "BOARD_V2.0"),
        ),
        ("rounds/v0.7/open/A/results/tvm/BOARD/ic/net/performance", ("v0.7", "tvm/BOARD")),
        ("closed/A/results/K1_V1.0/ic/performance", ("", "K1_V1.0")),
        ("BOARD_V1.0/ic/performance", ("", "")),
    ],
)
def test_a_version_of_a_board_is_no_round(
    folder: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    write_performance(tmp_path / folder)
    identity = one(tmp_path).result.identity
    assert (identity.round, identity.system) == expected
    assert identity.benchmark == "ic"


def test_the_page_holds_all_and_runs_nothing(tmp_path: Path) -> None:
    place = "v1.2/closed/<script>alert(1)</script>/results/b/kws"
    Eembc(printed_ratio=1.01).write(tmp_path / place / "energy")
    page = tmp_path / "audit.html"
    assert run(["audit", str(tmp_path / "v1.2"), "--html", str(page)]) == 1
    text = page.read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    for words in ("contradicted", "energy-differs", "default-src 'none'", "v1.2"):
        assert words in text
    assert "http" not in text.replace("http-equiv", "")
    before = text
    assert run(["audit", str(tmp_path / "v1.2"), "--html", str(page)]) == 1
    assert page.read_text() == before
    assert run(["audit", str(tmp_path / "v1.2"), "--html", str(tmp_path / "no" / "x.html")]) != 0


def test_of_many_results_the_confirmed_ones_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(22):
        write_performance(
            tmp_path / f"{number:02d}" / "performance",
            epoch_us=7_000_000 + number,
            seconds=9.0 if number == 3 else WINDOW_S,
        )
    assert run(["audit", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[-1] == "22 results: 1 rule broken, 21 confirmed; 1 findings"
    assert run(["audit", str(tmp_path), "--all"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 26
