"""A simulated PowerShield: commands with acknowledgements, ASCII and binary samples, events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npubench.power.energy.edges import Wiring
from npubench.power.simulators.base import Feed, PtyPort, Simulator
from npubench.power.simulators.catalog import Kind
from npubench.power.source.accuracy import Accuracy, RangeAccuracy
from npubench.power.wire.lpm01a import (
    BUSY_BIT,
    META_STOP,
    META_TIME,
    META_VOLTAGE,
    PROMPT,
    parse_number,
)

RATE_HZ = 5_000
FAULTS = (
    "split-words",
    "counter-gap",
    "swapped-bytes",
    "silence",
    "disconnect",
    "saturation",
    "clock-off",
    "clock-wild",
    "voltage-low",
    "marker-lost",
    "marker-glitch",
    "idle-drift",
)
LIMIT_UA = 50_000.0
CHUNK = 500
GAP_SAMPLES = 9
ACCURACY = Accuracy(
    ranges=(RangeAccuracy(gain_ratio=0.02, offset_ua=1.0),),
    voltage_ratio=0.005,
    source="the simulator's own error model: gain and offset drawn from these figures",
)
FREQUENCIES_HZ = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 20e3, 50e3, 100e3)
ANSWERS = {
    "version": "1.0.6",
    "powershield": "PowerShield present, board ID 000000000000000000000000",
    "status": "ok",
    "range": "100n 50m",
    "temp": "250",
}
ACCEPTED = (
    "start",
    "help",
    "echo",
    "autotest",
    "calib",
    "psrst",
    "htc",
    "hrc",
    "freq",
    "acqtime",
    "acqmode",
    "funcmode",
    "output",
    "format",
    "trigsrc",
    "trigdelay",
    "eventsrc",
    "currthres",
    "pwr",
    "pwrend",
    "targrst",
    "lcd",
)


class SimulatedLpm01a(Simulator):
    """Speaks UM2269's dialogue; samples come in ASCII or binary, as it was told."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(PtyPort, feed)
        self._pending = ""
        self._binary = False
        self._energy = False
        self._set_mv = 3300.0
        self._sent = self._events = 0
        self._level = 0
        self._silent = False

    def received(self, data: bytes) -> None:
        self._pending += data.decode("ascii", errors="replace")
        *lines, self._pending = self._pending.replace("\r", "\n").split("\n")
        for line in lines:
            if line.strip():
                self._command(line.strip())

    def _command(self, line: str) -> None:
        """An acknowledgement repeats the whole command, as the instrument's does: clients wait for
        that."""
        words = line.split()
        payload = ""
        if words[0] == "stop":
            self.streaming = False
            end = bytes((META_STOP, 0xFF, 0xFF)) if self._binary else b"Acquisition completed\r\n"
            self.send(end)
        elif words[0] == "volt" and words[1:] != ["get"]:
            if not self._set_voltage(words[1:]):
                self._refuse(line, "wrong value")
                return
        elif words[0] in ANSWERS:
            payload = ANSWERS[words[0]]
        elif words[0] == "volt":
            payload = f"{self._set_mv * self._sag():.0f}m"
        elif words[0] not in ACCEPTED:
            self._refuse(line, "unknown command")
            return
        elif not self._configure(words):
            self._refuse(line, "wrong value")
            return
        self._answer(f"ack {line}: {payload}" if payload else f"ack {line}")
        if words[0] == "start":
            self.streaming, self._sent, self._events = True, 0, 0

    def _set_voltage(self, words: list[str]) -> bool:
        try:
            self._set_mv = parse_number(words[0]) * 1000
        except (ValueError, IndexError):
            return False
        return True

    def _configure(self, words: list[str]) -> bool:
        if words[0] == "format":
            self._binary = words[1:] == ["bin_hexa"]
        elif words[0] == "output":
            self._energy = words[1:] == ["energy"]
        elif words[0] == "freq":
            try:
                wanted = parse_number(words[1])
            except (ValueError, IndexError):
                return False
            if wanted not in FREQUENCIES_HZ:
                return False
            ratio, self.feed.rate_hz = wanted / self.feed.rate_hz, wanted
            self.feed.rescale(ratio)
        return True

    def _sag(self) -> float:
        return self.feed.supply_mv / self.feed.trace.supply_mv

    def _answer(self, text: str) -> None:
        self.send(f"{PROMPT}{text}\r\n".encode("ascii"))

    def _refuse(self, command: str, why: str) -> None:
        self.send(f"{PROMPT}error {command}\r\nError detail: {why}\r\n".encode("ascii"))

    def stream(self) -> bool:
        feed = self.feed
        if feed.next >= feed.count or self._silent:
            return False
        first = feed.next
        count = min(CHUNK, feed.count - first)
        current, levels = feed.take(count)
        current = np.maximum(current, 0.0)
        at = feed.trouble - first
        struck = 0 <= at < count
        if bool((current > LIMIT_UA).any()):
            cut = int(np.argmax(current > LIMIT_UA))
            self._send_samples(current[:cut], levels[:cut], first)
            self.send(b"error: overcurrent\r\n" if not self._binary else b"\xf5\xff\xff")
            self._silent = True
            return False
        if struck and ("silence" in self.faults or "disconnect" in self.faults):
            self._send_samples(current[:at], levels[:at], first)
            if "disconnect" in self.faults:
                self.vanish()
            self._silent = True
            return False
        keep = np.ones(count, bool)
        if struck and "counter-gap" in self.faults:
            keep[at : at + GAP_SAMPLES] = False
        self._send_samples(current, levels, first, keep, spoil=struck)
        return True

    def _send_samples(
        self,
        current: NDArray[np.float64],
        levels: NDArray[np.uint8],
        first: int,
        keep: NDArray[np.bool_] | None = None,
        *,
        spoil: bool = False,
    ) -> None:
        rate = self.feed.rate_hz
        volts = self._set_mv * self._sag() / 1000.0
        out = bytearray()
        spoilt = bool({"marker-lost", "marker-glitch"} & self.faults)
        falls = self.feed.falls(first, len(current))
        for place, (value_ua, level) in enumerate(zip(current, levels, strict=True)):
            index = first + place
            fell = bool(level and not self._level) if spoilt else index in falls
            if fell and not self._binary:
                # D7 fell, but the instrument reports every event as rising, numbered from 1.
                self._events += 1
                out += f"event {self._events} ris\r\n".encode("ascii")
            self._level = int(level)
            if keep is None or keep[place]:
                value = value_ua * 1e-6
                if self._energy:
                    value = value * volts / rate
                out += _binary(value) if self._binary else _ascii(value)
            if (index + 1) % int(rate) == 0:
                seconds = (index + 1) // int(rate)
                if self._binary:
                    out += bytes((META_TIME,)) + (seconds * 1000).to_bytes(4, "big")
                    out += b"\x00\xff\xff"
                    out += bytes((META_VOLTAGE,)) + round(volts * 1000).to_bytes(2, "big")
                    out += b"\xff\xff"
                else:
                    out += f"TimeStamp: {seconds:03d}s 000ms, buff 00%\r\n\0".encode("ascii")
        if spoil and "swapped-bytes" in self.faults:
            for place in range(len(out) // 3, len(out) - 2, 53):
                out[place], out[place + 1] = out[place + 1], out[place]
        self.send(bytes(out))


def _ascii(value: float) -> bytes:
    """Four digits and an exponent, as the instrument writes them."""
    exponent = 0
    while value and value < 999.95:
        value *= 10
        exponent -= 1
    return f"{round(value):04d}{exponent:+03d}\r\n".encode("ascii")


def _binary(value: float) -> bytes:
    nibble = 0
    while nibble < 14 and round(value * 16) < 4096:
        value *= 16
        nibble += 1
    return ((nibble << 12) | min(round(value), 4095)).to_bytes(2, "big")


KIND = Kind(
    name="lpm01a-sim",
    driver="lpm01a",
    title="simulated X-NUCLEO-LPM01A on a pty",
    rate_hz=RATE_HZ,
    faults=FAULTS,
    accuracy=ACCURACY,
    make=SimulatedLpm01a,
    noise_ua=3.0,
    wiring=Wiring(codes=(), busy=BUSY_BIT),
)
