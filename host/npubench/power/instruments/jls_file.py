"""Recordings of the Joulescope UI: ``.jls`` files of version 2, through ``pyjls`` (Apache-2.0).

Signals are told by name and unit: current in amperes, voltage in volts, ``gpi[0]`` to ``gpi[3]``,
which may be faster by a whole factor. A sample that was dropped is NaN there. An import is evidence
``modelled``.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import MonitorError
from npubench.power.source.driver import Driver, Options
from npubench.power.source.failure import RecordingEnded, sdk_missing
from npubench.power.source.interface import (
    Block,
    Flag,
    Identity,
    LossReport,
    Setup,
    Traits,
    block_of,
)

CHUNK_SAMPLES = 1 << 17
# A JS110 and a JS220 measure up to 10 A for short times.
LIMIT_UA = 10e6


class JlsFile:
    """A ``.jls`` file, read in pieces."""

    def __init__(self, port: str, options: Options) -> None:
        del options
        self._path = Path(port)
        self._reader: Any = None
        self._current: Any = None
        self._voltage: Any = None
        self._inputs: dict[int, Any] = {}
        self._count = self._next = self._lost = 0

    def __enter__(self) -> Self:
        try:
            from pyjls import Reader
        except ImportError as error:
            raise sdk_missing("pyjls", "joulescope") from error
        try:
            self._reader = Reader(str(self._path))
        except (OSError, RuntimeError, ValueError) as error:
            raise MonitorError(
                f"{self._path} is no JLS file of version 2: {error}",
                hint="save it again with the Joulescope UI 1.0 or newer, or export it as CSV",
            ) from error
        signals = [item for item in self._reader.signals.values() if item.length]
        self._current = self._one(signals, "current", "A")
        if self._current is None:
            raise MonitorError(
                f"{self._path} holds no current in amperes",
                hint="record the current, too: this is what energy comes from",
            )
        self._voltage = self._one(signals, "voltage", "V")
        rate, offset = self._current.sample_rate, _offset(self._current)
        if self._voltage is not None and (
            self._voltage.sample_rate != rate or _offset(self._voltage) != offset
        ):
            raise MonitorError(
                f"{self._path}: current and voltage have not the same samples",
                hint="record both at one rate, or export as CSV",
            )
        for bit in range(4):
            found = self._one(signals, f"gpi[{bit}]", "")
            if found is not None and found.sample_rate % rate == 0:
                self._inputs[bit] = found
        lengths = [self._current.length]
        lengths += [] if self._voltage is None else [self._voltage.length]
        self._count = min(lengths)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def describe(self) -> Identity:
        source = self._reader.sources.get(self._current.source_id)
        model = getattr(source, "model", "") or "a Joulescope"
        return Identity(
            driver="jls_file",
            model=f"recording of {model}",
            serial="",
            simulated=True,
            via=self._path.name,
        )

    def configure(self, setup: Setup) -> Traits:
        return Traits(
            rate_hz=float(self._current.sample_rate),
            marker_bits=max(self._inputs, default=-1) + 1,
            voltage="declared" if self._voltage is None else "measured",
            voltage_mv=setup.voltage_mv,
            set_mv=setup.voltage_mv,
        )

    def start(self) -> None:
        self._next = self._lost = 0

    def read(self, timeout_s: float) -> Block | None:
        del timeout_s
        first, count = self._next, min(CHUNK_SAMPLES, self._count - self._next)
        if count <= 0:
            raise RecordingEnded("the file has ended")
        current = self._values(self._current, first, count) * np.float32(1e6)
        voltage = None
        lost = ~np.isfinite(current)
        if self._voltage is not None:
            voltage = self._values(self._voltage, first, count) * np.float32(1e3)
            lost |= ~np.isfinite(voltage)
            voltage[lost] = 0.0
        current[lost] = np.nan
        if bool((np.abs(current[~lost]) > LIMIT_UA).any()):
            raise MonitorError(f"{self._path}: a current is beyond 10 A, a Joulescope's range")
        self._lost += int(lost.sum())
        self._next += count
        return block_of(
            first,
            current,
            markers=self._levels(first, count),
            flags=np.where(lost, np.uint8(Flag.LOST), np.uint8(0)).astype(np.uint8),
            voltage_mv=voltage,
        )

    def stop(self) -> Block | None:
        return None

    def loss(self) -> LossReport:
        return LossReport(received_count=self._next - self._lost, lost_count=self._lost)

    def _one(self, signals: list[Any], name: str, unit: str) -> Any:
        """The signal of a name and unit; None without one. Raises MonitorError for several."""
        found = [item for item in signals if item.name.lower() == name and item.units == unit]
        if len(found) > 1:
            raise MonitorError(
                f"{self._path} holds {len(found)} recordings of {name}",
                hint="export one instrument's alone",
            )
        return found[0] if found else None

    def _values(self, signal: Any, first: int, count: int) -> NDArray[np.float32]:
        try:
            return np.array(self._reader.fsr(signal.signal_id, first, count), np.float32)
        except (RuntimeError, ValueError) as error:
            raise MonitorError(f"{self._path} is damaged: {error}") from error

    def _levels(self, first: int, count: int) -> NDArray[np.uint8]:
        """The inputs at the begin of each sample; where a file has none, low."""
        levels = np.zeros(count, np.uint8)
        rate, offset = self._current.sample_rate, _offset(self._current)
        for bit, signal in self._inputs.items():
            step = signal.sample_rate // rate
            begin = (first + offset) * step - _offset(signal)
            low, high = max(begin, 0), min(begin + count * step, signal.length)
            if high <= low:
                continue
            packed = self._reader.fsr(signal.signal_id, low, high - low)
            bits = np.unpackbits(np.asarray(packed, np.uint8), bitorder="little")[: high - low]
            whole = np.zeros(count * step, np.uint8)
            whole[low - begin : high - begin] = bits
            levels |= whole[::step] << np.uint8(bit)
        return levels


def _offset(signal: Any) -> int:
    return int(getattr(signal, "sample_id_offset", 0) or 0)


DRIVER = Driver(
    name="jls_file",
    title="recording of the Joulescope UI (.jls)",
    open=JlsFile,
    extra="joulescope",
    notes="port is the file",
    is_file=True,
)
