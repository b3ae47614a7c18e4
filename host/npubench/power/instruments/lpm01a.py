"""ST X-NUCLEO-LPM01A (PowerShield), by its serial protocol at 3,686,400 baud.

ASCII current or energy with events on D7 (up to 5 kHz without a limit), or binary current at up to
100 kHz without events. It supplies 1.8 to 3.3 V and at most 50 mA.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from npubench.core.errors import MonitorError
from npubench.power.source.driver import Driver, Found, Options
from npubench.power.source.failure import InstrumentGone, InstrumentSilent
from npubench.power.source.interface import Block, Identity, LossReport, Setup, Traits
from npubench.power.wire.line import Line, find_ports, usb_serial
from npubench.power.wire.lpm01a import (
    BAUD,
    PROMPT,
    AsciiDecoder,
    BinaryDecoder,
    join_blocks,
    parse_number,
)

USB_IDS = ("0483:5740",)
ANSWER_TIMEOUT_S = 3.0
SILENCE_S = 3.0
MIN_MV, MAX_MV = 1800, 3300
ASCII_LIMIT_HZ = 5_000
FREQUENCIES_HZ = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Lpm01a:
    """A PowerShield. Options: ``freq_hz`` (5000), ``format`` ascii or binary, ``output`` current or
    energy (ascii, at most 10 kHz), ``acqmode`` dyn or stat."""

    def __init__(self, port: str, options: Options) -> None:
        self._port = port
        self._line = Line(port, baud=BAUD)
        self._rate_hz = int(options.get("freq_hz", 5000))
        self._format = str(options.get("format", "ascii"))
        self._output = str(options.get("output", "current"))
        self._acqmode = str(options.get("acqmode", "dyn"))
        self._version = ""
        self._decoder: AsciiDecoder | BinaryDecoder | None = None
        self._voltage_mv = 0.0
        self._heard_s = 0.0
        self._buffer = b""

    def __enter__(self) -> Self:
        self._line.open()
        self._line.write(b"\n")
        self._line.drain(quiet_s=0.05)
        self._command("htc")
        self._version = self._command("version")
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
            driver="lpm01a",
            model="ST X-NUCLEO-LPM01A",
            serial=usb_serial(self._port),
            firmware=self._version,
            via=self._line.describe(),
        )

    def configure(self, setup: Setup) -> Traits:
        if not MIN_MV <= setup.voltage_mv <= MAX_MV:
            raise MonitorError(
                f"a PowerShield supplies {MIN_MV} to {MAX_MV} mV, not {setup.voltage_mv:.0f}",
                hint="set voltage_mv in bench.toml",
            )
        if self._format == "ascii" and self._rate_hz > ASCII_LIMIT_HZ:
            raise MonitorError(
                f"{self._rate_hz} Hz in ASCII last a second at most",
                hint="set options.freq_hz to 5000 or less, or options.format to binary",
            )
        self._command(f"volt {setup.voltage_mv:.0f}m")
        self._command(f"freq {_frequency(self._rate_hz)}")
        self._command("acqtime inf")
        self._command(f"acqmode {self._acqmode}")
        self._command(f"output {self._output}")
        self._command("format " + ("ascii_dec" if self._format == "ascii" else "bin_hexa"))
        self._command("trigsrc sw")
        self._command("eventsrc d7 fal")
        self._command("pwr on")
        answer = self._command("volt get")
        try:
            self._voltage_mv = parse_number(answer.split()[-1]) * 1000.0
        except (ValueError, IndexError) as error:
            raise MonitorError(f"the PowerShield answered 'volt get' with {answer!r}") from error
        return Traits(
            rate_hz=self._rate_hz,
            marker_bits=1,
            edges="falling" if self._format == "ascii" else "none",
            voltage="measured",
            voltage_mv=self._voltage_mv,
            set_mv=setup.voltage_mv,
        )

    def start(self) -> None:
        scale = 1e6
        if self._output == "energy":
            # Joules a sample to microamperes at the supply's voltage.
            scale = 1e6 * self._rate_hz / (self._voltage_mv / 1000.0)
        kind = AsciiDecoder if self._format == "ascii" else BinaryDecoder
        self._decoder = kind(rate_hz=self._rate_hz, scale=scale)
        self._heard_s = time.monotonic()
        self._command("start")

    def read(self, timeout_s: float) -> Block | None:
        decoder = self._running()
        data = self._line.read(timeout_s)
        if not data:
            silent_s = time.monotonic() - self._heard_s
            if silent_s > SILENCE_S:
                raise InstrumentSilent(
                    f"the PowerShield has sent nothing for {silent_s:.1f} s",
                    hint="check its USB cable",
                )
            return None
        self._heard_s = time.monotonic()
        block = decoder.feed(data)
        if block is None and decoder.ended:
            raise InstrumentGone(f"the PowerShield ended the acquisition: {decoder.ended}")
        return block

    def stop(self) -> Block | None:
        decoder = self._running()
        self._line.write(b"stop\r\n")
        blocks: list[Block] = []
        end_s = time.monotonic() + ANSWER_TIMEOUT_S
        while not decoder.completed and time.monotonic() < end_s:
            block = decoder.feed(self._line.read(0.1))
            if block is not None:
                blocks.append(block)
        last = decoder.flush()
        return join_blocks(blocks if last is None else [*blocks, last])

    def loss(self) -> LossReport:
        return LossReport() if self._decoder is None else self._decoder.loss()

    def _running(self) -> AsciiDecoder | BinaryDecoder:
        if self._decoder is None:
            raise MonitorError("the PowerShield was not started")
        return self._decoder

    def _command(self, command: str) -> str:
        """Send a command; the text behind its acknowledgement. Raises MonitorError."""
        self._line.write(command.encode("ascii") + b"\r\n")
        end_s = time.monotonic() + ANSWER_TIMEOUT_S
        while True:
            left_s = end_s - time.monotonic()
            raw = self._line.read_until(b"\n", timeout_s=max(left_s, 0.01))
            line = raw.decode("ascii", errors="replace").replace("\0", "").strip()
            line = line.removeprefix(PROMPT.strip()).strip()
            word = command.split()[0]
            if line.startswith(f"ack {word}"):
                _, _, payload = line.partition(":")
                return payload.strip()
            if line.startswith("error"):
                detail = self._line.read_until(b"\n", timeout_s=0.5).decode("ascii", "replace")
                raise MonitorError(
                    f"the PowerShield refused {command!r}: {detail.strip() or line}",
                    hint="its firmware must be 1.0.6 or newer",
                )


def _frequency(rate_hz: int) -> str:
    return f"{rate_hz // 1000}k" if rate_hz >= 1000 and rate_hz % 1000 == 0 else str(rate_hz)


def _detect() -> tuple[Found, ...]:
    return tuple(
        Found(driver="lpm01a", serial=port.serial, port=port.device, product=port.product)
        for port in find_ports(USB_IDS)
    )


DRIVER = Driver(
    name="lpm01a",
    title="ST X-NUCLEO-LPM01A PowerShield",
    open=Lpm01a,
    detect=_detect,
    notes="ASCII with D7 events up to 5 kHz, binary up to 100 kHz; 50 mA",
)
