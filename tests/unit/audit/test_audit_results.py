"""The audit computes results again, and finds what is wrong with them by name."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npubench.audit.check import audit
from npubench.audit.rules import RULES
from npubench.audit.verdict import Judged, Verdict
from npubench.cli.main import run
from npubench.core.errors import UsageError
from npubench.core.progress import Event
from support.submissions import (
    INFERENCES,
    MLC_UJ,
    PAUSE_S,
    RATE_HZ,
    TRACE_ON_S,
    UJ_ACTIVE,
    WINDOW_S,
    Eembc,
    mlc_entries,
    mlc_entry,
    write_mlc,
    write_performance,
)


def off_pct(item: Judged, name: str) -> float | None:
    return next(figure.difference_pct for figure in item.figures if figure.name == name)


def rules(*roots: Path) -> set[str]:
    found = audit(roots)
    assert all(item.rule in RULES for item in found.findings)
    return {item.rule for item in found.findings}


def test_right_results_give_their_published_figures_and_no_finding(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "kws" / "energy")
    write_performance(tmp_path / "kws" / "performance", wrap=True)
    found = audit([tmp_path])
    assert found.findings == ()
    energy, performance = found.results
    assert energy.published_uj is not None
    assert performance.published_ips is not None
    assert energy.energy_uj == pytest.approx(energy.published_uj, rel=1e-5)
    assert performance.ips == pytest.approx(performance.published_ips, rel=1e-4)
    assert performance.latency_ms == pytest.approx(1000 * WINDOW_S / INFERENCES, rel=1e-6)
    assert [item.verdict for item in found.judged] == [Verdict.CONFIRMED] * 2
    assert energy.voltage_mv == 1800.0


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        (Eembc(drop_marks=(0,)), {"marks-do-not-pair", "upload-in-window", "energy-differs"}),
        (Eembc(extra_marks=(20.0,)), {"marks-do-not-pair", "upload-in-window"}),
        (Eembc(window_s=6.0), {"window-too-short"}),
        (Eembc(inferences=9), {"window-too-short"}),
        (Eembc(windows=4), {"window-count"}),
        (Eembc(printed_ratio=1.004), {"energy-differs"}),
        (Eembc(error="Unknown command: x"), {"errors-in-log"}),
        (Eembc(dropped=1200), {"samples-lost"}),
        (Eembc(voltage=False), {"voltage-unknown"}),
    ],
)
def test_each_flaw_is_found_by_name(folder: Eembc, expected: set[str], tmp_path: Path) -> None:
    folder.write(tmp_path / "kws" / "energy")
    assert expected <= rules(tmp_path) <= expected | {"throughput-differs", "energy-differs"}


@pytest.mark.parametrize("ratio", [0.9985, 1.0, 1.0015])
def test_energies_within_a_fifth_of_a_percent_agree(ratio: float, tmp_path: Path) -> None:
    Eembc(printed_ratio=ratio).write(tmp_path / "kws" / "energy")
    assert rules(tmp_path) == set()


def test_a_lost_mark_costs_one_window_and_not_those_after_it(tmp_path: Path) -> None:
    Eembc(drop_marks=(3,)).write(tmp_path / "kws" / "energy")
    windows = audit([tmp_path]).results[0].windows
    assert [window.marks for window in windows] == [2, 1, 2, 2, 2]
    good = [window.energy_uj for window in windows if window.energy_uj is not None]
    assert len(good) == 4
    assert max(good) == pytest.approx(min(good), rel=1e-3)


@pytest.mark.parametrize("pause_s", [PAUSE_S, WINDOW_S - 0.7])
def test_uploads_paired_as_if_they_were_inferences_are_found(
    pause_s: float, tmp_path: Path
) -> None:
    """One start mark is lost: every printed window then reaches from an end to the next start.
    With an upload as long as the inferences its length alone would not tell."""
    Eembc(drop_marks=(1,), pause_s=pause_s).write(tmp_path / "ic" / "energy")
    found = audit([tmp_path])
    assert {"marks-do-not-pair", "upload-in-window", "energy-differs"} <= {
        item.rule for item in found.findings
    }
    uploads = [item for item in found.findings if item.rule == "upload-in-window"]
    assert [item.count for item in uploads] == [4]
    right_uj = UJ_ACTIVE * WINDOW_S * RATE_HZ / INFERENCES
    assert found.results[0].energy_uj == pytest.approx(right_uj, rel=1e-3)


@pytest.mark.parametrize("window_s", [0.104, 0.9, 1.01, 1.4])
@pytest.mark.parametrize("lost", [1, 2, 9])
def test_short_windows_with_a_lost_mark_keep_the_others(
    window_s: float, lost: int, tmp_path: Path
) -> None:
    Eembc(window_s=window_s, drop_marks=(lost,)).write(tmp_path / "ad" / "energy")
    windows = audit([tmp_path]).results[0].windows
    assert sorted(window.marks for window in windows) == [1, 2, 2, 2, 2]
    assert all(window.seconds == pytest.approx(window_s) for window in windows if window.marks == 2)


def test_an_upload_in_a_performance_window_is_found(tmp_path: Path) -> None:
    write_performance(tmp_path / "kws" / "performance", printed_extra_s=1.8)
    assert rules(tmp_path) == {"upload-in-window", "throughput-differs"}
    log = tmp_path / "vww" / "performance"
    write_performance(log)
    text = (log / "log.txt").read_text().replace("m-lap-us-7000000", "m-lap-us-3000000")
    (log / "log.txt").write_text(text)
    assert "upload-in-window" in rules(tmp_path / "vww")


def test_runs_that_disagree_are_found(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "kws" / "energy")
    write_performance(tmp_path / "kws" / "performance", seconds=WINDOW_S * 1.05)
    assert rules(tmp_path) == {"modes-disagree"}
    assert rules(tmp_path / "kws" / "energy", tmp_path / "kws" / "performance") == {
        "modes-disagree"
    }


def test_results_from_another_round_are_recognised(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "v1" / "kws" / "energy")
    Eembc().write(tmp_path / "v2" / "kws" / "energy")
    Eembc(salt=0.5).write(tmp_path / "v3" / "kws" / "energy")
    found = audit([tmp_path / "v1", tmp_path / "v2"])
    (repeated,) = found.findings
    assert repeated.rule == "results-repeated"
    assert Path(repeated.folder).parent.parent.name == "v2"
    assert (repeated.count, "energy.bin" in repeated.detail) == (3, False)
    other = audit([tmp_path / "v1", tmp_path / "v3"])
    assert {item.count for item in other.findings} == {2}


@pytest.mark.parametrize("change", ["line ends", "a host time", "a name"])
def test_a_repeated_run_is_recognised_though_its_files_were_touched(
    change: str, tmp_path: Path
) -> None:
    first, second = tmp_path / "v1" / "performance", tmp_path / "v2" / "performance"
    write_performance(first)
    shutil.copytree(first, second)
    log = second / "log.txt"
    text = log.read_text()
    if change == "line ends":
        log.write_bytes(text.replace("\n", "\r\n").encode())
    elif change == "a host time":
        log.write_text(text.replace("00000.100", "00000.101"))
    else:
        log.rename(second / "performance_log.txt")
    assert rules(tmp_path) == {"results-repeated"}


def test_one_folder_named_twice_is_not_a_repetition(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "kws" / "energy")
    (tmp_path / "link").symlink_to(tmp_path / "kws")
    found = audit([tmp_path, tmp_path / "kws", tmp_path / "kws" / ".." / "kws", tmp_path / "link"])
    assert len(found.results) == 1
    assert found.findings == ()


def test_a_log_whose_clock_is_anothers_leaves_the_order(tmp_path: Path) -> None:
    folder = tmp_path / "energy"
    Eembc().write(folder)
    lines = (folder / "log.txt").read_text().splitlines()
    stretched = [f"{float(line[:9]) * 1.33:09.3f}{line[9:]}" for line in lines]
    (folder / "log.txt").write_text("\n".join(stretched) + "\n")
    found = audit([tmp_path])
    assert "do not fit" in " ".join(item.detail for item in found.findings)
    assert off_pct(found.judged[0], "energy") == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("ratio", [0.9955, 0.9988, 1.0002, 1.0045])
@pytest.mark.parametrize("lost", [(), (3,)])
def test_clocks_that_run_apart_over_long_uploads_lose_no_mark(
    ratio: float, lost: tuple[int, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "vww" / "energy"
    Eembc(pause_s=85.0, drop_marks=lost).write(folder)
    lines = (folder / "log.txt").read_text().splitlines()
    drifted = [
        f"{TRACE_ON_S + (float(line[:9]) - TRACE_ON_S) * ratio:09.3f}{line[9:]}" for line in lines
    ]
    (folder / "log.txt").write_text("\n".join(drifted) + "\n")
    found = audit([tmp_path])
    windows = found.results[0].windows
    assert [window.marks for window in windows] == ([2, 1, 2, 2, 2] if lost else [2] * 5)
    assert found.findings == () or lost


def test_a_log_without_ends_of_inferences_keeps_the_marks_of_each(tmp_path: Path) -> None:
    folder = tmp_path / "energy"
    Eembc().write(folder)
    lines = (folder / "log.txt").read_text().splitlines()
    (folder / "log.txt").write_text("\n".join(line for line in lines if "infer-done" not in line))
    found = audit([tmp_path])
    assert found.findings == ()
    assert off_pct(found.judged[0], "energy") == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("content", [b"", b"\xf2\x00\x00\x7a\x44aaaa", b"\xf1\x00\x00\x7a\x44"])
def test_a_damaged_trace_is_said_to_be_one(content: bytes, tmp_path: Path) -> None:
    Eembc().write(tmp_path / "energy")
    (tmp_path / "energy" / "trace1-energy.bin").write_bytes(content)
    assert "raw-data-damaged" in rules(tmp_path)


def test_a_trace_that_was_cut_off_costs_the_windows_it_lacks(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "energy")
    path = tmp_path / "energy" / "trace1-energy.bin"
    path.write_bytes(path.read_bytes()[:-60_003])
    found = audit([tmp_path])
    assert [window.energy_uj is None for window in found.results[0].windows] == [False] * 4 + [True]
    assert {item.rule for item in found.findings} == {"raw-data-damaged"}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("log.txt", "absent: log.txt"),
        ("results.txt", "absent: results.txt"),
        ("trace1-energy.bin", "trace*-energy.bin"),
        ("trace1-timestamps.json", "trace*-timestamps.json"),
    ],
)
def test_a_missing_file_is_named(name: str, word: str, tmp_path: Path) -> None:
    Eembc().write(tmp_path / "kws" / "energy")
    (tmp_path / "kws" / "energy" / name).unlink()
    found = audit([tmp_path])
    (absent,) = found.findings
    assert absent.rule == "raw-data-absent"
    assert word in absent.detail


def test_without_a_log_the_printed_counts_serve(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "kws" / "energy")
    (tmp_path / "kws" / "energy" / "log.txt").unlink()
    result = audit([tmp_path]).results[0]
    assert result.energy_uj == pytest.approx(UJ_ACTIVE * WINDOW_S * RATE_HZ / INFERENCES, rel=1e-4)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_texts_are_read_in_the_encodings_of_editors(encoding: str, tmp_path: Path) -> None:
    folder = tmp_path / "kws" / "energy"
    Eembc().write(folder)
    for name in ("log.txt", "results.txt", "trace1-timestamps.json"):
        text = (folder / name).read_text().replace("\n", "\r\n")
        mark = "\ufeff" if encoding == "utf-16-be" else ""
        (folder / name).write_bytes((mark + text).encode(encoding))
    found = audit([tmp_path])
    assert found.findings == ()
    assert found.results[0].energy_uj is not None


@pytest.mark.parametrize(
    ("folder", "prefix"),
    [
        ("closed/ACME/results/board/kws/energy", "energy_"),
        ("open/ACME/results/board/ic/RN07/power", ""),
        ("closed/ACME/results/board/keyword_spotting/energy", ""),
        ("v1/kws_energy_run", ""),
        ("some folder", ""),
    ],
)
def test_layouts_of_submitters_are_known(folder: str, prefix: str, tmp_path: Path) -> None:
    Eembc(prefix=prefix).write(tmp_path / folder)
    places = [tmp_path / folder]
    while places[-1] != tmp_path:
        places.append(places[-1].parent)
    for place in places:
        found = audit([place])
        assert found.findings == ()
        assert [result.mode for result in found.results] == ["energy"]
        assert found.results[0].energy_uj is not None


def test_a_systems_name_does_not_set_the_mode(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "board_max_performance" / "ad" / "run")
    write_performance(tmp_path / "low_energy" / "ad" / "performance", prefix="performance_")
    assert [result.mode for result in audit([tmp_path]).results] == ["energy", "performance"]


def test_texts_of_other_things_are_passed_over(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "results" / "kws" / "energy")
    for name, text in (("log.txt", "make: done\n"), ("results.json", '{"accuracy": 0.9}')):
        (tmp_path / "code" / "build").mkdir(parents=True, exist_ok=True)
        (tmp_path / "code" / "build" / name).write_text(text)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "log.txt").write_text("00001.000 session: m-session-start-id[1]\n")
    assert len(audit([tmp_path]).results) == 1


def test_clocks_of_more_than_32_bits_are_read(tmp_path: Path) -> None:
    write_performance(tmp_path / "performance", epoch_us=1_620_358_199_278_953)
    found = audit([tmp_path])
    assert found.findings == ()
    assert found.results[0].latency_ms == pytest.approx(1000 * WINDOW_S / INFERENCES)


def test_the_last_finished_session_of_a_log_counts(tmp_path: Path) -> None:
    folder = tmp_path / "performance"
    write_performance(folder, seconds=11.0)
    old = [(folder / name).read_text() for name in ("log.txt", "results.txt")]
    shutil.rmtree(folder)
    write_performance(folder)
    for name, text in zip(("log.txt", "results.txt"), old, strict=True):
        (folder / name).write_text(text + (folder / name).read_text())
    with (folder / "log.txt").open("a") as log:
        log.write("00900.000 session: m-session-start-id[3]\n00900.100 dut: m-infer-start-300\n")
    found = audit([tmp_path])
    assert found.findings == ()
    assert len(found.results[0].windows) == len(found.results[0].published_windows) == 5
    assert found.results[0].latency_ms == pytest.approx(1000 * WINDOW_S / INFERENCES)


def test_a_log_of_another_run_than_the_results_is_seen_by_its_windows(tmp_path: Path) -> None:
    folder = tmp_path / "performance"
    write_performance(folder)
    lines = (folder / "log.txt").read_text().splitlines()
    (folder / "log.txt").write_text("\n".join(lines[:7]))
    found = audit([tmp_path])
    assert [(item.rule, item.detail) for item in found.findings] == [
        ("raw-data-absent", "the raw files hold 1 of 5 published windows")
    ]
    assert found.judged[0].verdict is Verdict.PARTLY_CHECKED
    assert found.results[0].latency_ms == pytest.approx(1000 * WINDOW_S / INFERENCES)


def test_a_run_of_one_window_has_no_printed_median(tmp_path: Path) -> None:
    folder = tmp_path / "performance"
    write_performance(folder)
    log = (folder / "log.txt").read_text().splitlines()
    (folder / "log.txt").write_text("\n".join(log[:7]))
    printed = (folder / "results.txt").read_text().replace("23.256", "24.000").splitlines()
    (folder / "results.txt").write_text("\n".join(printed[:4]))
    found = audit([tmp_path])
    assert {item.rule for item in found.findings} == {
        "window-count",
        "throughput-differs",
        "published-inconsistent",
    }
    assert found.results[0].published_ips == 24.0


def test_results_of_mlcommons_runner_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "kws" / "energy"
    write_mlc(folder, mlc_entries())
    found = audit([tmp_path])
    assert found.findings == ()
    assert found.results[0].energy_uj == pytest.approx(MLC_UJ, rel=1e-6)
    assert found.results[0].voltage_mv == pytest.approx(1800.0)
    assert len(found.results[0].published_windows) == 5


def test_marks_that_mlcommons_runner_lost_are_found_by_number_and_count(tmp_path: Path) -> None:
    folder = tmp_path / "kws" / "energy"
    entries = mlc_entries()
    del entries[2]["power"]["timestamps"][0]
    write_mlc(folder, entries)
    found = audit([tmp_path])
    (lost,) = found.findings
    assert (lost.rule, lost.count) == ("marks-do-not-pair", 2)
    assert lost.detail.startswith("window 2 has 1 marks")
    write_mlc(folder, mlc_entries(), energy_uj=MLC_UJ * 1.01)
    assert rules(tmp_path) == {"energy-differs"}


def test_a_monitor_that_counts_anew_in_each_window_lost_nothing(tmp_path: Path) -> None:
    entries = [mlc_entry(marks=[["00", 1770], ["01", 13286]]) for _ in range(5)]
    write_mlc(tmp_path / "energy", entries)
    assert rules(tmp_path) == set()


@pytest.mark.parametrize(("span_s", "expected"), [(12, set()), (9, {"upload-in-window"})])
def test_mlcommons_log_tells_how_long_an_inference_took_at_most(
    span_s: int, expected: set[str], tmp_path: Path
) -> None:
    folder = tmp_path / "kws" / "energy"
    write_mlc(folder, mlc_entries())
    log, now = ["Logging initialized. Writing output to sessions/1/log.txt"], 86_380
    for number in range(5):
        for step, wait_s in (
            (f"Loading file {number}.bin segment 0", 2),
            ("Load complete.", span_s),
        ):
            at = now % 86_400
            clock = f"{at // 3600:02d}{at // 60 % 60:02d}{at % 60:02d}"
            log.append(f"0803.{clock} ulp-mlperf: {step}")
            now += wait_s
    (folder / "log.txt").write_text("\n".join(log))
    found = audit([tmp_path])
    assert {item.rule for item in found.findings} == expected
    json.dumps([window.host_s for window in found.results[0].windows], allow_nan=False)


@pytest.mark.parametrize("name", ["performance", "a run"])
def test_laps_of_mlcommons_runner_are_read_over_a_wrap(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    entries, begin = [], (1 << 32) - 20_000_000
    for _ in range(5):
        end = (begin + 11_599_211) % (1 << 32)
        infer = {"start_time": begin, "end_time": end, "iterations": 400, "throughput": 34.485}
        entries.append({"file": "a.bin", "infer": infer, "mode": "p"})
        begin = (end + 80_000) % (1 << 32)
    (folder / "results.json").write_text(json.dumps(entries))
    (folder / "results.txt").write_text(
        "Performance results for window 1\n    Runtime: 11.599211 sec.\n"
        "0803.212717 ulp-mlperf: Median throughput is     34.485 inf./sec.\n"
    )
    found = audit([tmp_path])
    assert found.findings == ()
    assert found.results[0].mode == "performance"
    assert found.results[0].latency_ms == pytest.approx(11599.211 / 400)


def test_the_streaming_test_has_one_long_inference(tmp_path: Path) -> None:
    entry = mlc_entry(marks=[["00", 12], ["01", 1770], ["02", 13286]])
    entry["infer"] = {"wav_file": "long.wav", "iterations": 1, "warmups": 0}
    folder = tmp_path / "wake word" / "energy"
    write_mlc(folder, [entry], energy_uj=MLC_UJ * 400)
    found = audit([tmp_path])
    assert found.findings == ()
    assert found.results[0].streaming
    assert found.results[0].energy_uj == pytest.approx(MLC_UJ * 400, rel=1e-6)


def test_a_missing_results_json_of_mlcommons_runner_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "sww" / "energy"
    write_mlc(folder, mlc_entries())
    (folder / "results.json").unlink()
    (folder / "log.txt").write_text("Logging initialized. Writing output to sessions/1/log.txt\n")
    found = audit([tmp_path])
    assert found.results[0].runner == "mlcommons"
    assert "absent: results.json" in " ".join(item.detail for item in found.findings)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "null",
        "7",
        "[]",
        "[1]",
        DEEP,
        '[{"infer": null}]',
        '[{"infer": {"iterations": "x"}, "power": {"samples": 3, "timestamps": [["00", 1]]}}]',
        '[{"infer": {"iterations": 1e400}, "power": {"timestamps": [1]}}]',
        '[{"infer": {"iterations": 4}, "power": {"timestamps": [["zz", 0], ["", 9]]}}]',
        '[{"infer": {"iterations": 4}, "power": {"voltage": NaN, "timestamps": []}}]',
        '[{"infer": {"iterations": 4}, "power": '
        '{"samples": [NaN, NaN, 1], "timestamps": [["00", 0], ["01", 2]]}}]',
        '[{"infer": {"iterations": 4}, "power": '
        '{"samples": ["a", 1, 1], "timestamps": [["00", -3], ["01", 2]]}}]',
        f'[{{"infer": {{"iterations": {10**4000}}}, "power": {{}}}}]',
    ],
)
def test_a_hostile_results_json_is_a_finding(document: str, tmp_path: Path) -> None:
    write_mlc(tmp_path / "energy", [])
    (tmp_path / "energy" / "results.json").write_text(document)
    assert "raw-data-damaged" in rules(tmp_path)


@pytest.mark.parametrize(
    "stamps", ["", "{}", "null", "3", '["a"]', "[NaN]", "[1e999]", "[true]", "[[1]]", DEEP]
)
def test_hostile_timestamps_are_a_finding(stamps: str, tmp_path: Path) -> None:
    Eembc().write(tmp_path / "energy")
    (tmp_path / "energy" / "trace1-timestamps.json").write_text(stamps)
    assert "raw-data-damaged" in rules(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_samples_that_are_no_numbers_are_a_finding(value: float, tmp_path: Path) -> None:
    Eembc(salt=value).write(tmp_path / "energy")
    found = audit([tmp_path])
    assert "raw-data-damaged" in {item.rule for item in found.findings}
    assert found.results[0].energy_uj is None


def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "energy"
    Eembc().write(folder)
    for name in ("log.txt", "results.txt", "trace1-energy.bin"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
    assert rules(tmp_path) == {"raw-data-damaged", "raw-data-absent"}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["log.txt", "results.txt", "trace1-timestamps.json", "trace1-energy.bin"]),
    at=st.floats(0, 1),
    put=st.binary(max_size=40)
    | st.sampled_from([b"m-lap-us-" + b"9" * 5000, b"m-infer-start-0", b"1.2.3", b"e99999"]),
)
def test_no_damage_to_a_file_ends_the_audit(
    name: str, at: float, put: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("audit") / "energy"
    Eembc(windows=2, window_s=0.2, pause_s=0.5).write(folder)
    path = folder / name
    data = path.read_bytes()
    place = int(at * len(data))
    path.write_bytes(data[:place] + put + data[place + len(put) :])
    json.dumps([result.energy_uj for result in audit([folder]).results], allow_nan=False)


def test_a_folder_without_results_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no results"):
        audit([tmp_path])
    with pytest.raises(UsageError, match="no folder"):
        audit([tmp_path / "absent"])
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no folder"):
        audit([tmp_path / "file"])


def test_a_folder_that_cannot_be_looked_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Eembc().write(tmp_path / "kws" / "energy")
    (tmp_path / "secret").mkdir()
    listed = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = audit([tmp_path])
    assert len(found.results) == 1
    assert [(Path(item.folder).name, item.rule) for item in found.findings] == [
        ("secret", "raw-data-damaged")
    ]
    with pytest.raises(UsageError, match="Permission denied"):
        audit([tmp_path / "secret"])


def test_long_work_says_how_far_it_is(tmp_path: Path) -> None:
    for number in range(102):
        write_performance(tmp_path / f"{number}" / "performance", epoch_us=7_000_000 + number)

    class Told:
        def __init__(self) -> None:
            self.details: list[str] = []

        def event(self, event: Event) -> None:
            self.details.append(f"{event.state} {event.detail}".strip())

    told = Told()
    audit([tmp_path], told)
    assert told.details == ["start", "note 100 of 102 results", "done"]


def test_the_verb_prints_each_result_with_its_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Eembc(printed_ratio=1.01).write(tmp_path / "kws" / "energy")
    write_performance(tmp_path / "kws" / "performance")
    assert run(["audit", str(tmp_path), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    energy, performance = document["results"]
    figure = {item["name"]: item for item in energy["figures"]}["energy"]
    assert figure["difference_pct"] == pytest.approx(100 / 1.01 - 100, abs=1e-3)
    assert [item["rule"] for item in energy["findings"]] == ["energy-differs"]
    assert (energy["verdict"], performance["verdict"]) == ("contradicted", "confirmed")
    assert performance["latency_ms"] == pytest.approx(43.0)
    assert run(["audit", str(tmp_path / "kws" / "performance")]) == 0
    text = capsys.readouterr().out
    assert "throughput 23.256 inf./s published, 23.2558 computed" in text
    assert "1 results: 1 confirmed; 0 findings" in text
    assert run(["audit", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert text.index("contradicted: 1") < text.index("confirmed: 1")
    assert text.count("energy-differs") == 1
    assert run(["audit", str(tmp_path / "absent")]) == 2
