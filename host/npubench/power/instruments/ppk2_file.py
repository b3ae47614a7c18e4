"""Recordings of nRF Connect Power Profiler: ``.ppk2`` files.

A ZIP archive: ``metadata.json`` holds the rate, ``session.raw`` six bytes a sample, a little-endian
float32 in microamperes and 16 bits of pairs, one for each input: 01 low, 10 high, 11 both, 00
unknown (NordicSemiconductor/pc-nrfconnect-ppk). A sample that was lost is NaN there. An import is
evidence ``modelled``.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import MonitorError
from npubench.power.source.driver import Driver, Options
from npubench.power.source.failure import RecordingEnded
from npubench.power.source.interface import (
    Block,
    Flag,
    Identity,
    LossReport,
    Setup,
    Traits,
    block_of,
)

FRAME = np.dtype([("current_ua", "<f4"), ("pairs", "<u2")])
VERSIONS = (1, 2)
CHUNK_SAMPLES = 1 << 17
LIMIT_UA = 1.02e6
MAX_RATE_HZ = 100_000


class Ppk2File:
    """A ``.ppk2`` file, read in pieces."""

    def __init__(self, port: str, options: Options) -> None:
        del options
        self._path = Path(port)
        self._archive: zipfile.ZipFile | None = None
        self._session: IO[bytes] | None = None
        self._rate_hz = 0.0
        self._next = self._lost = self._odd = 0

    def __enter__(self) -> Self:
        try:
            self._archive = zipfile.ZipFile(self._path)
            document = json.loads(self._archive.read("metadata.json"))
            self._archive.getinfo("session.raw")
            metadata = document.get("metadata", document)
            version = int(document.get("formatVersion", metadata.get("formatVersion", 2)))
            self._rate_hz = float(metadata["samplesPerSecond"])
        except OSError as error:
            raise MonitorError(f"{self._path} cannot be read: {error.strerror}") from error
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError) as error:
            raise MonitorError(
                f"{self._path} is no recording of a PPK2: {error}",
                hint="save it again in nRF Connect Power Profiler 4, or export it as CSV",
            ) from error
        if version not in VERSIONS or not 0 < self._rate_hz <= MAX_RATE_HZ:
            raise MonitorError(
                f"{self._path} has format {version} at {self._rate_hz:g} samples a second, which "
                "is not known here",
                hint="export it as CSV",
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            self._session.close()
        if self._archive is not None:
            self._archive.close()
        self._session = self._archive = None

    def describe(self) -> Identity:
        return Identity(
            driver="ppk2_file",
            model="recording of a PPK2",
            serial="",
            simulated=True,
            via=self._path.name,
        )

    def configure(self, setup: Setup) -> Traits:
        return Traits(
            rate_hz=self._rate_hz,
            marker_bits=8,
            voltage="declared",
            voltage_mv=setup.voltage_mv,
            set_mv=setup.voltage_mv,
        )

    def start(self) -> None:
        if self._archive is None:
            raise MonitorError("the import is not open")
        self._session = self._archive.open("session.raw")
        self._next = self._lost = self._odd = 0

    def read(self, timeout_s: float) -> Block | None:
        del timeout_s
        if self._session is None:
            raise MonitorError("the import was not started")
        try:
            data = self._session.read(CHUNK_SAMPLES * FRAME.itemsize)
        except (OSError, EOFError, zipfile.BadZipFile) as error:
            raise MonitorError(f"{self._path} is damaged: {error}") from error
        whole = len(data) // FRAME.itemsize
        self._odd += len(data) % FRAME.itemsize
        if not whole:
            raise RecordingEnded("the file has ended")
        frames = np.frombuffer(data, FRAME, whole)
        current = frames["current_ua"].astype(np.float32)
        lost = ~np.isfinite(current)
        if bool((np.abs(current[~lost]) > LIMIT_UA).any()):
            at = self._next + int(np.argmax(np.where(lost, 0, np.abs(current)) > LIMIT_UA))
            raise MonitorError(
                f"{self._path}: sample {at} is beyond 1 A, the range of a PPK2",
                hint="the recording lost its place in the stream: record it again",
            )
        current[lost] = np.nan
        self._lost += int(lost.sum())
        first, self._next = self._next, self._next + whole
        return block_of(
            first,
            current,
            markers=_levels(frames["pairs"]),
            flags=np.where(lost, np.uint8(Flag.LOST), np.uint8(0)).astype(np.uint8),
        )

    def stop(self) -> Block | None:
        return None

    def loss(self) -> LossReport:
        notes = (f"{self._odd} bytes at the end are no sample",) if self._odd else ()
        return LossReport(
            received_count=self._next - self._lost, lost_count=self._lost, notes=notes
        )


def _levels(pairs: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The upper bit of each pair: an input that was high at some time within the sample."""
    levels = np.zeros(len(pairs), np.uint8)
    for bit in range(8):
        levels |= (((pairs >> (2 * bit + 1)) & 1) << bit).astype(np.uint8)
    return levels


DRIVER = Driver(
    name="ppk2_file",
    title="recording of nRF Connect Power Profiler (.ppk2)",
    open=Ppk2File,
    notes="port is the file",
    is_file=True,
)
