"""A simulated EV kit power monitor: its greeting, a line a second (at once, here), CNN mode."""

from __future__ import annotations

from npubench.power.simulators.base import Feed, PtyPort, Simulator
from npubench.power.simulators.catalog import Kind
from npubench.power.source.accuracy import Accuracy, RangeAccuracy

FAULTS = ("silence", "disconnect", "split-words", "idle-drift")
ACCURACY = Accuracy(
    ranges=(RangeAccuracy(gain_ratio=0.02, offset_ua=5.0),),
    source="the simulator's own error model: gain and offset drawn from these figures",
)
# E, T, I, A of kernels, input, input with inference; E = (A - I) * T.
CNN = (
    (0.00047, 0.0109, 0.0094, 0.05251926605504587),
    (0.00002, 0.0004, 0.0094, 0.0594),
    (0.000169, 0.0008, 0.0094, 0.22065),
)


class SimulatedAdiEvkit(Simulator):
    """Single letters in, lines out."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(PtyPort, feed)

    def received(self, data: bytes) -> None:
        for letter in data:
            self.streaming = False
            if letter == 0x16:
                self.send(b"\r\nPMON 2.0 2021-01-01 FOR MAX78000EVKIT\r\n\r\n")
            elif letter == ord("v"):
                volts = self.feed.supply_mv / 1000
                self.send(f"3.3,{volts:g},1.0,1.8\r\n".encode("ascii"))
            elif letter == ord("i"):
                self.streaming = True
            elif letter in b"ct":
                self.send((",".join(f"{v:g}" for row in CNN for v in row) + "\r\n").encode())

    def stream(self) -> bool:
        feed = self.feed
        if feed.next >= feed.count:
            return False
        if feed.next >= feed.trouble and "silence" in self.faults:
            return False
        if feed.next >= feed.trouble and "disconnect" in self.faults:
            self.vanish()
            return False
        current, _ = feed.take(1)
        self.send(f"0.001,{current[0] * 1e-6:g},0.0001,0.0002\r\n".encode("ascii"))
        return True


KIND = Kind(
    name="adi-evkit-sim",
    driver="adi_evkit",
    title="simulated EV kit power monitor on a pty",
    rate_hz=1.0,
    faults=FAULTS,
    accuracy=ACCURACY,
    make=SimulatedAdiEvkit,
    marks=False,
)
