"""Drivers against what they will meet: files of other programs, SDKs, odd answers."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from npubench.core.errors import ConfigError, MonitorError, UsageError
from npubench.power.capture.free import capture_for, totals
from npubench.power.capture.rig import Playback, choose_power, open_power
from npubench.power.instruments.adi_evkit import AdiEvkit, parse_cnn
from npubench.power.instruments.csv import CsvFile
from npubench.power.instruments.joulescope import StreamAligner
from npubench.power.instruments.lpm01a import Lpm01a
from npubench.power.instruments.ppk2 import Ppk2
from npubench.power.instruments.scpi import Scpi, profiles
from npubench.power.registry import load_driver
from npubench.power.simulators.trace import Piece, Trace
from npubench.power.source.failure import RecordingEnded, SdkMissing
from npubench.power.source.interface import Block, Flag, Setup
from npubench.power.source.resample import Resampler
from npubench.power.wire.crc8 import crc8
from npubench.power.wire.lpm01a import AsciiDecoder, BinaryDecoder, parse_number

FILES = {
    "powertool": "Time (s),Main Avg Current (mA),Main Avg Voltage (V)\n"
    + "".join(f"{k * 0.0002:.6f},{5.0 + k % 2},3.0\n" for k in range(1000)),
    "nrf": "Timestamp(ms),Current(uA),D0-D7\n"
    + "".join(
        f"{k * 0.01:.3f},{5000 + 1000 * (k % 2)},{'1' if k > 499 else '0'}0000000\n"
        for k in range(1000)
    ),
    "joulescope": "#time (s),current (A),voltage (V),gpi[0]\n"
    + "".join(
        f"{k * 1e-6:.9f},{0.005 + 0.001 * (k % 2)},3.0,{int(k > 499)}\n" for k in range(1000)
    ),
    "otii": "Timestamp [s];Main Current [A];Main Voltage [V]\n"
    + "".join(f"{k * 0.00025:.6f};{0.005 + 0.001 * (k % 2)};3.0\n" for k in range(1000)),
}


def read_all(source: Any) -> list[Block]:
    blocks = []
    try:
        while True:
            block = source.read(0.0)
            if block is not None:
                blocks.append(block)
    except RecordingEnded:
        return blocks


@pytest.mark.parametrize("name", sorted(FILES))
def test_exports_of_other_programs_are_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_text(FILES[name])
    with CsvFile(str(path), {}) as source:
        traits = source.configure(Setup())
        source.start()
        (block,) = read_all(source)
    rates = {"powertool": 5000, "nrf": 100_000, "joulescope": 1_000_000, "otii": 4000}
    assert traits.rate_hz == pytest.approx(rates[name], rel=1e-3)
    assert len(block) == 1000
    assert block.current_ua.mean() == pytest.approx(5500.0)
    if name in ("nrf", "joulescope"):
        assert np.flatnonzero(block.markers & 1)[0] == 500
    if name != "nrf":
        assert traits.voltage == "measured"
        assert block.voltage_mv is not None
        assert block.voltage_mv.mean() == pytest.approx(3000.0)


def test_a_row_that_is_missing_in_a_file_is_a_lost_sample(tmp_path: Path) -> None:
    lines = FILES["otii"].splitlines()
    del lines[500:503]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\nnot,a,row\n")
    with CsvFile(str(path), {}) as source:
        source.start()
        (block,) = read_all(source)
        assert source.loss().lost_count == 3
        assert source.loss().notes[0].startswith("1 rows could not be read, the first: row 999")
    assert np.flatnonzero(block.flags & Flag.LOST).tolist() == [499, 500, 501]


def test_a_file_without_a_current_is_no_capture(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(MonitorError, match="no header"), CsvFile(str(path), {}):
        pass


def test_the_grid_keeps_places_over_gaps_and_jitter() -> None:
    resampler = Resampler(period=10.0)
    first = resampler.add(np.array([5.0, 16.0, 24.0]), np.array([1.0, 2.0, 3.0]))
    second = resampler.add(np.array([55.0, 64.0]), np.array([6.0, 7.0]))
    assert first is not None
    assert second is not None
    assert first.current_ua.tolist() == [1.0, 2.0, 3.0]
    assert second.first == 3
    assert second.current_ua[2:].tolist() == [6.0, 7.0]
    assert resampler.lost == 2


@pytest.mark.parametrize("times", [[0, 1, 2, 3e9], [0, 1, 2, 3, 4, 0], [0, 1, np.nan], [0, np.inf]])
def test_a_clock_that_jumps_ends_the_grid(times: list[float]) -> None:
    with pytest.raises(MonitorError, match="periods after"):
        Resampler(period=1.0).add(np.array(times, float), np.ones(len(times)))
    resampler = Resampler(period=1.0)
    resampler.add(np.arange(10.0), np.ones(10))
    with pytest.raises(MonitorError, match="periods after"):
        resampler.add(np.array([5.0, *times[1:]]), np.ones(len(times)))


def test_late_and_double_samples_are_dropped_from_the_grid() -> None:
    block = Resampler(period=1.0).add(np.array([0.0, 1, 2, 1, 2, 3]), np.arange(6.0))
    assert block is not None
    assert block.current_ua.tolist() == [0.0, 1.0, 2.0, 5.0]


def test_decimal_commas_and_unreadable_rows_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{k / 1000:.3f};{1.5 + k % 2};0;3.0".replace(".", ",") for k in range(100)]
    rows[40] = "0,040;1,5;x;3,0"
    path.write_text("time (s);current (mA);D3;voltage (V)\n" + "\n".join(rows) + "\n")
    with CsvFile(str(path), {}) as source:
        source.configure(Setup())
        source.start()
        block = source.read(0.0)
        loss = source.loss()
    assert block is not None
    assert block.voltage_mv is not None
    assert block.current_ua[:2].tolist() == [1500.0, 2500.0]
    assert block.voltage_mv[0] == 3000.0
    assert np.flatnonzero(block.flags).tolist() == [40]
    assert loss.notes == (
        "1 rows could not be read, the first: row 42, could not convert string to float: 'x'",
    )


def test_streams_are_laid_over_each_other_by_sample_id() -> None:
    aligner = StreamAligner(("i", "v", "gpi0"))
    aligner.add("i", 100, 2, np.arange(50, dtype=np.float32))
    aligner.add("v", 104, 2, np.full(48, 3.0, np.float32))
    levels = np.zeros(100, np.float32)
    levels[20:] = 1.0
    aligner.add("gpi0", 100, 1, levels)
    block = aligner.take()
    assert block is not None
    assert block.current_ua[0] == pytest.approx(2e6)
    assert len(block) == 48
    assert np.flatnonzero(block.markers & 1)[0] == 8
    aligner.add("i", 210, 2, np.zeros(10, np.float32))
    aligner.add("v", 200, 2, np.full(15, 3.0, np.float32))
    aligner.add("gpi0", 200, 1, np.zeros(30, np.float32))
    block = aligner.take()
    assert block is not None
    assert aligner.lost == 5
    assert np.isnan(block.current_ua[:5]).all()


class FakeJoulescope:
    """The SDK's Driver, as far as it is used: publishes a few messages when streaming starts."""

    def __init__(self) -> None:
        self.receivers: dict[str, Any] = {}
        self.published: list[tuple[str, object]] = []

    def open(self, path: str, mode: str) -> None:
        if path.split("/")[1] not in ("js320", "js220", "js110"):
            raise RuntimeError(f"{path} not found {mode}")

    def subscribe(self, topic: str, flags: str, receive: Any) -> None:
        assert flags == "pub"
        self.receivers[topic] = receive

    def publish(self, topic: str, value: object) -> None:
        self.published.append((topic, value))
        if "js110" in topic and "gpi/2" in topic:
            raise RuntimeError(f"{topic}: not found")
        if "js320" in topic and "range/mode" in topic:
            raise RuntimeError(f"{topic}: not found")
        if topic.endswith("/ctrl") and value == 1:
            name = topic.removesuffix("/ctrl") + "/!data"
            gpi = "gpi" in topic
            data = np.full(8, 0xFF, np.uint8) if gpi else np.full(64, 0.005, np.float32)
            # Sample ids count at the converter's rate: 16 MHz in a JS320, 2 MHz in a JS220.
            factor = 16 if "js320" in topic else 2 if "js220" in topic else 1
            message = {"sample_id": 1600, "decimate_factor": factor, "data": data}
            self.receivers[name](name, message)

    def close(self, path: str) -> None:
        assert path

    def finalize(self) -> None:
        self.receivers.clear()


