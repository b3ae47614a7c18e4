"""Imports of other programs' files: the right value, or a refusal that names the cause."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from npubench.cli.main import run
from npubench.core.errors import MonitorError, NpubenchError, StorageError
from npubench.power.capture.imported import Imported, import_file
from npubench.power.parts import read_capture
from npubench.power.source.interface import Flag

COUNT = 400
MEAN_UA = 5500.0


def table(
    header: str,
    row: Callable[[int, float], str],
    *,
    before: str = "",
) -> str:
    """A file of 5 and 6 mA in turn; ``row`` writes the time's number and the milliamperes."""
    rows = (row(k, 5.0 + k % 2) for k in range(COUNT))
    return before + header + "\n" + "\n".join(rows) + "\n"


def comma(text: str) -> str:
    return text.replace(".", ",")


# Text, and how it is read: options, and seconds of the whole.
GOOD: dict[str, tuple[str | bytes, dict[str, str | float]]] = {
    "suffix-ua": (table("timestamp_ms,current_ua", lambda k, i: f"{k},{i * 1000}"), {}),
    "suffix-mA": (table("time_s,current_mA", lambda k, i: f"{k / 1000},{i}"), {}),
    "brackets-micro-sign": (
        table("Time [ms];Current [\u00b5A]", lambda k, i: f"{k};{i * 1000}"),
        {},
    ),
    "curr-avg-units-below": (
        table("Sample,Time,Curr avg 1\n,s,A", lambda k, i: f"{k},{k / 1000},{i / 1000}"),
        {},
    ),
    "volt-avg-curr-avg": (
        table("Time (s),Volt avg 1 (V),Curr avg 1 (mA)", lambda k, i: f"{k / 1000},3.0,{i}"),
        {},
    ),
    "picoamperes": (table("t (ms),I (pA)", lambda k, i: f"{k},{i * 1e9:.6e}"), {}),
    "greek-mu": (table("t (ms)\tI (\u03bcA)", lambda k, i: f"{k}\t{i * 1000}"), {}),
    "slash-units": (table("t/ms,I/mA,U/V", lambda k, i: f"{k},{i},3.0"), {}),
    "semicolon-decimal-comma": (
        table("Time (s);Current (mA)", lambda k, i: comma(f"{k / 1000:.3f};{i}")),
        {},
    ),
    "tab-decimal-comma": (
        table("Time (s)\tCurrent (mA)", lambda k, i: comma(f"{k / 1000:.3f}\t{i}")),
        {},
    ),
    "quoted-decimal-comma": (
        table(
            '"Time (s)","Current (mA)"',
            lambda k, i: comma(f'"{k / 1000:.3f}"|"{i}"').replace("|", ","),
        ),
        {},
    ),
    "quoted-thousands": (
        table("Time (ms),Current (uA)", lambda k, i: f'{k},"{i * 1000:,.1f}"'),
        {},
    ),
    "german-thousands": (
        table("Zeit;Strom", lambda k, i: f"{k};" + f"{i * 1000:,.1f}".translate({44: 46, 46: 44})),
        {"time_column": "Zeit", "current_column": "Strom", "unit": "ms,uA"},
    ),
    "spaces-between-thousands": (
        table(
            "Time (ms);Current (uA)", lambda k, i: f"{k};" + f"{i * 1000:,.1f}".replace(",", " ")
        ),
        {},
    ),
    "utf-16": (
        table("Time (s)\tCurrent (\u00b5A)", lambda k, i: f"{k / 1000}\t{i * 1000}").encode(
            "utf-16"
        ),
        {},
    ),
    "utf-16-without-mark": (
        table("Time (s),Current (mA)", lambda k, i: f"{k / 1000},{i}").encode("utf-16-be"),
        {},
    ),
    "latin-1": (
        table("Time (s),Current (\u00b5A)", lambda k, i: f"{k / 1000},{i * 1000}").encode(
            "latin-1"
        ),
        {},
    ),
    "quoted-everything": (
        table('"Time (s)","Current (A)"', lambda k, i: f'"{k / 1000}","{i / 1000}"'),
        {},
    ),
    "iso-times": (
        table(
            "Timestamp,Current (mA)",
            lambda k, i: (
                f"2026-11-20T23:59:59.{800 + k:03d}Z,{i}"
                if k < 200
                else f"2026-11-21T00:00:00.{k - 200:03d}Z,{i}"
            ),
        ),
        {},
    ),
    "times-of-day": (
        table("Time,Current (mA)", lambda k, i: f"10:00:00.{k:03d},{i}"),
        {},
    ),
    "american-times": (
        table("Time;Current (mA)", lambda k, i: f"11/20/2026 10:00:00.{k:03d} PM;{i}"),
        {},
    ),
    "epoch-nanoseconds": (
        table(
            "timestamp_ns,current_na",
            lambda k, i: f"{1732700000123456789 + k * 1_000_000},{i * 1e6:.0f}",
        ),
        {},
    ),
    "index-column": (
        table("Sample,Time (s),Current (A)", lambda k, i: f"{k},{k / 1000},{i / 1000}"),
        {},
    ),
    "row-of-units": (
        table("Index,Time,Current,Voltage\n,s,A,V", lambda k, i: f"{k},{k / 1000},{i / 1000},3"),
        {},
    ),
    "benchvue": (
        table(
            "Sample;Time (s);Curr Avg 1 (A);Volt Avg 1 (V);",
            lambda k, i: f"{k};{k / 1000:E};{i / 1000:+E};{3:+E};",
            before="Keysight;N6705C\nDate;20.11.2026\nSample interval;0.001\n\n",
        ),
        {},
    ),
    "joulescope": (
        table("#time (s),current (A),voltage (V)", lambda k, i: f"{k / 1000},{i / 1000},3.0"),
        {},
    ),
    "otii": (
        table(
            "Time (s),Main Current (A),Main Voltage (V)", lambda k, i: f"{k / 1000},{i / 1000},3"
        ),
        {},
    ),
    "powertool": (
        table(
            "Time (s),Main Avg Current (mA),Main Max Current (mA),USB Avg Current (mA),"
            "Main Avg Power (mW),Main Avg Voltage (V)",
            lambda k, i: f"{k / 1000},{i},99,0,{3 * i},3.0",
        ),
        {},
    ),
    "nrf": (
        table("Timestamp(ms),Current(uA),D0-D7", lambda k, i: f"{k}.000,{i * 1000},00000000"),
        {},
    ),
    "saleae-over-a-shunt": (
        table("Time [s],Channel 0", lambda k, i: f"{k / 1000:.9f},{i / 1000 * 10}"),
        {"current_column": "Channel 0", "unit": "V", "shunt_ohms": 10.0},
    ),
    "no-units-with-options": (
        table("timestamp,current", lambda k, i: f"{k},{i}"),
        {"unit": "ms,mA"},
    ),
    "no-header-with-options": (
        table("0,5.0", lambda k, i: f"{k + 1},{11 - i}"),
        {"time_column": "1", "current_column": "2", "unit": "ms,mA"},
    ),
    "named-by-units": (table("ms,mA,Volts", lambda k, i: f"{k},{i},3.0"), {}),
    "unit-before-a-note": (
        table("Time (s) rel,Current [mA] (filtered)", lambda k, i: f"{k / 1000},{i}"),
        {},
    ),
    "excel-says-its-separator": (
        table("Time (s);Current (mA)", lambda k, i: comma(f"{k / 1000};{i}"), before="sep=;\n"),
        {},
    ),
    "index-without-a-name": (table(",millis,current_ma", lambda k, i: f"{k},{k},{i}"), {}),
    "swiss-thousands": (
        table("Time (ms)\tCurrent (uA)", lambda k, i: f"{k}\t{i * 1000:,.1f}".replace(",", "'")),
        {},
    ),
    "old-mac-lines": (
        table("Time (ms),Current (mA)", lambda k, i: f"{k},{i}").replace("\n", "\r"),
        {},
    ),
    "utf-32": (table("Time (ms),Current (mA)", lambda k, i: f"{k},{i}").encode("utf-32"), {}),
    "camel-case": (table("timeMs,CurrentuA", lambda k, i: f"{k},{i * 1000}"), {}),
    "upper-case": (table("TIME_MS,CURRENT_MA", lambda k, i: f"{k},{i}"), {}),
    "picoscope-over-a-shunt": (
        table("Time,Channel A\n(ms),(mV)\n", lambda k, i: f"{k},{i * 10}"),
        {"current_column": "Channel A", "shunt_ohms": 10.0},
    ),
    "carriage-returns": (
        table("Time (s),Current (mA)", lambda k, i: f"{k / 1000},{i}\r").replace("\r\n", "\r\n"),
        {},
    ),
    "comments-before": (
        table(
            "Time (s),Current (mA)",
            lambda k, i: f"{k / 1000},{i}",
            before="# exported by X, version 1.2\n# board, rev 3\n",
        ),
        {},
    ),
}


