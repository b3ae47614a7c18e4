"""A simulated Otii server: JSON over TCP, one device, a recording that grows as it is asked for."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
PLAIN = (
    "otii_login",
    "arc_set_main_voltage",
    "arc_set_exp_voltage",
    "arc_set_max_current",
    "arc_enable_channel",
    "arc_set_main",
    "otii_get_licenses",
    "otii_reserve_license",
)


class SimulatedOtii(Simulator):
    """Answers requests; each question for the count lets the recording grow."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(TcpPort, feed)
        self._pending = b""
        self._current: NDArray[np.float64] = np.zeros(0)
        self._changes: list[tuple[float, bool]] = []
        self._level = True
        self._running = False

    def opened(self, port: Port) -> None:
        assert isinstance(port, TcpPort)
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
                self._answer(json.loads(line))

    def stream(self) -> bool:
        return False

    def _answer(self, request: dict[str, Any]) -> None:
        command, data = request["cmd"], request.get("data", {})
        answer: dict[str, Any] | None = {}
        if command == "otii_is_logged_in":
            answer = {"logged_in": True}
        elif command == "otii_get_devices":
            answer = {"devices": [DEVICE]}
        elif command == "otii_get_active_project":
            answer = {"project_id": -1}
        elif command == "otii_create_project":
            answer = {"project_id": 1}
        elif command == "project_start_recording":
            self._running = True
        elif command == "project_stop_recording":
            self._running = False
        elif command == "project_get_last_recording":
            answer = {"recording_id": 1}
        elif command == "recording_get_channel_info":
            answer = {"offset": 0, "from": 0, "to": 0, "sample_rate": RATE_HZ}
        elif command == "recording_get_channel_data_count":
            answer = {"count": self._grow(data["channel"])}
        elif command == "recording_get_channel_data":
            answer = self._data(data)
        elif command not in PLAIN:
            answer = None
        reply = {
            "type": "error" if answer is None else "response",
            "cmd": command,
            "trans_id": request["trans_id"],
            "data": {"message": "unknown command"} if answer is None else answer,
        }
        self.send(json.dumps(reply).encode() + b"\r\n")

    def _grow(self, channel: str) -> int:
        feed = self.feed
        stopped = len(self._current) > feed.trouble
        if stopped and "disconnect" in self.faults:
            self.vanish()
            raise OSError("gone")
        silent = stopped and "silence" in self.faults
        if channel == "mc" and self._running and feed.next < feed.count and not silent:
            first = feed.next
            last = feed.trouble + 1 if "silence" in self.faults else feed.count
            current, levels = feed.take(min(STEP, last - first, feed.count - first))
            at = feed.trouble - first
            if "counter-gap" in self.faults and 0 <= at < len(current):
                current[at : at + GAP_SAMPLES] = np.nan
            self._current = np.concatenate((self._current, current))
            for place in np.flatnonzero(np.diff(levels != 0, prepend=not self._level)):
                self._level = not self._level
                self._changes.append(((first + int(place)) / RATE_HZ, self._level))
        return len(self._changes) if channel == "i1" else len(self._current)

    def _data(self, data: dict[str, Any]) -> dict[str, Any]:
        first, count = data["index"], data["count"]
        if data["channel"] == "i1":
            chosen = self._changes[first : first + count]
            return {"values": [{"timestamp": at, "value": level} for at, level in chosen]}
        values = self._current[first : first + count] * 1e-6
        if data["channel"] == "mv":
            values = np.full(len(values), self.feed.supply_mv / 1000.0)
        listed = [None if not np.isfinite(value) else float(value) for value in values]
        return {"timestamp": first / RATE_HZ, "interval": 1 / RATE_HZ, "values": listed}


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
