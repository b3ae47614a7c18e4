"""What is plugged in becomes a bench.toml; a board is found by it, and never by luck."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from npubench.boards import load_board
from npubench.cli.main import run
from npubench.core.errors import ConfigError, DeviceError, UsageError
from npubench.flash.detect import Detected, bench_text, detect_boards, find_port, probe_of
from npubench.power.source.benchfile import BenchFile, read_bench
from npubench.power.source.driver import Found


def port(device: str, usb: str, serial: str | None, product: str = "probe") -> SimpleNamespace:
    """A port as pyserial describes it."""
    vid, pid = (int(part, 16) for part in usb.split(":"))
    return SimpleNamespace(
        device=device, vid=vid, pid=pid, serial_number=serial, product=product, description=""
    )


@pytest.fixture(autouse=True)
def bench_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bench.toml that is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NPUBENCH_BENCH", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "bench.toml"


def plug(monkeypatch: pytest.MonkeyPatch, *ports: SimpleNamespace) -> None:
    """What pyserial finds."""
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda *_, **__: list(ports))


H7 = ("0483:374e", "nucleo-h7a3zi-q")
ONLY = ("0483:3752", "nucleo-l4r5zi")
"""A USB id that one board alone has."""


def test_a_bench_file_of_one_board_is_ready(
    monkeypatch: pytest.MonkeyPatch, bench_file: Path
) -> None:
    plug(
        monkeypatch,
        port("/dev/ttyACM1", ONLY[0], "0031"),
        port("/dev/ttyUSB9", "dead:beef", "x"),
    )
    found = detect_boards()
    assert [device.boards for device in found] == [(ONLY[1],)]
    ppk = Found(driver="ppk2", serial="C0FFEE", port="/dev/ttyACM3", product="PPK2")
    bench_file.write_text(bench_text(found, (ppk,)), encoding="utf-8")
    bench = read_bench()
    assert bench.boards[ONLY[1]].serial == "0031"
    assert bench.power["ppk2"].serial == "C0FFEE"
    assert bench.power["ppk2"].driver == "ppk2"


def test_what_may_be_several_boards_is_left_to_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, port("/dev/ttyUSB0", "0403:6015", "AB12"))
    found = detect_boards()
    assert set(found[0].boards) == {"max78000evkit", "max78002evkit"}
    text = bench_text(found, ())
    assert BenchFile.model_validate(tomllib.loads(text)).boards == {}
    taken = text.replace("# [boards.max78002evkit]\n# serial", "[boards.max78002evkit]\nserial")
    assert set(BenchFile.model_validate(tomllib.loads(taken)).boards) == {"max78002evkit"}


def test_hostile_descriptors_stay_text() -> None:
    device = Detected(
        port="/dev/ttyACM0",
        usb="0483:374e",
        serial_number='1"\n[power.x]\ndriver = "y',
        product="a\nschema = 2",
        boards=("nucleo-h7a3zi-q",),
    )
    read = tomllib.loads(bench_text((device,), ()))
    assert read["schema"] == 1
    assert set(read) == {"schema", "boards"}
    assert read["boards"]["nucleo-h7a3zi-q"]["serial"].startswith('1"')


def test_two_boards_of_a_kind_are_told_apart_by_the_bench_file(
    monkeypatch: pytest.MonkeyPatch, bench_file: Path
) -> None:
    board = load_board(H7[1])
    plug(monkeypatch, port("/dev/ttyACM0", H7[0], "A"), port("/dev/ttyACM1", H7[0], "B"))
    with pytest.raises(UsageError, match="several devices") as error:
        find_port(board, port=None, probe_serial=None)
    assert "bench.toml" in error.value.hint
    bench_file.write_text(f'schema = 1\n[boards.{H7[1]}]\nserial = "B"\n', encoding="utf-8")
    found = find_port(board, port=None, probe_serial=None)
    assert isinstance(found, Detected)
    assert found.port == "/dev/ttyACM1"
    assert probe_of(board, found, None) == "B"
    other = find_port(board, port=None, probe_serial="A")
    assert isinstance(other, Detected)
    assert other.port == "/dev/ttyACM0"
    assert find_port(board, port="/dev/x", probe_serial=None) == "/dev/x"
    bench_file.write_text(f'schema = 1\n[boards.{H7[1]}]\nport = "/dev/y"\n', encoding="utf-8")
    assert find_port(board, port=None, probe_serial=None) == "/dev/y"
    bench_file.write_text(f"schema = 1\n[boards.{H7[1]}]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="serial number"):
        find_port(board, port=None, probe_serial=None)


def test_a_console_of_its_own_goes_before_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """An EVKIT has a bridge for the console and a separate probe with a port of its own."""
    board = load_board("max78000evkit")
    plug(
        monkeypatch,
        port("/dev/ttyACM0", "0d28:0204", "0416"),
        port("/dev/ttyUSB0", "0403:6015", "AB12"),
    )
    found = find_port(board, port=None, probe_serial=None)
    assert isinstance(found, Detected)
    assert found.port == "/dev/ttyUSB0"
    assert probe_of(board, found, None) is None, "the bridge's serial number is not the probe's"
    assert probe_of(board, found, "0416") == "0416"


def test_nothing_attached_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch)
    with pytest.raises(DeviceError, match="0483:374e"):
        find_port(load_board(H7[1]), port=None, probe_serial=None)


def test_the_verb_prints_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plug(monkeypatch, port("/dev/ttyACM1", H7[0], "0031"))
    assert run(["boards", "detect"]) == 0
    shown = capsys.readouterr().out
    assert "[boards.nucleo-h7a3zi-q]" in shown
    assert 'serial = "0031"' in shown