def load(tmp_path: Path, text: str | bytes, **options: str | float) -> Imported:
    path = tmp_path / "file.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return import_file(path, tmp_path / "capture", options, voltage_mv=3000.0)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_every_dialect_gives_the_same_capture(name: str, tmp_path: Path) -> None:
    text, options = GOOD[name]
    found = load(tmp_path, text, **options).totals
    assert found.mean_ua == pytest.approx(MEAN_UA, rel=2e-3)
    assert (found.low_ua, found.high_ua) == (pytest.approx(5000.0), pytest.approx(6000.0))
    assert found.seconds == pytest.approx(COUNT / 1000, rel=0.01)
    assert found.lost == 0


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "decimal-commas-between-commas": (
        table("Time (s),Current (mA)", lambda k, i: comma(f"{k / 1000:.3f}") + "," + comma(f"{i}")),
        "not as wide as the header",
    ),
    "decimal-comma-in-one-column": (
        table("Time (ms),Current (mA),Voltage (V)", lambda k, i: f"{k},{comma(str(i))},3"),
        "not as wide as the header",
    ),
    "thousands-between-commas": (
        table("Time (ms),Current (uA)", lambda k, i: f"{k},{i * 1000:,.0f}"),
        "not as wide as the header",
    ),
    "thousand-or-decimal": (
        table("Time (ms);Current (uA)", lambda k, i: f"{k};{i * 1000:,.0f}"),
        "can be a thousand or a decimal",
    ),
    "two-decimal-marks": (
        table("Time (s);Current (mA)", lambda k, i: f"{k / 1000:.4f};{comma(str(i))}"),
        "some numbers have decimal points and some decimal commas",
    ),
    "no-unit-of-time": (table("Timestamp,Current (mA)", lambda k, i: f"{k},{i}"), "has no unit"),
    "an-index-for-a-time": (table("Sample,Current (mA)", lambda k, i: f"{k},{i}"), "no header"),
    "no-unit-of-current": (table("Time (ms),Current", lambda k, i: f"{k},{i}"), "has no unit"),
    "unknown-unit": (
        table("Time (ms),Current (counts)", lambda k, i: f"{k},{i}"),
        "unknown unit 'counts'",
    ),
    "no-unit-of-voltage": (
        table("Time (ms),Current (mA),Voltage", lambda k, i: f"{k},{i},3"),
        "has no unit",
    ),
    "two-currents": (
        table("Time (ms),Current 1 (mA),Current 2 (mA)", lambda k, i: f"{k},{i},0"),
        "2 columns can be the current",
    ),
    "channels-called-by-letters": (
        table("Time (s),Channel A,Channel B", lambda k, i: f"{k / 1000},{i},0"),
        "no header",
    ),
    "power-alone": (table("Time (ms),Power (mW)", lambda k, i: f"{k},{i}"), "no header"),
    "volts-for-a-current": (
        table("Time (s),Channel 0 (V)", lambda k, i: f"{k / 1000},{i}"),
        "no header",
    ),
    "beyond-any-part": (
        table("Time (ms),Current (A)", lambda k, i: f"{k},{i * 1000}"),
        "beyond 10000 mA",
    ),
    "beyond-a-ppk2": (
        table("Timestamp(ms),Current(uA),D0-D7", lambda k, i: f"{k},{i * 1e6},00000000"),
        "beyond 1020 mA",
    ),
    "kilovolts": (
        table("Time (ms),Current (mA),Voltage (V)", lambda k, i: f"{k},{i},3300"),
        "no voltage of a board",
    ),
    "time-stands-still": (table("Time (s),Current (mA)", lambda k, i: f"{0 * k},{i}"), "advances"),
    "the-date-changes": (
        table(
            "Time;Current (mA)",
            lambda k, i: f"{k // 2 % 12 + 1}/{k // 30 + 1}/2026 10:00:00.{k:03d};{i}",
        ),
        "the date changes",
    ),
    "binary": (bytes(range(256)) * 8, "no text"),
    "gzip": (b"\x1f\x8b\x08" + bytes(64), "gzip"),
    "zip-of-another-kind": (b"PK\x03\x04" + bytes(64), "no recording of a PPK2"),
    "empty": (b"", "is empty"),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_can_be_read_in_two_ways_is_refused(name: str, tmp_path: Path) -> None:
    text, why = REFUSED[name]
    with pytest.raises(MonitorError, match=why):
        load(tmp_path, text)
    assert not (tmp_path / "capture").exists()


