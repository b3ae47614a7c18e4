"""An INA219, INA226 or INA228 behind a bridge microcontroller, by npubench's own line protocol.

The bridge reads time, sensor and marker pins in one loop and prints ``t_us,mV,uA,code*crc`` a line
(crc: CRC-8 with polynomial 7 of what is before the star, two hex digits);
firmware/power/ina2xx_bridge.py is a CircuitPython sketch that does. The chip's averaging window is
not bound to the pins, so that only windows much longer than a conversion are valid.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import numpy as np

from npubench.core.errors import MonitorError
from npubench.power.source.driver import Driver, Options
from npubench.power.source.failure import InstrumentSilent
from npubench.power.source.interface import Block, Identity, LossReport, Setup, Traits
from npubench.power.source.resample import Resampler
from npubench.power.wire.crc8 import crc8
from npubench.power.wire.line import Line, usb_serial

HELLO_TIMEOUT_S = 3.0
SILENCE_S = 3.0


class Ina2xx:
    """A bridge. It answers ``?`` with ``# npubench-ina2xx CHIP SERIAL PERIOD_US SHUNT_OHMS`` and
    starts on ``s``, stops on ``x``. Its samples are laid on an even grid of its own clock."""

    def __init__(self, port: str, options: Options) -> None:
        self._port = port
        self._line = Line(port, baud=int(options.get("baud", 115_200)))
        self._chip = self._serial = ""
        self._shunt_ohms: float | None = None
        self._period_us = 0.0
        self._rest = b""
        self._resampler: Resampler | None = None
        self._bad = 0
        self._heard_s = 0.0

    def __enter__(self) -> Self:
        self._line.open()
        self._line.write(b"x\n")
        self._line.drain(quiet_s=0.05)
        self._line.write(b"?\n")
        hello = self._line.read_until(b"\n", timeout_s=HELLO_TIMEOUT_S).decode("ascii", "replace")
        words = hello.split()
        if words[:2] != ["#", "npubench-ina2xx"] or len(words) < 5:
            raise MonitorError(
                f"the bridge said {hello.strip()!r}",
                hint="put firmware/power/ina2xx_bridge.py on it as code.py",
            )
        if len(words) < 6 and words[2] == "INA228":
            raise MonitorError(
                "the bridge runs an old sketch, whose INA228 currents are 1,000 times too low with "
                "adafruit_ina228 2.0 and later",
                hint="put the present firmware/power/ina2xx_bridge.py on it as code.py",
            )
        self._chip, self._serial, self._period_us = words[2], words[3], float(words[4])
        self._shunt_ohms = float(words[5]) if len(words) > 5 else None
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
            driver="ina2xx",
            model=f"{self._chip} on a bridge",
            firmware="" if self._shunt_ohms is None else f"shunt {self._shunt_ohms:g} ohms",
            serial=usb_serial(self._port) and self._serial,
            via=self._line.describe(),
        )

    def configure(self, setup: Setup) -> Traits:
        return Traits(
            rate_hz=1e6 / self._period_us,
            marker_bits=3,
            voltage="measured",
            voltage_mv=setup.voltage_mv,
            set_mv=setup.voltage_mv,
            marker_skew_samples=0.58,
        )

    def start(self) -> None:
        self._resampler = Resampler(period=self._period_us)
        self._rest, self._bad = b"", 0
        self._heard_s = time.monotonic()
        self._line.write(b"s\n")

    def read(self, timeout_s: float) -> Block | None:
        if self._resampler is None:
            raise MonitorError("the bridge was not started")
        data = self._line.read(timeout_s)
        if not data:
            if time.monotonic() - self._heard_s > SILENCE_S:
                raise InstrumentSilent(f"the bridge has sent nothing for {SILENCE_S:g} s")
            return None
        self._heard_s = time.monotonic()
        *lines, self._rest = (self._rest + data).split(b"\n")
        rows = []
        for line in lines:
            body, _, check = line.strip().partition(b"*")
            try:
                if int(check, 16) != crc8(body):
                    raise ValueError("damaged")
                time_us, volts, amps, code = (float(word) for word in body.split(b","))
                rows.append((time_us, volts, amps, code))
            except ValueError:
                self._bad += bool(line.strip()) and not line.startswith(b"#")
        if not rows:
            return None
        table = np.array(rows)
        return self._resampler.add(
            table[:, 0],
            table[:, 2],
            markers=table[:, 3].astype(np.uint8),
            voltage_mv=table[:, 1],
        )

    def stop(self) -> Block | None:
        self._line.write(b"x\n")
        return None

    def loss(self) -> LossReport:
        if self._resampler is None:
            return LossReport()
        notes = (f"{self._bad} damaged lines",) if self._bad else ()
        return LossReport(
            received_count=self._resampler.received,
            lost_count=self._resampler.lost,
            notes=notes,
        )


DRIVER = Driver(
    name="ina2xx",
    title="INA219/226/228 on a bridge microcontroller",
    open=Ina2xx,
    notes="line protocol t_us,mV,uA,code*crc; sketch in firmware/power/",
)
