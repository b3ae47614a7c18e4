"""Simulated instruments for other people's programs: MLCommons' runner, Otii's client, anybody."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from npubench.core.errors import UsageError
from npubench.power.capture.served import serve
from npubench.power.instruments.ina2xx import Ina2xx
from npubench.power.instruments.lpm01a import Lpm01a
from npubench.power.instruments.otii import Otii
from npubench.power.source.interface import Setup

LEVEL_UA = 5_000.0


class Runner:
    """Talks to a PowerShield as MLCommons' runner does: it waits for a line that holds the whole
    command and begins with ack or error, takes samples and rising events apart by their form."""

    def __init__(self, port: str) -> None:
        import serial

        self._serial = serial.Serial(port, 115_200, timeout=0.1)
        self.samples: list[float] = []
        self.events: list[int] = []
        self.stamps = 0
        self._messages: queue.Queue[str] = queue.Queue()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._serial.close()

    def _read(self) -> None:
        rest = b""
        while not self._ended.is_set():
            *lines, rest = (rest + self._serial.read(4096)).split(b"\n")
            for raw in lines:
                self._line(raw.decode().strip("\r\0 "))

    def _line(self, line: str) -> None:
        if line.startswith("TimeStamp"):
            self.stamps += 1
        elif re.match(r"\d{4}[+-]\d{2}", line):
            self.samples.append(float(line.replace("+", "e+").replace("-", "e-")))
        elif (event := re.match(r"event (\d+) ris", line)) is not None:
            self.events.append(int(event.group(1)))
        elif line:
            self._messages.put(line)

    def command(self, text: str) -> tuple[bool, str]:
        """Whether it was acknowledged, and what stood behind the command."""
        self._serial.write(text.encode() + b"\r\n")
        while True:
            line = self._messages.get(timeout=5.0).replace("PowerShield > ", "").strip()
            if text in line and line.startswith(("ack", "error")):
                return line.startswith("ack"), line.partition(text)[2].lstrip(": ")

    def stop(self) -> None:
        self._serial.write(b"stop\r\n")
        while "Acquisition completed" not in self._messages.get(timeout=5.0):
            continue

    def wait(self, samples: int) -> None:
        while len(self.samples) < samples and not self._ended.wait(0.01):
            continue


@pytest.fixture
def runner() -> Iterator[Runner]:
    with serve("lpm01a-sim", seconds=60) as (_, simulator):
        made = Runner(simulator.address)
        yield made
        made.close()


SET_UP = (
    "htc",
    'lcd 1 "MLPerf Tiny"',
    'lcd 2 "     monitor    "',
    "pwr off",
    "acqtime inf",
    "trigdelay 0",
    "trigsrc sw",
    "eventsrc d7 fal",
    "output energy",
    "format ascii_dec",
    "freq 1k",
    "volt 3000m",
    'lcd 2 "           3.0V"',
    "pwr on nostatus",
)


def test_a_runner_sets_the_powershield_up_measures_and_sees_its_marks(runner: Runner) -> None:
    for command in SET_UP:
        assert runner.command(command) == (True, "")
    assert runner.command("version") == (True, "1.0.6")
    assert runner.command("status") == (True, "ok")
    assert runner.command("powershield")[0]
    assert runner.command("start")[0]
    runner.wait(1100)
    runner.stop()
    assert runner.command("pwr off")[0]
    assert runner.command("hrc")[0]
    # Joules a sample at 1 kHz: idle and inferences in turn, of the demonstration.
    mean_uw = sum(runner.samples) / len(runner.samples) * 1000 * 1e6
    assert mean_uw == pytest.approx((0.8 * 350 + 0.2 * 6400) * 3.0, rel=0.1)
    assert runner.stamps >= 1
    assert runner.events == list(range(1, len(runner.events) + 1))
    assert len(runner.events) >= 10


@pytest.mark.parametrize("command", ["volt 9", "freq 7", "sing", "volt x"])
def test_a_refusal_repeats_the_command_too(runner: Runner, command: str) -> None:
    if command == "volt 9":
        assert runner.command("volt 3300m")[0]
        return
    assert not runner.command(command)[0]


def test_the_runners_own_power_manager() -> None:
    """MLCommons' files themselves, where a checkout of theirs is at hand."""
    folder = os.environ.get("NPUBENCH_TEST_TINY_RUNNER", "")
    if not folder:
        pytest.skip("NPUBENCH_TEST_TINY_RUNNER names no benchmark/runner of mlcommons/tiny")
    with serve("lpm01a-sim", seconds=60) as (_, simulator):
        text = (
            "import sys, time\n"
            "from power_manager.power_manager import PowerManager\n"
            "manager = PowerManager('lpm01a', sys.argv[1], 115200, voltage=3.0)\n"
            "manager.power_on(); manager.get_version(); manager.start(); time.sleep(1.5)\n"
            "manager.stop(); found = list(manager.get_results())\n"
            "manager.__exit__(None, None, None)\n"
            "print('RESULT', sum(isinstance(x, float) for x in found),"
            " sum(str(x).startswith('event') for x in found))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", text, simulator.address],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    samples, events = map(int, re.findall(r"RESULT (\d+) (\d+)", done.stdout)[0])
    assert samples >= 1000
    assert events >= 5