@pytest.mark.parametrize("missing", ["nan", "NaN", "", "N/A", "OVLD", "9.9E37", "inf", "null", "-"])
@pytest.mark.parametrize("column", [1, 2])
def test_a_value_that_is_missing_loses_the_sample(
    missing: str, column: int, tmp_path: Path
) -> None:
    def row(k: int, i: float) -> str:
        cells = [f"{k}", f"{i}", "3.0", "1"]
        if k in (100, 101):
            cells[column] = missing
        return ",".join(cells)

    found = load(tmp_path, table("Time (ms),Current (mA),Voltage (V),D0", row))
    assert found.totals.lost == 2
    assert found.findings[0].startswith("samples-lost: 2 samples")
    (block,) = read_capture(tmp_path / "capture").blocks()
    assert np.flatnonzero(block.flags & Flag.LOST).tolist() == [100, 101]
    assert np.isnan(block.current_ua[[100, 101]]).all()


def test_rows_that_cannot_be_read_are_lost_and_told(tmp_path: Path) -> None:
    lines = table("Time (ms),Current (mA)", lambda k, i: f"{k},{i}").splitlines()
    lines[201] = "200,5,0"
    lines[301] = "300,?"
    found = load(tmp_path, "\n".join(lines) + "\nmean,5.5\n")
    assert found.totals.lost == 2
    assert any("3 rows could not be read, the first: row 202" in text for text in found.findings)


