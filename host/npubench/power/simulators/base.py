"""What all simulated instruments share: an analogue front end with its own clock and errors, and a
thread that speaks over a pty or a socket."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import select
import socket
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import MonitorError
from npubench.power.simulators.trace import Trace
from npubench.power.source.accuracy import Accuracy, RangeAccuracy

CLOCK_OFF_PPM = 3_000.0
CLOCK_WILD_PPM = 30_000.0
# A crystal's usual deviation; no instrument's clock is the device's.
USUAL_PPM = 21.0
SAG_RATIO = 0.08
SPIKE_RATIO = 6.0
CHUNK_SAMPLES = 16_384
WRITE_TIMEOUT_S = 30.0
WRITE_SLICE_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """How the simulated unit errs: drawn once from what it claims of itself.

    ``gain_error_ratio`` and ``offset_error_ua`` are the unit's true errors; ``noise_ua`` is white.
    """

    gain_error_ratio: float = 0.0
    offset_error_ua: float = 0.0
    noise_ua: float = 2.0
    clock_ppm: float = USUAL_PPM


def drawn_frontend(accuracy: Accuracy, seed: int) -> Frontend:
    """A unit whose errors are drawn from its accuracy, normal, by a fixed seed."""
    generator = random.Random(seed)
    claim = accuracy.of_range(0) if accuracy.ranges else RangeAccuracy(gain_ratio=0.0)
    return Frontend(
        gain_error_ratio=generator.gauss(0.0, claim.gain_sigma_ratio),
        offset_error_ua=generator.gauss(0.0, claim.offset_ua / 2),
    )


class Feed:
    """The samples that an instrument takes from a trace, in its own time, with its faults.

    Sample k covers [k, k+1) of the instrument's clock, which runs ``clock_ppm`` fast. ``trouble``
    is the time, in the trace, at which faults that come once are played. ``clock``: seconds of a
    clock by which samples come as they would from an instrument; without one they come as fast as
    they are taken.
    """

    def __init__(
        self,
        trace: Trace,
        *,
        rate_hz: float,
        frontend: Frontend,
        faults: frozenset[str],
        trouble_s: float,
        seed: int = 1,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.trace = trace
        self.rate_hz = rate_hz
        self._clock = clock
        self._begun: tuple[float, int] | None = None
        self.faults = faults
        ppm = frontend.clock_ppm
        if "clock-off" in faults:
            ppm = CLOCK_OFF_PPM
        if "clock-wild" in faults:
            ppm = CLOCK_WILD_PPM
        self.true_rate_hz = rate_hz * (1 + ppm * 1e-6)
        self.whole_count = int(np.ceil(trace.seconds * self.true_rate_hz))
        self.trouble = int(trouble_s * self.true_rate_hz)
        self._frontend = frontend
        self._noise = np.random.default_rng(seed)
        self.next = 0

    def rescale(self, ratio: float) -> None:
        """Take samples ``ratio`` times as often, from the beginning."""
        self.true_rate_hz *= ratio
        self.whole_count = int(np.ceil(self.trace.seconds * self.true_rate_hz))
        self.trouble = int(self.trouble * ratio)
        self.next = 0
        self._begun = None

    @property
    def paced(self) -> bool:
        """Whether samples come by a clock."""
        return self._clock is not None

    @property
    def count(self) -> int:
        """How many samples there are: in all, or by now where a clock runs."""
        if self._clock is None:
            return self.whole_count
        if self._begun is None:
            return self.next
        since_s, first = self._begun
        return min(self.whole_count, first + int((self._clock() - since_s) * self.true_rate_hz))

    def begin(self) -> None:
        """From now on samples come by the clock; what was before is not made up for."""
        if self._clock is not None:
            self._begun = (self._clock(), self.next)

    @property
    def supply_mv(self) -> float:
        """The voltage at the board."""
        sag = SAG_RATIO if "voltage-low" in self.faults else 0.0
        return self.trace.supply_mv * (1 - sag)

    def take(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """The next samples: currents in microamperes and marker levels."""
        times = (self.next + np.arange(count + 1)) / self.true_rate_hz
        charge = self.trace.charge_uc(times)
        current = np.diff(charge) * self.true_rate_hz
        levels = self.trace.level_at(times[:-1])
        if "idle-drift" in self.faults:
            floor_ua = float(np.min(self.trace.current_ua))
            current = current + floor_ua * times[:-1] / max(self.trace.seconds, 1e-9)
        index = self.next + np.arange(count)
        if "saturation" in self.faults:
            current = np.where(np.abs(index - self.trouble) < 20, 5e6, current)
        levels = self._spoil_markers(levels, index)
        error = self._frontend
        current = current * (1 + error.gain_error_ratio) + error.offset_error_ua
        current = current + self._noise.normal(0.0, error.noise_ua, count)
        self.next += count
        return current, levels

    def falls(self, first: int, count: int) -> frozenset[int]:
        """Samples before which a level began, however short it was: what an edge detector sees."""
        levels = np.concatenate(([0], self.trace.levels))
        begins = self.trace.edges_s[:-1][(levels[1:] != 0) & (levels[:-1] == 0)]
        places = np.ceil(begins * self.true_rate_hz).astype(np.int64)
        inside = places[(places >= first) & (places < first + count)]
        return frozenset(int(place) for place in inside)

    def _spoil_markers(
        self, levels: NDArray[np.uint8], index: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        if "marker-glitch" in self.faults:
            glitch = np.abs(index - self.trouble) < 12
            levels = np.where(glitch, np.where(levels != 0, 0, 7), levels).astype(np.uint8)
        if "marker-lost" in self.faults:
            # The window around the trouble never shows.
            edges = self.trace.edges_s * self.true_rate_hz
            place = int(np.searchsorted(edges, self.trouble)) - 1
            first = last = max(0, min(place, len(self.trace.levels) - 1))
            level = self.trace.levels[first]
            while first > 0 and self.trace.levels[first - 1] == level:
                first -= 1
            while last + 1 < len(self.trace.levels) and self.trace.levels[last + 1] == level:
                last += 1
            hidden = (index >= edges[first] - 1) & (index <= edges[last + 1] + 1)
            levels = np.where(hidden, np.uint8(0), levels)
        return levels


class Port(Protocol):
    """The simulator's side of a line."""

    name: str

    def read(self, timeout_s: float) -> bytes | None:
        """What came; empty when nothing did, None when the other side left."""

    def write(self, data: bytes) -> None:
        """Send all; raises OSError when the other side left."""

    def give_up(self) -> None:
        """End a write that waits for a reader, from another thread."""

    def close(self) -> None:
        """End the line: for the driver the instrument is gone."""