class TestOtiisClient:
    """Qoitech's own client against the simulated server."""

    @pytest.fixture
    def otii(self) -> Iterator[Any]:
        client = pytest.importorskip("otii_tcp_client.otii_client", reason="otii_tcp_client absent")
        with serve("otii-sim", seconds=60, current_ua=LEVEL_UA) as (_, simulator):
            host, _, port = simulator.address.partition(":")
            with client.OtiiClient().connect(host=host, port=int(port)) as otii:
                yield otii

    def test_a_recording(self, otii: Any) -> None:
        (device,) = otii.get_devices()
        assert device.is_connected()
        assert device.get_version()["fw_version"]
        device.set_main_voltage(3.3)
        assert device.get_main_voltage() == 3.3
        device.set_range("high")
        assert device.get_range() == "high"
        device.set_channel_samplerate("mc", 4000)
        assert device.get_channel_samplerate("mc") == 4000
        device.set_max_current(0.5)
        device.enable_channel("mc", True)
        device.enable_channel("mv", True)
        project = otii.create_project()
        assert otii.get_active_project().id == project.id
        assert project.get_last_recording() is None
        project.start_recording()
        recording = project.get_last_recording()
        while recording.get_channel_data_count(device.id, "mc") < 1000:
            continue
        project.stop_recording()
        count = recording.get_channel_data_count(device.id, "mc")
        data = recording.get_channel_data(device.id, "mc", 0, count)
        assert data["data_type"] == "analog"
        assert len(data["values"]) == count
        mean = sum(data["values"]) / count * 1e6
        assert mean == pytest.approx(LEVEL_UA, rel=0.03)
        info = recording.get_channel_info(device.id, "mc")
        found = recording.get_channel_statistics(device.id, "mc", info["from"], info["to"])
        assert found["average"] * 1e6 == pytest.approx(mean, rel=1e-6)
        assert found["energy"] == pytest.approx(found["charge"] * 3.0)
        assert found["min"] <= found["average"] <= found["max"]
        assert [item.id for item in project.get_recordings()] == [recording.id]

    def test_licences_and_errors(self, otii: Any) -> None:
        from otii_tcp_client.otii_exception import Otii_Exception

        assert otii.get_licenses()[0]["type"] == "Automation"
        assert otii.has_license("Automation")
        (device,) = otii.get_devices()
        with pytest.raises(Otii_Exception) as caught:
            device.set_channel_samplerate("mc", 123)
        assert caught.value.type == "Invalid key value"
        with pytest.raises(Otii_Exception) as caught:
            otii.get_battery_profile_info("x")
        assert caught.value.type == "Invalid command"


@pytest.mark.parametrize(
    ("name", "driver"), [("lpm01a", Lpm01a), ("ina2xx-sim", Ina2xx), ("otii-sim", Otii)]
)
def test_our_own_drivers_take_a_served_instrument_over_tcp(name: str, driver: Any) -> None:
    with (
        serve(name, seconds=60, current_ua=LEVEL_UA, port=0) as (_, simulator),
        driver(simulator.address, {}) as source,
    ):
        source.describe()
        source.configure(Setup(voltage_mv=3000.0))
        source.start()
        block = None
        while block is None:
            block = source.read(0.5)
        source.stop()
    assert float(block.current_ua.mean()) == pytest.approx(LEVEL_UA, rel=0.05)


def test_one_client_after_the_other(tmp_path: Path) -> None:
    del tmp_path
    with serve("ina2xx-sim", seconds=60, current_ua=LEVEL_UA, port=0) as (_, simulator):
        for _ in range(3):
            with Ina2xx(simulator.address, {}) as source:
                source.configure(Setup())
                source.start()
                while source.read(0.5) is None:
                    continue


def test_samples_come_in_real_time_and_no_faster() -> None:
    clock = iter([0.0, 0.0, 0.5, 0.5, 100.0, 100.0])
    from npubench.power.simulators.base import Feed, Frontend
    from npubench.power.simulators.trace import Piece, Trace

    feed = Feed(
        Trace([Piece(seconds=1.0, current_ua=1.0)]),
        rate_hz=1000.0,
        frontend=Frontend(clock_ppm=0.0),
        faults=frozenset(),
        trouble_s=0.0,
        clock=lambda: next(clock),
    )
    assert feed.count == 0
    feed.begin()
    assert feed.count == 0
    assert feed.count == 500
    feed.take(feed.count)
    assert feed.count == 1000


def test_a_link_leads_to_the_pty_and_goes_again(tmp_path: Path) -> None:
    link = tmp_path / "shield"
    link.symlink_to(tmp_path / "left by one that was killed")
    with serve("lpm01a-sim", seconds=60, pty=link) as (_, simulator):
        assert str(link.resolve()) == str(Path(simulator.address).resolve())
        with (
            pytest.raises(UsageError, match="is there already"),
            serve("ppk2-sim", seconds=60, pty=link),
        ):
            pass
    assert not link.is_symlink()


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("otii-sim", {"pty": "x"}, "speaks TCP"),
        ("ppk2-sim", {"pty": "x", "port": 0}, "on a pty or on a port"),
        ("ppk3", {}, "no simulated instrument"),
        ("ppk2-sim", {"faults": ("nonsense",)}, "does not know"),
    ],
)
def test_what_cannot_be_served_is_told(
    name: str, options: dict[str, Any], why: str, tmp_path: Path
) -> None:
    if "pty" in options:
        options = {**options, "pty": tmp_path / "x"}
    with pytest.raises(UsageError, match=why), serve(name, seconds=60, **options):
        pass


def test_the_verb_says_where_it_serves_and_ends(tmp_path: Path) -> None:
    words = ["power", "simulate", "lpm01a-sim", "--pty", str(tmp_path / "p"), "--seconds", "0.2"]
    done = subprocess.run(
        [sys.executable, "-c", "from npubench.cli.main import main; main()", *words, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["address"] == str(tmp_path / "p")
    assert found["driver"] == "lpm01a"
    assert not (tmp_path / "p").exists()