def ppk2_file(path: Path, current_ua: np.ndarray, levels: np.ndarray, **metadata: object) -> None:
    frames = np.zeros(len(current_ua), np.dtype([("i", "<f4"), ("b", "<u2")]))
    frames["i"] = current_ua
    for bit in range(8):
        pair = np.where(levels >> bit & 1, 2, 1).astype(np.uint16)
        frames["b"] |= pair << np.uint16(2 * bit)
    document = {"metadata": {"samplesPerSecond": 1000} | metadata, "formatVersion": 2}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("session.raw", frames.tobytes())
        archive.writestr("metadata.json", json.dumps(document))
        archive.writestr("minimap.raw", "{}")


def test_a_recording_of_nordics_power_profiler_is_read(tmp_path: Path) -> None:
    current = np.where(np.arange(COUNT) % 2, 6000.0, 5000.0)
    current[50:53] = np.nan
    levels = np.where(np.arange(COUNT) >= 200, 0b1000_0001, 0).astype(np.uint8)
    ppk2_file(tmp_path / "a.ppk2", current, levels)
    found = import_file(tmp_path / "a.ppk2", tmp_path / "capture", {}, voltage_mv=3300.0)
    assert (found.totals.samples, found.totals.lost) == (COUNT, 3)
    assert found.totals.mean_ua == pytest.approx(MEAN_UA, rel=2e-3)
    (block,) = read_capture(tmp_path / "capture").blocks()
    assert block.markers.tolist() == levels.tolist()
    assert found.capture.traits.voltage_mv == 3300.0


