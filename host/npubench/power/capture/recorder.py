"""A capture while it runs: one thread reads the instrument, another one writes.

The reader must never wait for the disk, so that the instrument's own buffers do not run over. What
is between the two is bounded, and overrunning it ends the capture instead of losing samples.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from npubench.core.errors import MonitorError, NpubenchError, StorageError
from npubench.power.parts import PartsWriter
from npubench.power.source.failure import RecordingEnded, understood
from npubench.power.source.interface import Block, Identity, LossReport, PowerSource, Traits

log = logging.getLogger(__name__)

QUEUE_SAMPLES = 1 << 24
READ_TIMEOUT_S = 0.05


class Recorder:
    """Captures from an open, configured source into ``folder`` between entering and leaving.

    A failure of the instrument does not raise here: it ends the capture, and ``loss().ended`` says
    why. A failure of the disk raises from ``stop``.
    """

    def __init__(
        self, source: PowerSource, folder: Path, *, identity: Identity, traits: Traits
    ) -> None:
        self._source = source
        self._traits = traits
        self._writer = PartsWriter(folder, identity=identity, traits=traits)
        self._queue: queue.Queue[Block | None] = queue.Queue()
        self._queued = 0
        self._samples = 0
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._ended = ""
        self._finished = False
        self._failed: NpubenchError | None = None
        self._threads: list[threading.Thread] = []
        self._stopped = False

    def __enter__(self) -> Self:
        self._writer.__enter__()
        with understood("the instrument"):
            self._source.start()
        self._threads = [
            threading.Thread(target=self._read, name="power reader", daemon=True),
            threading.Thread(target=self._write, name="power writer", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._stopped:
            self.stop()

    @property
    def samples(self) -> int:
        """Samples read so far."""
        return self._samples

    @property
    def over(self) -> bool:
        """Whether nothing more will come: the stream ended, or a recording came to its end."""
        return self._finished or bool(self._ended)

    def wait_samples(self, count: int, *, timeout_s: float) -> bool:
        """Wait until ``count`` samples have come or the capture has ended; whether they have."""
        end_s = time.monotonic() + timeout_s
        with self._changed:
            while self._samples < count and not self.over:
                left_s = end_s - time.monotonic()
                if left_s <= 0:
                    break
                self._changed.wait(min(left_s, 0.2))
            return self._samples >= count

    def stop(self) -> LossReport:
        """End the capture and bring it to disk; what was lost. Raises StorageError."""
        if not self._stopped:
            self._stopped = True
            self._stop.set()
            for thread in self._threads:
                thread.join()
            if self._failed is not None:
                raise self._failed
            if not self._ended:
                try:
                    with understood("the instrument"):
                        last = self._source.stop()
                    if last is not None:
                        self._writer.add(last)
                except MonitorError as error:
                    self._ended = f"{error.kind}: {error.message}"
            self._writer.finish(self.loss())
        return self.loss()

    def loss(self) -> LossReport:
        """What was lost so far, and why the stream ended by itself if it did."""
        loss = self._source.loss()
        return replace(loss, ended=self._ended or loss.ended)

    def _read(self) -> None:
        try:
            while not self._stop.is_set():
                with understood("the instrument"):
                    block = self._source.read(READ_TIMEOUT_S)
                if block is None or not len(block):
                    continue
                self._queue.put(block)
                with self._changed:
                    self._samples = block.first + len(block)
                    self._queued += len(block)
                    self._changed.notify_all()
                if self._queued > QUEUE_SAMPLES:
                    raise MonitorError("the disk is slower than the instrument")
        except RecordingEnded:
            with self._changed:
                self._finished = True
                self._changed.notify_all()
        except NpubenchError as error:
            with self._changed:
                self._ended = f"{error.kind}: {error.message}"
                self._changed.notify_all()
        except Exception as error:  # a driver's mistake must end the capture, not stall it
            log.debug("the driver failed", exc_info=True)
            with self._changed:
                self._ended = f"{type(error).__name__}: {error}"
                self._changed.notify_all()
        finally:
            self._queue.put(None)

    def _write(self) -> None:
        try:
            while (block := self._queue.get()) is not None:
                self._writer.add(block)
                with self._changed:
                    self._queued -= len(block)
            self._writer.flush()
        except Exception as error:  # what was not written must not look like a whole capture
            self._failed = (
                error
                if isinstance(error, NpubenchError)
                else StorageError(f"the capture cannot be written: {error}")
            )
            while self._queue.get() is not None:
                continue
