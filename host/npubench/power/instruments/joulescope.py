"""Joulescope JS320, JS220 and JS110, through the maker's ``pyjoulescope_driver``.

Current, voltage and inputs come as separate streams; they are laid over each other by their sample
ids, never by arrival (a JS320 counts them at 16 MHz and sends every sixteenth sample). The inputs
are referred to USB ground; dropped samples come as NaN.
"""

from __future__ import annotations

import logging
import queue
import time
from importlib import import_module
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import MonitorError
from npubench.power.source.driver import Driver, Found, Options
from npubench.power.source.failure import InstrumentGone, InstrumentSilent, sdk_missing
from npubench.power.source.interface import (
    Block,
    Flag,
    Identity,
    LossReport,
    Setup,
    Traits,
    block_of,
)

log = logging.getLogger(__name__)

RATE_HZ = 1_000_000
SILENCE_S = 2.0
GPIS = (0, 1, 2)
# Inputs of ours that a model has (a JS320 has a fourth, which no marker needs).
INPUTS = {"js110": 2, "js220": 3, "js320": 3}
# Its range is the device's own business.
FIXED_RANGE = ("js320",)


def _sdk() -> Any:
    try:
        return import_module("pyjoulescope_driver")
    except ImportError as error:
        raise sdk_missing("pyjoulescope_driver", "joulescope") from error