def jls_file(path: Path, **scale: float) -> None:
    pyjls = pytest.importorskip("pyjls", reason="pyjls is not installed")
    count = 20_000
    signals = (("current", "A", 1000), ("voltage", "V", 1000), ("gpi[1]", "", 2000))
    with pyjls.Writer(str(path)) as writer:
        writer.source_def(
            source_id=1, name="JS220-1", vendor="x", model="JS220", version="1", serial_number="1"
        )
        for number, (name, unit, rate) in enumerate(signals, 1):
            writer.signal_def(
                signal_id=number,
                source_id=1,
                signal_type=pyjls.SignalType.FSR,
                data_type=pyjls.DataType.F32 if unit else pyjls.DataType.U1,
                sample_rate=rate,
                name=name,
                units=unit,
            )
        current = np.where(np.arange(count) % 2, 0.006, 0.005).astype(np.float32)
        current[[7, 8]] = np.nan
        voltage = np.full(count, 3.3, np.float32)
        voltage[100] = np.nan
        levels = (np.arange(2 * count) >= count).astype(np.uint8)
        writer.fsr(1, 0, current * np.float32(scale.get("current", 1.0)))
        writer.fsr(2, 0, voltage)
        writer.fsr(3, 0, np.packbits(levels, bitorder="little"))


def test_a_recording_of_the_joulescope_ui_is_read(tmp_path: Path) -> None:
    jls_file(tmp_path / "a.jls")
    found = import_file(tmp_path / "a.jls", tmp_path / "capture", {}, voltage_mv=3000.0)
    assert (found.totals.samples, found.totals.lost) == (20_000, 3)
    assert found.totals.seconds == 20.0
    assert found.totals.mean_ua == pytest.approx(MEAN_UA, rel=1e-3)
    markers = np.concatenate([b.markers for b in read_capture(tmp_path / "capture").blocks()])
    assert np.flatnonzero(np.diff(markers)).tolist() == [9_999]
    assert set(markers.tolist()) == {0, 2}
    (tmp_path / "b.jls").write_bytes(b"jlsfmt\r\n \n \x1a  " + bytes(64))
    with pytest.raises(MonitorError, match="no JLS file of version 2"):
        import_file(tmp_path / "b.jls", tmp_path / "other", {}, voltage_mv=3000.0)
    jls_file(tmp_path / "c.jls", current=1e4)
    with pytest.raises(MonitorError, match="beyond 10 A"):
        import_file(tmp_path / "c.jls", tmp_path / "other", {}, voltage_mv=3000.0)


@pytest.mark.parametrize(
    ("current_ua", "metadata", "why"),
    [
        (2e6, {}, "beyond 1 A"),
        (5e3, {"samplesPerSecond": 0}, "is not known here"),
        (5e3, {"samplesPerSecond": "x"}, "no recording of a PPK2"),
    ],
)
def test_a_recording_that_cannot_be_is_refused(
    current_ua: float, metadata: dict[str, object], why: str, tmp_path: Path
) -> None:
    ppk2_file(tmp_path / "a.ppk2", np.full(100, current_ua), np.zeros(100, np.uint8), **metadata)
    with pytest.raises(MonitorError, match=why):
        import_file(tmp_path / "a.ppk2", tmp_path / "capture", {}, voltage_mv=3000.0)


def test_the_verb_prints_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text(table("timestamp_ms,current", lambda k, i: f"{k},{i}"))
    words = ["power", "import", str(path), "-o", str(tmp_path / "c"), "--json"]
    assert run(words) != 0
    assert "has no unit" in capsys.readouterr().err
    assert run([*words, "--unit", "mA"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mean_ua"] == pytest.approx(MEAN_UA)
    keys = {"seconds", "samples", "lost_samples", "mean_ua", "min_ua", "max_ua", "findings"}
    assert keys <= found.keys()
    assert (found["samples"], found["lost_samples"], found["findings"]) == (COUNT, 0, [])
    assert run(["power", "view", str(tmp_path / "c")]) == 0


def test_an_import_never_mixes_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "capture").mkdir()
    (tmp_path / "capture" / "mine.txt").write_text("keep")
    with pytest.raises(StorageError, match="not empty"):
        load(tmp_path, GOOD["otii"][0])
    assert (tmp_path / "capture" / "mine.txt").read_text() == "keep"


def test_a_unit_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(NpubenchError, match="'furlong' is no unit"):
        load(tmp_path, GOOD["no-units-with-options"][0], unit="furlong")
