"""A simulated INA228 bridge: lines of time, voltage, current and code."""

from __future__ import annotations

from npubench.power.simulators.base import Feed, PtyPort, Simulator
from npubench.power.simulators.catalog import Kind
from npubench.power.source.accuracy import Accuracy, RangeAccuracy
from npubench.power.wire.crc8 import crc8

PERIOD_US = 500
RATE_HZ = 1e6 / PERIOD_US
FAULTS = (
    "split-words",
    "counter-gap",
    "swapped-bytes",
    "silence",
    "disconnect",
    "clock-off",
    "clock-wild",
    "voltage-low",
    "marker-lost",
    "marker-glitch",
    "idle-drift",
)
CHUNK = 400
GAP_SAMPLES = 7
ACCURACY = Accuracy(
    ranges=(RangeAccuracy(gain_ratio=0.01, offset_ua=10.0),),
    voltage_ratio=0.005,
    source="the simulator's own error model: gain and offset drawn from these figures",
)


class SimulatedIna2xx(Simulator):
    """The bridge's side of the line protocol."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(PtyPort, feed)
        self._silent = False

    def received(self, data: bytes) -> None:
        for letter in data.decode("ascii", errors="replace"):
            if letter == "?":
                self.send(f"# npubench-ina2xx INA228 simulated {PERIOD_US} 0.1\n".encode())
            elif letter == "s":
                self.streaming = True
            elif letter == "x":
                self.streaming = False

    def stream(self) -> bool:
        feed = self.feed
        if feed.next >= feed.count or self._silent:
            return False
        first = feed.next
        current, levels = feed.take(min(CHUNK, feed.count - first))
        at = feed.trouble - first
        struck = 0 <= at < len(current)
        stop = len(current)
        if struck and ("silence" in self.faults or "disconnect" in self.faults):
            stop = at
        lines = []
        for place in range(stop):
            if struck and "counter-gap" in self.faults and at <= place < at + GAP_SAMPLES:
                continue
            body = (
                f"{(first + place) * PERIOD_US},{feed.supply_mv:.1f},"
                f"{current[place]:.2f},{levels[place]}"
            ).encode("ascii")
            lines.append(body + f"*{crc8(body):02x}\n".encode("ascii"))
        data = bytearray(b"".join(lines))
        if struck and "swapped-bytes" in self.faults:
            for place in range(len(data) // 3, len(data) - 2, 61):
                data[place], data[place + 1] = data[place + 1], data[place]
        self.send(bytes(data))
        if stop < len(current):
            if "disconnect" in self.faults:
                self.vanish()
            self._silent = True
            return False
        return True


KIND = Kind(
    name="ina2xx-sim",
    driver="ina2xx",
    title="simulated INA228 bridge on a pty",
    rate_hz=RATE_HZ,
    faults=FAULTS,
    accuracy=ACCURACY,
    make=SimulatedIna2xx,
    min_window_samples=500,
    noise_ua=20.0,
)
