"""A simulated Otii server: JSON over TCP, one device, a recording that grows as it is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import MonitorError
from npubench.power.energy.edges import Wiring
from npubench.power.simulators.base import Feed, Port, Simulator, TcpPort
from npubench.power.simulators.catalog import Kind
from npubench.power.source.accuracy import Accuracy, RangeAccuracy

RATE_HZ = 4_000
FAULTS = (
    "split-words",
    "counter-gap",
    "silence",
    "disconnect",
    "clock-off",
    "clock-wild",
    "voltage-low",
    "marker-lost",
    "marker-glitch",
    "idle-drift",
)
ACCURACY = Accuracy(
    ranges=(RangeAccuracy(gain_ratio=0.01, offset_ua=1.0),),
    voltage_ratio=0.005,
    source="the simulator's own error model: gain and offset drawn from these figures",
)
GAP_SAMPLES = 9
STEP = 4_000
DEVICE = {"device_id": "simulated", "type": "Simulator", "name": "Simulated Arc"}
LICENSE = {"id": 1, "type": "Automation", "available": True, "reserved_to": "", "hostname": ""}
ANALOG = ("mc", "mv", "mp")
# What a device is set to, by the end of arc_set_NAME and arc_get_NAME, and the key in the answer.
SETTINGS: dict[str, tuple[Any, str]] = {
    "main_voltage": (3.7, "value"),
    "exp_voltage": (3.3, "value"),
    "max_current": (0.5, "value"),
    "range": ("low", "range"),
    "main": (False, "value"),
    "4wire": (False, "value"),
    "adc_resistor": (1.0, "value"),
    "uart_baudrate": (115_200, "value"),
    "src_cur_limit_enabled": (False, "enabled"),
    "power_regulation": ("voltage", "value"),
    "main_current": (0.0, "value"),
    "rx": (False, "value"),
    "gpo": (False, "value"),
    "tx": (False, "value"),
}
PLAIN = (
    "otii_login",
    "otii_logout",
    "otii_return_license",
    "otii_set_all_main",
    "arc_add_to_project",
    "arc_calibrate",
    "arc_commit",
    "arc_enable_5v",
    "arc_enable_channel",
    "arc_enable_exp_port",
    "arc_enable_uart",
    "arc_set_channel_samplerate",
    "project_close",
)


@dataclass(slots=True, kw_only=True)
class _Recording:
    """Samples in microamperes, and the changes of i1 with their times."""

    first: int
    current_ua: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    changes: list[tuple[float, bool]] = field(default_factory=list)


class SimulatedOtii(Simulator):
    """Answers requests, errors with Otii's ``errorcode``. A recording grows by the feed's clock, or
    without one with each question for its length."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(TcpPort, feed)
        self._pending = b""
        self._recordings: list[_Recording] = []
        self._level = True
        self._project = -1
        self._license = dict(LICENSE)
        self._set = {name: value for name, (value, _) in SETTINGS.items()}

    def opened(self, port: Port) -> None:
        if not isinstance(port, TcpPort):
            raise MonitorError(
                "an Otii server speaks TCP alone", hint="serve it on a port: --port 1905"
            )
        hello = {
            "type": "information",
            "info": "connected",
            "data": {"otii_version": "3.5.0", "protocol_version": "0.2", "server": "simulated"},
        }
        port.greeting = json.dumps(hello).encode() + b"\r\n"

    def received(self, data: bytes) -> None:
        self._pending += data
        *lines, self._pending = self._pending.split(b"\r\n")
        for line in lines:
            if line:
                self._reply(line)

    def stream(self) -> bool:
        return False

    def _reply(self, line: bytes) -> None:
        command, number = "", ""
        try:
            request = json.loads(line)
            command, number = str(request["cmd"]), str(request["trans_id"])
            answer = {"type": "response", "data": self._answer(command, request.get("data") or {})}
        except json.JSONDecodeError as error:
            answer = _error("Not able to parse request", parse_error=str(error), data="")
        except KeyError as error:
            answer = _error("Missing key in request", key=str(error.args[0]))
        except _Refused as refused:
            answer = _error(refused.code, **refused.data)
        message = {**answer, "cmd": command, "trans_id": number}
        self.send(json.dumps(message).encode() + b"\r\n")

    def _answer(self, command: str, data: dict[str, Any]) -> dict[str, Any]:
        room, _, verb = command.partition("_")
        if room == "otii":
            return self._answer_server(command, data)
        if room == "arc":
            self._check_device(data)
            return self._answer_device(verb, data)
        if room == "project":
            if data["project_id"] != self._project:
                raise _Refused("Project does not exist")
            return self._answer_project(command)
        if room == "recording":
            return self._answer_recording(verb, data)
        raise _Refused("Invalid command")

    def _answer_server(self, command: str, data: dict[str, Any]) -> dict[str, Any]:
        if command == "otii_is_logged_in":
            return {"logged_in": True}
        if command == "otii_get_devices":
            return {"devices": [DEVICE]}
        if command == "otii_get_device_id":
            if data["device_name"] != DEVICE["name"]:
                raise _Refused("Device not connected", device_id=str(data["device_name"]))
            return {"device_id": DEVICE["device_id"]}
        if command == "otii_get_licenses":
            return {"licenses": [self._license]}
        if command == "otii_has_license":
            mine = data["license_type"] == "Automation" and bool(self._license["reserved_to"])
            return {"has_license": mine}
        if command in ("otii_reserve_license", "otii_return_license"):
            if data["license_id"] != self._license["id"]:
                raise _Refused("License could not be reserved")
            self._license["reserved_to"] = "simulated" if "reserve" in command else ""
            return {}
        if command == "otii_get_active_project":
            return {"project_id": self._project}
        if command == "otii_create_project":
            self._project = 1
            return {"project_id": self._project}
        if command == "otii_get_battery_profiles":
            return {"battery_profiles": []}
        return _plain(command)

    def _check_device(self, data: dict[str, Any]) -> None:
        if data["device_id"] != DEVICE["device_id"]:
            raise _Refused("Device not connected", device_id=str(data["device_id"]))

    def _answer_device(self, verb: str, data: dict[str, Any]) -> dict[str, Any]:
        action, _, name = verb.partition("_")
        if verb == "is_connected":
            return {"connected": True}
        if verb == "get_version":
            return {"hw_version": "simulated", "fw_version": "1.0.0"}
        if verb == "get_channel_samplerate":
            return {"value": RATE_HZ}
        if verb == "set_channel_samplerate" and data["value"] != RATE_HZ:
            raise _Refused("Invalid key value", key="value", value=data["value"])
        if verb == "get_supply_mode":
            return {"supply_mode": "power-box"}
        if verb == "get_gpi":
            return {"value": self._level}
        if verb == "get_value":
            return {"value": self._now(str(data["channel"]))}
        if name in SETTINGS and action == "get":
            return {SETTINGS[name][1]: self._set[name]}
        if name in SETTINGS and action == "set":
            given = [data[key] for key in ("value", "range", "enable", "mode") if key in data]
            if not given:
                raise KeyError("value")
            self._set[name] = given[0]
            return {}
        return _plain(f"arc_{verb}")

    def _now(self, channel: str) -> float:
        if channel == "mv":
            return self.feed.supply_mv / 1e3
        level_ua = float(self.feed.trace.current_ua[0])
        if channel == "mc":
            return level_ua * 1e-6
        raise _Refused("Invalid key value", key="channel", value=channel)

    def _answer_project(self, command: str) -> dict[str, Any]:
        if command == "project_start_recording":
            self._recordings.append(_Recording(first=self.feed.next))
            self.streaming = True
            return {}
        if command == "project_stop_recording":
            self._grow()
            self.streaming = False
            return {}
        if command == "project_get_last_recording":
            if not self._recordings:
                return {"recording_id": -1}
            return _named(len(self._recordings))
        if command == "project_get_recordings":
            return {"recordings": [_named(at + 1) for at in range(len(self._recordings))]}
        return _plain(command)

    def _answer_recording(self, verb: str, data: dict[str, Any]) -> dict[str, Any]:
        number = int(data["recording_id"])
        if not 1 <= number <= len(self._recordings):
            raise _Refused("Invalid key value", key="recording_id", value=number)
        recording = self._recordings[number - 1]
        if verb == "rename":
            return {}
        self._check_device(data)
        channel = str(data["channel"])
        if channel not in (*ANALOG, "i1"):
            raise _Refused("Invalid key value", key="channel", value=channel)
        count = len(recording.changes) if channel == "i1" else len(recording.current_ua)
        if verb == "get_channel_info":
            end_s = len(recording.current_ua) / RATE_HZ
            return {"offset": 0.0, "from": 0.0, "to": end_s, "sample_rate": RATE_HZ}
        if verb == "get_channel_data_count":
            if number == len(self._recordings) and channel == "mc":
                self._grow()
            return {"count": len(recording.changes if channel == "i1" else recording.current_ua)}
        if verb == "get_channel_data_index":
            return {"index": min(count, max(0, round(float(data["timestamp"]) * RATE_HZ)))}
        if verb == "get_channel_data":
            return self._data(recording, channel, int(data["index"]), int(data["count"]))
        if verb == "get_channel_statistics" and channel != "i1":
            return self._statistics(recording, channel, float(data["from"]), float(data["to"]))
        raise _Refused("Invalid command")

    def _grow(self) -> None:
        feed = self.feed
        recording = self._recordings[-1] if self._recordings else None
        if recording is None or not self.streaming:
            return
        stopped = feed.next > feed.trouble
        if stopped and "disconnect" in self.faults:
            self.vanish()
            raise OSError("gone")
        if feed.next >= feed.count or (stopped and "silence" in self.faults):
            return
        first = feed.next
        last = feed.trouble + 1 if "silence" in self.faults else feed.count
        step = feed.count - first if feed.paced else STEP
        current, levels = feed.take(min(step, last - first, feed.count - first))
        at = feed.trouble - first
        if "counter-gap" in self.faults and 0 <= at < len(current):
            current[at : at + GAP_SAMPLES] = np.nan
        recording.current_ua = np.concatenate((recording.current_ua, current))
        for place in np.flatnonzero(np.diff(levels != 0, prepend=not self._level)):
            self._level = not self._level
            at_s = (first - recording.first + int(place)) / RATE_HZ
            recording.changes.append((at_s, self._level))

    def _values(self, recording: _Recording, channel: str) -> NDArray[np.float64]:
        """A channel in amperes, volts or watts."""
        volts = self.feed.supply_mv / 1e3
        if channel == "mv":
            return np.full(len(recording.current_ua), volts)
        return recording.current_ua * (1e-6 * (volts if channel == "mp" else 1.0))

    def _data(self, recording: _Recording, channel: str, first: int, count: int) -> dict[str, Any]:
        if channel == "i1":
            chosen = recording.changes[first : first + count]
            values = [{"timestamp": at, "value": level} for at, level in chosen]
            return {"data_type": "digital", "values": values}
        part = self._values(recording, channel)[first : first + count]
        listed = [None if not np.isfinite(value) else float(value) for value in part]
        return {
            "data_type": "analog",
            "timestamp": first / RATE_HZ,
            "interval": 1 / RATE_HZ,
            "values": listed,
        }

    def _statistics(
        self, recording: _Recording, channel: str, begin_s: float, end_s: float
    ) -> dict[str, Any]:
        first, stop = (round(at * RATE_HZ) for at in (begin_s, end_s))
        values = self._values(recording, channel)[max(first, 0) : max(stop, 0)]
        values = values[np.isfinite(values)]
        if not len(values):
            raise _Refused("Invalid key value", key="to", value=end_s)
        found = {"min": values.min(), "max": values.max(), "average": values.mean()}
        if channel == "mc":
            found["charge"] = values.sum() / RATE_HZ
            found["energy"] = found["charge"] * self.feed.supply_mv / 1e3
        return {name: float(value) for name, value in found.items()}


class _Refused(Exception):
    """A request that Otii refuses, with its code and what it says about it."""

    def __init__(self, code: str, **data: Any) -> None:
        super().__init__(code)
        self.code = code
        self.data = data


def _plain(command: str) -> dict[str, Any]:
    """Nothing, for a command that only has to be taken."""
    if command not in PLAIN:
        raise _Refused("Invalid command")
    return {}


def _named(number: int) -> dict[str, Any]:
    return {"recording_id": number, "name": f"Recording {number}", "measurements": []}


def _error(code: str, **data: Any) -> dict[str, Any]:
    return {"type": "error", "errorcode": code, "data": {"message": code, **data}}


KIND = Kind(
    name="otii-sim",
    driver="otii",
    title="simulated Otii server on a TCP socket",
    rate_hz=RATE_HZ,
    faults=FAULTS,
    accuracy=ACCURACY,
    make=SimulatedOtii,
    noise_ua=3.0,
    wiring=Wiring(codes=(), busy=0),
)