@pytest.mark.parametrize("model", ["js220", "js320"])
def test_a_joulescope_is_driven_through_its_sdk(
    monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    module = ModuleType("pyjoulescope_driver")
    module.Driver = FakeJoulescope  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyjoulescope_driver", module)
    source = load_driver("joulescope").open(f"u/{model}/002122", {})
    with source:
        identity = source.describe()
        assert (identity.serial, identity.is_physical) == ("002122", True)
        assert identity.model == f"Joulescope {model.upper()}"
        assert source.configure(Setup()).marker_bits == 3
        source.start()
        block = source.read(1.0)
        source.stop()
    assert block is not None
    assert len(block) == 64
    assert block.current_ua[0] == pytest.approx(5000.0)
    assert set(block.markers.tolist()) == {7}


def test_a_js110_has_two_inputs_and_a_wrong_path_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pyjoulescope_driver")
    module.Driver = FakeJoulescope  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyjoulescope_driver", module)
    with load_driver("joulescope").open("u/js110/000415", {}) as source:
        assert source.configure(Setup()).marker_bits == 2
        source.start()
        block = source.read(1.0)
        source.stop()
    assert block is not None
    assert set(block.markers.tolist()) == {3}
    for port in ("/dev/ttyACM0", "COM3"):
        with pytest.raises(MonitorError, match="no path"), load_driver("joulescope").open(port, {}):
            pass
    unknown = load_driver("joulescope").open("u/js999/1", {})
    with pytest.raises(MonitorError, match="cannot be opened"), unknown:
        pass


def test_joulescopes_are_listed_and_an_sdk_that_cannot_start_lists_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Attached(FakeJoulescope):
        def device_paths(self) -> list[str]:
            return ["u/js220/002122"]

    def broken() -> FakeJoulescope:
        raise RuntimeError("no USB")

    module = ModuleType("pyjoulescope_driver")
    module.Driver = Attached  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyjoulescope_driver", module)
    (found,) = load_driver("joulescope").detect()
    assert (found.serial, found.port, found.product) == ("002122", "u/js220/002122", "js220")
    module.Driver = broken  # type: ignore[attr-defined]
    assert load_driver("joulescope").detect() == ()


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("joulescope", "pyjoulescope_driver", "joulescope"), ("scpi", "pyvisa", "power")],
)
def test_a_missing_sdk_names_its_extra(
    name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SdkMissing) as caught, load_driver(name).open("x", {}):
        pass
    assert f"npubench[{extra}]" in caught.value.hint