class StreamAligner:
    """Pieces of several streams, each with its first tick and ticks per sample, to whole rows.

    A row is one sample of current; what is missing below it is NaN, and LOST.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._pieces: dict[str, list[tuple[int, int, NDArray[np.float32]]]] = {
            name: [] for name in names
        }
        self._tick: int | None = None
        self._index = 0
        self.received = self.lost = 0

    def add(self, name: str, tick: int, step: int, data: NDArray[np.float32]) -> None:
        """Take ``data`` of stream ``name``: first sample at ``tick``, then every ``step``."""
        if name in self._pieces and len(data):
            self._pieces[name].append((tick, step, data))

    def take(self) -> Block | None:
        """The rows for which every stream has come."""
        if any(not pieces for pieces in self._pieces.values()):
            return None
        if self._tick is None:
            self._tick = max(pieces[0][0] for pieces in self._pieces.values())
        step = self._pieces["i"][0][1]
        ends = [
            pieces[-1][0] + pieces[-1][1] * len(pieces[-1][2]) for pieces in self._pieces.values()
        ]
        count = (min(ends) - self._tick) // step
        if count <= 0:
            return None
        ticks = self._tick + step * np.arange(count)
        current = self._at("i", ticks) * np.float32(1e6)
        voltage = self._at("v", ticks) * np.float32(1e3)
        markers = np.zeros(count, np.uint8)
        for bit in GPIS:
            if f"gpi{bit}" in self._pieces:
                level = np.nan_to_num(self._at(f"gpi{bit}", ticks)) > 0.5
                markers |= (level.astype(np.uint8) << bit).astype(np.uint8)
        lost = ~np.isfinite(current)
        self._tick += step * int(count)
        self._forget()
        self.received += int(count - lost.sum())
        self.lost += int(lost.sum())
        first, self._index = self._index, self._index + int(count)
        return block_of(
            first,
            current,
            markers=markers,
            flags=np.where(lost, np.uint8(Flag.LOST), np.uint8(0)),
            voltage_mv=voltage,
        )

    def _at(self, name: str, ticks: NDArray[np.int64]) -> NDArray[np.float32]:
        out = np.full(len(ticks), np.nan, np.float32)
        for tick, step, data in self._pieces[name]:
            place = (ticks - tick) // step
            inside = (place >= 0) & (place < len(data))
            out[inside] = data[place[inside]]
        return out

    def _forget(self) -> None:
        assert self._tick is not None
        for name, pieces in self._pieces.items():
            kept = [piece for piece in pieces if piece[0] + piece[1] * len(piece[2]) > self._tick]
            self._pieces[name] = kept or pieces[-1:]


class Joulescope:
    """One Joulescope. ``port`` is its device path, e.g. ``u/js220/002122``."""

    def __init__(self, port: str, options: Options) -> None:
        self._path = port
        self._options = dict(options)
        self._driver: Any = None
        self._queue: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self._aligner = StreamAligner(("i", "v"))
        self._heard_s = 0.0
        self._model = port.split("/")[1] if port.count("/") == 2 else ""
        self._topics: dict[str, str] = {}

    def __enter__(self) -> Self:
        sdk = _sdk()
        if len(self._path.split("/")) != 3 or self._path.startswith("/"):
            raise MonitorError(
                f"{self._path} is no path of a Joulescope",
                hint="give its serial number, or a port like u/js220/002122",
            )
        try:
            self._driver = sdk.Driver()
            self._driver.open(self._path, mode="defaults")
        except Exception as error:
            raise MonitorError(
                f"the Joulescope {self._path} cannot be opened: {error}",
                hint="is it plugged in and free?",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._driver is not None:
            self._driver.close(self._path)
            self._driver.finalize()
            self._driver = None

    def describe(self) -> Identity:
        _, model, serial = self._path.split("/")
        return Identity(
            driver="joulescope",
            model=f"Joulescope {model.upper()}",
            serial=serial,
            via="USB",
        )

    def configure(self, setup: Setup) -> Traits:
        if self._model not in FIXED_RANGE:
            self._publish("s/i/range/mode", "auto")
        self._publish("h/fs", RATE_HZ)
        bits = INPUTS.get(self._model, 2)
        return Traits(
            rate_hz=RATE_HZ,
            marker_bits=bits,
            voltage="measured",
            voltage_mv=setup.voltage_mv,
            set_mv=setup.voltage_mv,
        )

    def start(self) -> None:
        names = {"i": "s/i", "v": "s/v"}
        names |= {f"gpi{bit}": f"s/gpi/{bit}" for bit in GPIS[: INPUTS.get(self._model, 2)]}
        self._topics = names
        self._aligner = StreamAligner(tuple(names))
        self._heard_s = time.monotonic()
        for name, topic in names.items():
            self._driver.subscribe(f"{self._path}/{topic}/!data", "pub", self._receiver(name))
            self._publish(f"{topic}/ctrl", 1)

    def read(self, timeout_s: float) -> Block | None:
        try:
            name, message = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            if time.monotonic() - self._heard_s > SILENCE_S:
                raise InstrumentSilent(
                    f"{self._path} has sent nothing for {SILENCE_S:g} s"
                ) from None
            return None
        while True:
            self._heard_s = time.monotonic()
            data = message["data"]
            factor = int(message.get("decimate_factor", 1))
            if name.startswith("gpi"):
                data = np.unpackbits(np.asarray(data, np.uint8), bitorder="little")
            self._aligner.add(name, int(message["sample_id"]), factor, np.asarray(data, np.float32))
            try:
                name, message = self._queue.get_nowait()
            except queue.Empty:
                return self._aligner.take()

    def stop(self) -> Block | None:
        for topic in self._topics.values():
            self._publish(f"{topic}/ctrl", 0)
        return self._aligner.take()

    def loss(self) -> LossReport:
        return LossReport(received_count=self._aligner.received, lost_count=self._aligner.lost)

    def _publish(self, topic: str, value: object) -> None:
        try:
            self._driver.publish(f"{self._path}/{topic}", value)
        except Exception as error:
            raise InstrumentGone(
                f"the Joulescope {self._path} does not take {topic}: {error}",
                hint="is it still plugged in?",
            ) from error

    def _receiver(self, name: str) -> Any:
        def receive(topic: str, message: dict[str, Any]) -> None:
            del topic
            self._queue.put((name, message))

        return receive


def _detect() -> tuple[Found, ...]:
    """What the SDK sees; nothing where it is not installed or cannot reach USB."""
    try:
        driver = _sdk().Driver()
    except MonitorError:
        return ()
    except Exception as error:
        log.warning("Joulescope: the SDK does not start: %s", error)
        return ()
    try:
        paths = [str(path) for path in driver.device_paths()]
    finally:
        driver.finalize()
    return tuple(
        Found(driver="joulescope", serial=serial, port=path, product=model)
        for path in paths
        for _, model, serial in [path.split("/")]
    )


DRIVER = Driver(
    name="joulescope",
    title="Joulescope JS320 / JS220 / JS110",
    open=Joulescope,
    detect=_detect,
    extra="joulescope",
    notes="1 MS/s, inputs aligned by sample id",
)