class PtyPort:
    """A pty; ``name`` is the device that the driver opens."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self.name = os.ttyname(slave)
        # The slave stays open here until a driver has come, so that the name stays valid.
        self._slave = slave
        os.set_blocking(self._master, False)
        self._given_up = threading.Event()

    def read(self, timeout_s: float) -> bytes | None:
        if self._master < 0:
            return None
        ready, _, _ = select.select([self._master], [], [], timeout_s)
        if not ready:
            return b""
        try:
            return os.read(self._master, 4096) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        end_s = time.monotonic() + WRITE_TIMEOUT_S
        while view:
            if self._master < 0 or self._given_up.is_set():
                raise OSError("closed")
            _, ready, _ = select.select([], [self._master], [], WRITE_SLICE_S)
            if not ready:
                if time.monotonic() > end_s:
                    raise OSError("nobody reads")
                continue
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(self._master, view) :]
                end_s = time.monotonic() + WRITE_TIMEOUT_S

    def give_up(self) -> None:
        self._given_up.set()

    def close(self) -> None:
        for descriptor in (self._slave, self._master):
            if descriptor >= 0:
                os.close(descriptor)
        self._slave = self._master = -1


class TcpPort:
    """A listening socket on the loopback; ``name`` is host:port. One client at a time, one after
    the other. ``port`` 0: any that is free."""

    def __init__(self, port: int = 0) -> None:
        try:
            self._listener = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise MonitorError(
                f"port {port} cannot be served: {error.strerror or error}",
                hint="choose another one, or 0 for one that is free",
            ) from error
        host, number = self._listener.getsockname()[:2]
        self.name = f"{host}:{number}"
        self._client: socket.socket | None = None
        self.greeting = b""

    def read(self, timeout_s: float) -> bytes | None:
        if self._client is None:
            self._listener.settimeout(timeout_s)
            try:
                self._client, _ = self._listener.accept()
            except TimeoutError:
                return b""
            except OSError:
                return None
            if self.greeting:
                self._client.sendall(self.greeting)
        self._client.settimeout(timeout_s)
        try:
            data = self._client.recv(1 << 16)
        except (TimeoutError, BlockingIOError):
            return b""
        except OSError:
            data = b""
        if data:
            return data
        self._client.close()
        self._client = None
        return None

    def write(self, data: bytes) -> None:
        if self._client is None:
            raise OSError("no client")
        self._client.settimeout(WRITE_TIMEOUT_S)
        self._client.sendall(data)

    def give_up(self) -> None:
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        self._listener.close()


class Simulator:
    """A thread that serves one instrument on a port. Subclasses answer and stream.

    ``received`` handles bytes of the driver; ``stream`` sends the next piece of a running capture
    and returns whether there is more to send at once.
    """

    POLL_S = 0.002

    def __init__(self, port_maker: Callable[[], Port], feed: Feed) -> None:
        self._port_maker = port_maker
        self.feed = feed
        self.faults = feed.faults
        self.port: Port | None = None
        self._streaming = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._cut = random.Random(7)

    def __enter__(self) -> Self:
        self.port = self._port_maker()
        self.opened(self.port)
        self._thread = threading.Thread(target=self._serve, name="simulator", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self.port is not None:
            self.port.give_up()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
        if self.port is not None:
            self.port.close()

    @property
    def streaming(self) -> bool:
        """Whether samples are sent."""
        return self._streaming

    @streaming.setter
    def streaming(self, on: bool) -> None:
        if on and not self._streaming:
            self.feed.begin()
        self._streaming = on

    def serve_on(self, port_maker: Callable[[], Port]) -> None:
        """Serve on another kind of port than the instrument's own; before entering."""
        self._port_maker = port_maker

    @property
    def address(self) -> str:
        """What the driver opens."""
        if self.port is None:
            raise MonitorError("the simulator does not run")
        return self.port.name

    def opened(self, port: Port) -> None:
        """Called with the port before anything comes."""

    def received(self, data: bytes) -> None:
        """Bytes of the driver."""
        raise NotImplementedError

    def stream(self) -> bool:
        """Send the next piece."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """Send, cut at odd sizes when ordered so."""
        assert self.port is not None
        if "split-words" not in self.faults:
            self.port.write(data)
            return
        place = 0
        while place < len(data):
            size = self._cut.choice((1, 3, 7, 61, 1021, 4093))
            self.port.write(data[place : place + size])
            place += size

    def vanish(self) -> None:
        """Close the port as an instrument does whose cable comes out."""
        assert self.port is not None
        self.port.close()
        self._ended.set()

    def _serve(self) -> None:
        assert self.port is not None
        busy = False
        while not self._ended.is_set():
            data = self.port.read(0.0 if busy else self.POLL_S * 10)
            if data is None:
                if self._ended.is_set():
                    return
                self.streaming = busy = False
                time.sleep(self.POLL_S)
                continue
            try:
                if data:
                    self.received(data)
                busy = self.stream() if self.streaming else False
            except OSError:
                self.streaming = busy = False