class FakeVisa:
    """A supply that answers a few questions, in binary."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def open_resource(self, name: str) -> FakeVisa:
        assert name
        return self

    def write(self, command: str) -> None:
        self.written.append(command)

    def query(self, command: str) -> str:
        return {"*IDN?": "Keysight Technologies,N6705C,MY123,E.02"}[command]

    def query_binary_values(self, query: str, *, datatype: str, is_big_endian: bool) -> list[float]:
        assert datatype == "f"
        assert is_big_endian
        if "@2" in query:
            return [0.0] * 50 + [3.0] * 50
        return [0.006] * 100 if "CURR" in query else [3.0] * 100

    def close(self) -> None:
        self.written.append("closed")


def test_a_scpi_supply_follows_its_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    visa = FakeVisa()
    module = ModuleType("pyvisa")
    module.ResourceManager = {"@py": visa}.__getitem__  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyvisa", module)
    with Scpi("TCPIP::host::5025::SOCKET", {}) as source:
        assert source.describe().serial == "MY123"
        traits = source.configure(Setup(voltage_mv=1800.0))
        source.start()
        assert source.read(0.0) is None
        block = source.stop()
    assert block is not None
    assert "VOLT 1.8,(@1)" in visa.written
    assert traits.rate_hz == pytest.approx(1 / 2.048e-5)
    assert block.current_ua.mean() == pytest.approx(6000.0)
    assert np.flatnonzero(block.markers)[0] == 50


def test_a_scpi_meter_is_driven_through_visa() -> None:
    # Every command that the dialogue does not know is answered with an error.
    dialogue = Path(__file__).parents[2] / "support" / "keithley_2450.yaml"
    options = {"visa": f"{dialogue}@sim"}
    with load_driver("scpi").open("TCPIP::sim::5025::SOCKET", options) as source:
        identity = source.describe()
        traits = source.configure(Setup(voltage_mv=1800.0))
        source.start()
        assert source.read(0.0) is None
        block = source.stop()
    assert identity.serial == "04412345"
    assert not identity.is_physical
    assert traits.marker_bits == 0
    assert block is not None
    assert block.current_ua[[0, 1, 3]] == pytest.approx([1500.0, 1501.0, 1499.0])
    assert np.isnan(block.current_ua[2])
    assert block.flags.tolist() == [0, 0, Flag.SATURATED, 0]


def test_a_visa_instrument_that_is_not_known_names_the_profiles() -> None:
    dialogue = Path(__file__).parents[2] / "support" / "keithley_2450.yaml"
    options = {"visa": f"{dialogue}@sim", "profile": "keithley_2460"}
    source = load_driver("scpi").open("TCPIP::sim::5025::SOCKET", options)
    with pytest.raises(ConfigError, match="keithley_2460"), source:
        pass
    absent = load_driver("scpi").open("TCPIP::none::5025::SOCKET", {"visa": f"{dialogue}@sim"})
    with pytest.raises(MonitorError, match="does not answer"), absent:
        pass


def test_every_scpi_profile_is_whole() -> None:
    assert set(profiles()) >= {"keysight_n6705", "keithley_dmm6500", "keithley_2450"}


def test_the_monitor_of_the_ev_kit_is_checked_by_its_own_relation() -> None:
    line = "0.00047,0.01,0.0094,0.0564,0.00002,0.0004,0.0094,0.0594,0.000169,0.0008,0.0094,0.22065"
    windows = parse_cnn(line)
    assert windows["infer"].energy_uj == pytest.approx(149.0)
    assert windows["infer"].time_us == pytest.approx(400.0)
    with pytest.raises(MonitorError, match="contradicts"):
        parse_cnn(line.replace("0.000169", "0.00169"))
    with pytest.raises(MonitorError, match="twelve"):
        parse_cnn("1,2,3")


def test_the_monitor_of_the_ev_kit_talks_in_all_its_ways(tmp_path: Path) -> None:
    choice = choose_power("adi-evkit-sim")
    trace = Trace([Piece(seconds=20.0, current_ua=5000.0)])
    with open_power(choice, Playback(trace=trace, trouble_s=10.0)) as opened:
        assert opened.identity.firmware.startswith("PMON 2.0")
        assert isinstance(opened.source, AdiEvkit)
        assert opened.source.triggered(timeout_s=5.0)["infer"].energy_uj == pytest.approx(149.0)
    found = totals(capture_for(choice, tmp_path / "c", seconds=8.0))
    assert found.mean_ua == pytest.approx(5000.0, rel=0.05)


@pytest.mark.parametrize(
    ("text", "value"), [("3000m", 3.0), ("2-3", 2e-3), ("50u", 5e-5), ("1.8", 1.8), ("100k", 1e5)]
)
def test_powershield_numbers(text: str, value: float) -> None:
    assert parse_number(text) == pytest.approx(value)


def test_powershield_events_mark_the_sample_that_follows() -> None:
    decoder = AsciiDecoder(rate_hz=1000.0, scale=1e6)
    text = "6409-06\r\n" * 400 + "event 01 fal\r\n" + "6409-06\r\n" * 600
    block = decoder.feed((text + "TimeStamp: 001s 000ms, buff 00%\r\n\0").encode())
    assert block is not None
    assert block.current_ua[0] == pytest.approx(6409.0)
    assert np.flatnonzero(block.markers == 0).tolist() == [400, 401]


@pytest.mark.parametrize("line", ["5065-065", "065-06", "506-506", "50650-6", "5065"])
def test_a_damaged_line_of_the_powershield_is_no_sample(line: str) -> None:
    decoder = AsciiDecoder(rate_hz=1000.0, scale=1e6)
    good = "5000-06\r\n"
    # No time stamp follows: a count alone would show nothing.
    decoder.feed((good * 10 + line + "\r\n" + good * 10).encode("ascii"))
    block = decoder.flush()
    assert block is not None
    assert block.current_ua.tolist() == pytest.approx([5000.0] * 20)
    assert (block.flags == Flag.SUSPECT).all()


def test_a_time_stamp_of_the_powershield_that_jumps_is_not_believed() -> None:
    stamp = b"5000-06\r\nTimeStamp: 999999s 000ms, buff 00%\r\n"
    with pytest.raises(MonitorError, match="jumps"):
        AsciiDecoder(rate_hz=5000.0, scale=1e6).feed(stamp)
    with pytest.raises(MonitorError, match="jumps"):
        BinaryDecoder(rate_hz=1e5, scale=1e6).feed(b"\xf3\x7f\x00\x00\x00\x00\xff\xff")


def test_powershield_binary_samples_with_metadata_between() -> None:
    decoder = BinaryDecoder(rate_hz=1000.0, scale=1e6)
    sample = bytes([0x21, 0x00])  # 0x100 * 16^-2 A = 1 A
    stamp = b"\xf3" + (1005).to_bytes(4, "big") + b"\x00\xff\xff"
    data = sample * 1000 + stamp + b"\xf7\x0b\xb8\xff\xff" + sample
    blocks = [block for cut in (data[:777], data[777:]) if (block := decoder.feed(cut)) is not None]
    current = np.concatenate([block.current_ua for block in blocks])
    assert current[0] == pytest.approx(1e6)
    assert decoder.voltage_mv == 3000.0
    assert decoder.loss().lost_count == 5
    assert len(current) == 1006


def test_voltages_beyond_an_instrument_are_refused_before_anything_is_switched_on() -> None:
    trace = Trace([Piece(seconds=1.0, current_ua=1.0)], supply_mv=3000.0)
    for name, kind in (("ppk2-sim", Ppk2), ("lpm01a-sim", Lpm01a)):
        with open_power(choose_power(name), Playback(trace=trace, trouble_s=0.5)) as opened:
            assert isinstance(opened.source, kind)
            with pytest.raises(MonitorError, match="mV"):
                opened.source.configure(Setup(voltage_mv=5500.0))


def test_a_simulator_without_marks_is_no_instrument_for_stages() -> None:
    from npubench.bench.energy import check_power
    from npubench.bench.job import Settings
    from npubench.boards import load_board

    boards = [load_board("qemu-m4")]
    with pytest.raises(UsageError, match="no marker"):
        check_power(boards, Settings(power="adi-evkit-sim"))
    with pytest.raises(UsageError, match="host process"):
        check_power([load_board("native")], Settings(power="ppk2-sim"))
    with pytest.raises(UsageError, match="needs --power"):
        check_power(boards, Settings(power_faults=("silence",)))
    check_power(boards, Settings(power="ppk2-sim", power_faults=("silence",)))


def test_crc8_is_the_common_one() -> None:
    assert crc8(b"123456789") == 0xF4
