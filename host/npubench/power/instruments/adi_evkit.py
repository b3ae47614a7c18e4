"""The power monitor on ADI's MAX78000 and MAX78002 EV kits (PMON 2.0), over its serial port.

It accumulates four rails (3V3, CA, CB, 1V8) and talks in three ways: a line a second of volts,
amperes or watts; the CNN mode, one line of twelve values after three triggered windows; the system
mode, three values a window. Its triggers are its own, so that it marks no samples.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from npubench.core.errors import MonitorError
from npubench.power.source.driver import Driver, Found, Options
from npubench.power.source.failure import InstrumentSilent
from npubench.power.source.interface import (
    Block,
    Identity,
    LossReport,
    Setup,
    Traits,
    block_of,
)
from npubench.power.wire.line import Line, find_ports, usb_serial

USB_IDS = ("0b6a:003c",)
RAILS = ("3V3", "CA", "CB", "1V8")
HELLO = b"\x16"
SILENCE_S = 5.0
# The monitor divides by this many repetitions, whatever the board did.
REPEATS = 100
RELATION_RATIO = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggered:
    """One triggered window, per repetition: energy without idle, time, idle and active power."""

    energy_uj: float
    time_us: float
    idle_uw: float
    active_uw: float

    @property
    def is_consistent(self) -> bool:
        """Whether E = (A - I) * T, as the monitor calculates it; corrupted lines are not."""
        expected = (self.active_uw - self.idle_uw) * self.time_us * 1e-6
        return abs(self.energy_uj - expected) <= RELATION_RATIO * max(abs(expected), 1e-9)


def parse_cnn(line: str) -> dict[str, Triggered]:
    """The CNN mode's line: kernels, input, and input with inference; ``infer`` is the difference.

    Raises MonitorError when it is damaged or contradicts itself.
    """
    try:
        values = [float(word) for word in line.replace(",", " ").split()]
    except ValueError as error:
        raise MonitorError(f"the power monitor sent {line!r}") from error
    if len(values) != 12:
        raise MonitorError(f"the power monitor sent {len(values)} values instead of twelve")
    windows = {}
    for at, name in enumerate(("init_warm", "load", "load_infer")):
        energy_j, seconds, idle_w, active_w = values[4 * at : 4 * at + 4]
        windows[name] = Triggered(
            energy_uj=energy_j * 1e6,
            time_us=seconds * 1e6,
            idle_uw=idle_w * 1e6,
            active_uw=active_w * 1e6,
        )
        if not windows[name].is_consistent:
            raise MonitorError(
                f"the power monitor contradicts itself in {name}: {energy_j} J is not "
                f"({active_w} - {idle_w}) W for {seconds} s",
                hint="capture again; PMON 2.0 is known to corrupt a line now and then",
            )
    both, load = windows["load_infer"], windows["load"]
    seconds_us = both.time_us - load.time_us
    windows["infer"] = Triggered(
        energy_uj=both.energy_uj - load.energy_uj,
        time_us=seconds_us,
        idle_uw=both.idle_uw,
        active_uw=both.idle_uw + (both.energy_uj - load.energy_uj) / max(seconds_us * 1e-6, 1e-12),
    )
    return windows


class AdiEvkit:
    """The monitor. As a source it gives one sample a second of one rail: option ``rail`` (CA)."""

    def __init__(self, port: str, options: Options) -> None:
        self._port = port
        self._line = Line(port)
        self._rail = str(options.get("rail", "CA"))
        self._hello = ""
        self._rest = b""
        self._index = 0
        self._volts = 0.0
        self._heard_s = 0.0

    def __enter__(self) -> Self:
        if self._rail not in RAILS:
            raise MonitorError(f"the EV kit has no rail {self._rail}", hint=", ".join(RAILS))
        self._line.open()
        self._line.drain(quiet_s=0.05)
        self._line.write(HELLO)
        text = self._line.read_until(b"\r\n\r\n", timeout_s=3.0).decode("ascii", "replace")
        self._hello = " ".join(text.split())
        if "PMON" not in self._hello:
            raise MonitorError(f"no power monitor answers, but {self._hello[:60]!r}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line.close()

    def describe(self) -> Identity:
        return Identity(
            driver="adi_evkit",
            model=f"ADI EV kit power monitor, rail {self._rail}",
            serial=usb_serial(self._port),
            firmware=self._hello,
            via=self._line.describe(),
        )

    def configure(self, setup: Setup) -> Traits:
        self._line.write(b"v")
        self._volts = self._values()[RAILS.index(self._rail)]
        return Traits(
            rate_hz=1.0,
            marker_bits=0,
            edges="none",
            voltage="measured",
            voltage_mv=self._volts * 1000.0,
            set_mv=setup.voltage_mv,
            min_window_samples=10,
        )

    def start(self) -> None:
        self._index = 0
        self._heard_s = time.monotonic()
        self._line.write(b"i")

    def read(self, timeout_s: float) -> Block | None:
        data = self._line.read(timeout_s)
        if not data:
            if time.monotonic() - self._heard_s > SILENCE_S:
                raise InstrumentSilent(f"the power monitor has sent nothing for {SILENCE_S:g} s")
            return None
        self._heard_s = time.monotonic()
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        amps = [
            values[RAILS.index(self._rail)]
            for line in lines
            if len(values := _numbers(line)) == len(RAILS)
        ]
        if not amps:
            return None
        first, self._index = self._index, self._index + len(amps)
        return block_of(first, (np.array(amps) * 1e6).astype(np.float32))

    def stop(self) -> Block | None:
        return None

    def loss(self) -> LossReport:
        return LossReport(received_count=self._index)

    def triggered(self, *, timeout_s: float) -> dict[str, Triggered]:
        """Wait in CNN mode for the three windows of the board's firmware (100 repetitions each)."""
        self._line.write(b"c")
        end_s = time.monotonic() + timeout_s
        while True:
            raw = self._line.read_until(b"\r\n", timeout_s=max(end_s - time.monotonic(), 0.01))
            text = raw.decode("ascii", "replace").strip()
            if len(_numbers(raw)) >= len(RAILS) + 1:
                return parse_cnn(text)

    def _values(self) -> list[float]:
        end_s = time.monotonic() + 3.0
        while time.monotonic() < end_s:
            values = _numbers(self._line.read_until(b"\r\n", timeout_s=3.0))
            if len(values) == len(RAILS):
                return values
        raise InstrumentSilent("the power monitor gave no four values")


def _numbers(line: bytes) -> list[float]:
    try:
        return [float(word) for word in line.decode("ascii", "replace").replace(",", " ").split()]
    except ValueError:
        return []


def _detect() -> tuple[Found, ...]:
    return tuple(
        Found(driver="adi_evkit", serial=port.serial, port=port.device, product=port.product)
        for port in find_ports(USB_IDS)
    )


DRIVER = Driver(
    name="adi_evkit",
    title="power monitor of ADI's MAX78000/2 EV kits",
    open=AdiEvkit,
    detect=_detect,
    notes="1 S/s of a rail; its triggered modes give energies of their own",
)
