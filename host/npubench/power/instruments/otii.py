"""Qoitech Otii Arc and Ace, through the TCP server of its application (JSON lines, port 1905).

Current and voltage (channels mc, mv) and the digital inputs i1, i2 share the recording's clock. The
recording is fetched while it runs. An Automation licence is needed, as Otii's own client needs one.
"""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import MonitorError
from npubench.power.source.driver import Driver, Options
from npubench.power.source.failure import InstrumentGone, InstrumentSilent
from npubench.power.source.interface import (
    Block,
    Flag,
    Identity,
    LossReport,
    Setup,
    Traits,
    block_of,
)
from npubench.power.wire.line import Line

PORT = 1905
FETCH_SAMPLES = 40_000
ANSWER_TIMEOUT_S = 5.0
SILENCE_S = 5.0
CHANNELS = ("mc", "mv", "i1")


class Otii:
    """One device of an Otii server. Options: ``user`` and ``password`` for the licence server,
    ``rate_hz`` (4000), ``max_current_ma`` (500). Marker input i1 is the busy line."""

    def __init__(self, port: str, options: Options) -> None:
        self._line = Line(port if ":" in port else f"{port}:{PORT}")
        self._options = dict(options)
        self._number = 0
        self._device: dict[str, Any] = {}
        self._project = 0
        self._recording = 0
        self._server = ""
        self._next = 0
        self._rate_hz = float(options.get("rate_hz", 4000))
        self._interval_s = 1.0 / self._rate_hz
        self._digital: list[tuple[float, bool]] = []
        self._digital_taken = 0
        self._heard_s = 0.0
        self._lost = 0

    def __enter__(self) -> Self:
        self._line.open()
        hello = self._message()
        if hello.get("info") != "connected":
            raise MonitorError(f"no Otii server answers, but {json.dumps(hello)[:80]}")
        self._server = str(hello.get("data", {}).get("otii_version", ""))
        if "user" in self._options and not self._ask("otii_is_logged_in").get("logged_in", False):
            self._ask(
                "otii_login",
                username=str(self._options["user"]),
                password=str(self._options.get("password", "")),
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line.close()

    def describe(self) -> Identity:
        devices = self._ask("otii_get_devices", timeout=3).get("devices", [])
        wanted = str(self._options.get("device", ""))
        chosen = [d for d in devices if not wanted or d.get("name") == wanted]
        if len(chosen) != 1:
            names = ", ".join(str(device.get("name")) for device in devices) or "none"
            raise MonitorError(
                f"the Otii server has {len(devices)} devices: {names}",
                hint="choose one: options.device in bench.toml",
            )
        self._device = chosen[0]
        kind = str(self._device.get("type", "Arc"))
        return Identity(
            driver="otii",
            model=f"Qoitech Otii {kind}",
            serial=str(self._device.get("device_id", "")),
            firmware=self._server,
            simulated=kind == "Simulator",
            via=self._line.describe(),
        )

    def configure(self, setup: Setup) -> Traits:
        if not self._device:
            self.describe()
        name = self._device["device_id"]
        project = self._ask("otii_get_active_project").get("project_id", -1)
        if project == -1:
            project = self._ask("otii_create_project").get("project_id", 0)
        self._project = int(project)
        self._ask("arc_set_main_voltage", device_id=name, value=setup.voltage_mv / 1000.0)
        limit = float(self._options.get("max_current_ma", 500)) / 1000.0
        self._ask("arc_set_max_current", device_id=name, value=limit)
        for channel in CHANNELS:
            self._ask("arc_enable_channel", device_id=name, channel=channel, enable=True)
        self._ask("arc_set_main", device_id=name, enable=True)
        return Traits(
            rate_hz=self._rate_hz,
            marker_bits=2,
            voltage="measured",
            voltage_mv=setup.voltage_mv,
            set_mv=setup.voltage_mv,
        )

    def start(self) -> None:
        self._ask("project_start_recording", project_id=self._project)
        recording = self._ask("project_get_last_recording", project_id=self._project)
        self._recording = int(recording.get("recording_id", 0))
        info = self._channel("recording_get_channel_info", "mc")
        self._rate_hz = float(info.get("sample_rate", self._rate_hz))
        self._interval_s = 1.0 / self._rate_hz
        self._next, self._digital, self._digital_taken = 0, [], 0
        self._heard_s = time.monotonic()

    def read(self, timeout_s: float) -> Block | None:
        ready = min(self._count("mc"), self._count("mv")) - self._next
        if ready <= 0:
            if time.monotonic() - self._heard_s > SILENCE_S:
                raise InstrumentSilent(
                    f"the Otii has recorded nothing for {SILENCE_S:g} s",
                    hint="does its application still run?",
                )
            time.sleep(min(timeout_s, 0.02))
            return None
        self._heard_s = time.monotonic()
        count = min(ready, FETCH_SAMPLES)
        current = self._analog("mc", count) * 1e6
        voltage = self._analog("mv", count) * 1e3
        first, self._next = self._next, self._next + count
        lost = ~np.isfinite(current)
        self._lost += int(lost.sum())
        return block_of(
            first,
            current.astype(np.float32),
            markers=self._levels(first, count),
            flags=np.where(lost, np.uint8(Flag.LOST), np.uint8(0)),
            voltage_mv=voltage.astype(np.float32),
        )

    def stop(self) -> Block | None:
        self._ask("project_stop_recording", project_id=self._project)
        return None

    def loss(self) -> LossReport:
        return LossReport(received_count=self._next, lost_count=self._lost)

    def _count(self, channel: str) -> int:
        return int(self._channel("recording_get_channel_data_count", channel).get("count", 0))

    def _analog(self, channel: str, count: int) -> NDArray[np.float64]:
        answer = self._channel("recording_get_channel_data", channel, index=self._next, count=count)
        values = np.array(
            [np.nan if value is None else value for value in answer.get("values", [])], float
        )
        if len(values) != count:
            raise MonitorError(f"the Otii gave {len(values)} of {count} samples of {channel}")
        return values

    def _levels(self, first: int, count: int) -> NDArray[np.uint8]:
        """i1 as a level at each sample, from its list of changes."""
        ready = self._count("i1")
        if ready > self._digital_taken:
            answer = self._channel(
                "recording_get_channel_data",
                "i1",
                index=self._digital_taken,
                count=ready - self._digital_taken,
            )
            for item in answer.get("values", []):
                self._digital.append((float(item["timestamp"]), bool(item["value"])))
            self._digital_taken = ready
        times = np.array([item[0] for item in self._digital])
        levels = np.array([True, *(item[1] for item in self._digital)])
        places = (first + np.arange(count)) * self._interval_s
        return levels[np.searchsorted(times, places + 1e-9, side="right")].astype(np.uint8)

    def _channel(self, command: str, channel: str, **more: Any) -> dict[str, Any]:
        return self._ask(
            command,
            recording_id=self._recording,
            device_id=self._device.get("device_id", ""),
            channel=channel,
            **more,
        )

    def _ask(self, command: str, **data: Any) -> dict[str, Any]:
        """One request and its answer. Raises MonitorError when it is refused."""
        self._number += 1
        number = str(self._number)
        request = {"type": "request", "cmd": command, "trans_id": number, "data": data}
        self._line.write(json.dumps(request).encode() + b"\r\n")
        while True:
            answer = self._message()
            if answer.get("trans_id") != number or answer.get("type") == "progress":
                continue
            if answer.get("type") == "error":
                detail = answer.get("errorcode") or answer.get("data", {}).get("message", "?")
                raise MonitorError(
                    f"the Otii server refused {command}: {detail}",
                    hint="is an Automation licence reserved, and the device free?",
                )
            found = answer.get("data", {})
            return found if isinstance(found, dict) else {}

    def _message(self) -> dict[str, Any]:
        raw = self._line.read_until(b"\r\n", timeout_s=ANSWER_TIMEOUT_S)
        try:
            message = json.loads(raw)
        except ValueError as error:
            raise InstrumentGone(f"the Otii server sent {raw[:60]!r}, no JSON") from error
        return message if isinstance(message, dict) else {}


DRIVER = Driver(
    name="otii",
    title="Qoitech Otii Arc / Ace",
    open=Otii,
    notes="port is host:1905 of the Otii server; i1 is the marker",
)
