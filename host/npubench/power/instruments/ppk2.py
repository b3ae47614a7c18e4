"""Nordic Power Profiler Kit II, by its own wire protocol (no vendor package).

100 kS/s fixed, five ranges, eight logic inputs on the same time base; needs the logic port's VCC
reference and a common ground. It has no command that reads its serial number: USB has it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from types import TracebackType
from typing import Self

from npubench.core.errors import MonitorError
from npubench.power.source.accuracy import Accuracy, RangeAccuracy
from npubench.power.source.driver import Driver, Found, Options
from npubench.power.source.failure import InstrumentSilent
from npubench.power.source.interface import Block, Identity, LossReport, Setup, Traits
from npubench.power.wire.line import Line, find_ports, usb_serial
from npubench.power.wire.ppk2 import (
    AMPERE_MODE,
    METADATA,
    MODE,
    POWER,
    RANGES,
    RATE_HZ,
    SOURCE_MODE,
    START,
    STOP,
    VOLTAGE,
    Calibration,
    WordDecoder,
    parse_metadata,
)

USB_IDS = ("1915:c00a",)
METADATA_TIMEOUT_S = 3.0
SILENCE_S = 2.0
MIN_MV, MAX_MV = 800, 5000


class Ppk2:
    """A PPK2 behind a serial port."""

    def __init__(self, port: str, options: Options) -> None:
        self._line = Line(port, baud=115_200)
        self._port = port
        self._options = dict(options)
        self._calibration: Calibration | None = None
        self._decoder: WordDecoder | None = None
        self._supply_mv: float | None = None
        self._heard_s = 0.0

    def __enter__(self) -> Self:
        self._line.open()
        self._send(STOP)
        self._line.drain(quiet_s=0.05)
        self._calibration = self._read_calibration()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line.close()

    def describe(self) -> Identity:
        calibration = self._known()
        return Identity(
            driver="ppk2",
            model=f"Nordic PPK2 (hardware {calibration.hardware or 'unknown'})",
            serial=usb_serial(self._port),
            via=self._line.describe(),
            calibrated=False if calibration.replaced else calibration.calibrated,
        )

    def configure(self, setup: Setup) -> Traits:
        calibration = self._known()
        millivolts = round(setup.voltage_mv)
        if not MIN_MV <= millivolts <= MAX_MV:
            raise MonitorError(
                f"a PPK2 supplies {MIN_MV} to {MAX_MV} mV, not {millivolts}",
                hint="set voltage_mv in bench.toml",
            )
        self._supply_mv = float(millivolts)
        source = setup.mode == "source"
        self._send(MODE, SOURCE_MODE if source else AMPERE_MODE)
        self._send(VOLTAGE, millivolts >> 8, millivolts & 0xFF)
        if source:
            self._send(POWER, 1)
        return Traits(
            rate_hz=RATE_HZ,
            marker_bits=8,
            voltage="declared",
            voltage_mv=setup.voltage_mv,
            accuracy=Accuracy(
                ranges=tuple(
                    RangeAccuracy(gain_ratio=0.0, step_ua=calibration.step_ua(number))
                    for number in range(RANGES)
                )
            ),
        )

    def start(self) -> None:
        calibration = self._known()
        supply_mv = calibration.vdd_mv if self._supply_mv is None else self._supply_mv
        self._decoder = WordDecoder(calibration.table(supply_mv))
        self._heard_s = time.monotonic()
        self._send(START)

    def read(self, timeout_s: float) -> Block | None:
        if self._decoder is None:
            raise MonitorError("the PPK2 was not started")
        data = self._line.read(timeout_s)
        if not data:
            silent_s = time.monotonic() - self._heard_s
            if silent_s > SILENCE_S:
                raise InstrumentSilent(
                    f"the PPK2 has sent nothing for {silent_s:.1f} s",
                    hint="check its USB cable and hub",
                )
            return None
        self._heard_s = time.monotonic()
        return self._decoder.feed(data)

    def stop(self) -> Block | None:
        self._send(STOP)
        return None if self._decoder is None else self._decoder.flush()

    def loss(self) -> LossReport:
        loss = LossReport() if self._decoder is None else self._decoder.loss()
        replaced = self._known().replaced
        if not replaced:
            return loss
        note = f"the unit has no {', '.join(replaced)}: Nordic's defaults stand for them"
        return replace(loss, notes=(*loss.notes, note))

    def _known(self) -> Calibration:
        if self._calibration is None:
            raise MonitorError("the PPK2 is not open")
        return self._calibration

    def _send(self, *command: int) -> None:
        self._line.write(bytes(command))

    def _read_calibration(self) -> Calibration:
        self._send(METADATA)
        text = self._line.read_until(b"END", timeout_s=METADATA_TIMEOUT_S)
        return parse_metadata(text.decode("ascii", errors="replace"))


def _detect() -> tuple[Found, ...]:
    """Newer firmware has two ports a unit; the data port is the first by name."""
    found: dict[str, Found] = {}
    for port in find_ports(USB_IDS):
        found.setdefault(
            port.serial,
            Found(driver="ppk2", serial=port.serial, port=port.device, product=port.product),
        )
    return tuple(found.values())


DRIVER = Driver(
    name="ppk2",
    title="Nordic Power Profiler Kit II",
    open=Ppk2,
    detect=_detect,
    notes="100 kS/s, D0-D7; ampere and source mode",
)
