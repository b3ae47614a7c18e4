"""A device under test, measured as MLPerf Tiny's runner does it: upload, windows, results.

Only the base protocol is used, so that any firmware of the benchmark will do. The device times
itself; the host's clock stands beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from npubench.core.errors import UsageError
from npubench.core.evidence import Evidence
from npubench.core.finding import Found
from npubench.core.progress import Reporter, step
from npubench.mlperf import findings as kinds
from npubench.mlperf.answer import Expectation
from npubench.wire.device import Device

RULE_S = 10.0
RULE_INFERENCES = 10
RULE_WINDOWS = 5
# A little over the rule, and far below the 30 s that MLCommons' runner waits for a line.
AIM_S = 11.0
CLOCK_LIMIT_PPM = 10_000
MOST_INFERENCES = 1_000_000
WRAP_US = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One input in the form that the firmware takes. ``name``: a file's, or the seed's."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DutWindow:
    """One window. ``elapsed_us`` by the device, None in energy mode; ``host_s`` around the whole
    command, warm-ups and talk included."""

    input: str
    input_sha256: str
    iterations: int
    warmups: int
    elapsed_us: int | None
    host_s: float
    results_milli: tuple[int, ...]

    @property
    def throughput_ips(self) -> float | None:
        """Inferences per second, by the device's own clock."""
        return self.iterations * 1e6 / self.elapsed_us if self.elapsed_us else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DutClock:
    """The device's clock against the host's, from its first timestamp to its last.

    ``uncertainty_ppm``: both exchanges, over the span.
    """

    deviation_ppm: float
    uncertainty_ppm: float
    span_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DutResult:
    """What a device answered and how fast, by its own account, with what speaks against it."""

    name: str
    profile: str
    model: str
    extended: bool
    port: str
    evidence: Evidence
    windows: tuple[DutWindow, ...]
    clock: DutClock | None
    reference: str | None
    findings: tuple[Found, ...]

    @property
    def median_ips(self) -> float | None:
        """The benchmark's figure: the median throughput of the windows."""
        rates = [window.throughput_ips for window in self.windows]
        known = [rate for rate in rates if rate is not None]
        return median(known) if len(known) == len(rates) and known else None

    @property
    def latency_us(self) -> float | None:
        """Microseconds an inference, from the median throughput."""
        return None if self.median_ips is None else 1e6 / self.median_ips

    @property
    def is_ok(self) -> bool:
        """Whether nothing was refused."""
        return all(found.finding.severity != "refusal" for found in self.findings)

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "device": {
                "name": self.name,
                "profile": self.profile,
                "model": self.model,
                "extended": self.extended,
                "port": self.port,
            },
            "evidence": str(self.evidence),
            "median_ips": self.median_ips,
            "latency_us": self.latency_us,
            "windows": [
                asdict(window) | {"throughput_ips": window.throughput_ips}
                for window in self.windows
            ],
            "clock": None if self.clock is None else asdict(self.clock),
            "reference": self.reference,
            "findings": [found.document() for found in self.findings],
        }


def measure(
    device: Device,
    uploads: Sequence[Upload],
    *,
    port: str,
    played: bool,
    reporter: Reporter,
    windows: int = RULE_WINDOWS,
    iterations: int | None = None,
    warmups: int = 10,
    expectation: Expectation | None = None,
) -> DutResult:
    """Feed the device each upload in turn, run the windows and judge them.

    ``iterations`` None: as many as take a little over 10 s. ``played``: a program may stand behind
    the port, whose clock is nobody's. Raises DeviceError, UsageError for uploads that it refuses.
    """
    if not uploads:
        raise UsageError("there is nothing to upload", hint="--input FILE")
    profile = device.profile()
    caps = device.caps()
    job = f"{profile.model} at {port}"
    times = [_time(device)]
    done: list[DutWindow] = []
    for number in range(windows):
        upload = uploads[number % len(uploads)]
        with step(reporter, job, f"upload {number + 1} of {windows}", f"{len(upload.data)} bytes"):
            device.upload_base(upload.data)
        if iterations is None:
            with step(reporter, job, "try one inference"):
                iterations = _enough(device)
        with step(reporter, job, f"window {number + 1} of {windows}"):
            done.append(_window(device, upload, iterations, warmups))
    times.append(_time(device))
    clock = None if played else _clock(times)
    found = list(_found(done, clock, energy=times[0] is None))
    if expectation is not None:
        answers = {upload.name: upload.data for upload in uploads[:windows]}
        given = {window.input: window.results_milli for window in done}
        with step(reporter, job, "golden"):
            found += expectation.judge([(name, answers[name], given[name]) for name in given])
    return DutResult(
        name=profile.name,
        profile=profile.firmware,
        model=profile.model,
        extended=caps.is_extended,
        port=device.describe(),
        evidence=Evidence.MODELLED if played else Evidence.MEASURED,
        windows=tuple(done),
        clock=clock,
        reference=None if expectation is None else expectation.reference,
        findings=tuple(found),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Time:
    device_us: int
    sent_s: float
    received_s: float


def _time(device: Device) -> _Time | None:
    sent_s = device.now_s()
    device_us = device.timestamp()
    if device_us is None:
        return None
    return _Time(device_us=device_us, sent_s=sent_s, received_s=device.now_s())


def _enough(device: Device) -> int:
    """How many inferences take a little over 10 s."""
    begin_s = device.now_s()
    elapsed_us = device.infer(1, 0).elapsed_us
    one_s = (device.now_s() - begin_s) if elapsed_us is None else elapsed_us / 1e6
    if one_s <= 0:
        return MOST_INFERENCES
    return max(RULE_INFERENCES, min(MOST_INFERENCES, round(AIM_S / one_s)))


def _window(device: Device, upload: Upload, iterations: int, warmups: int) -> DutWindow:
    begin_s = device.now_s()
    answer = device.infer(iterations, warmups)
    return DutWindow(
        input=upload.name,
        input_sha256=hashlib.sha256(upload.data).hexdigest(),
        iterations=iterations,
        warmups=warmups,
        elapsed_us=answer.elapsed_us,
        host_s=device.now_s() - begin_s,
        results_milli=answer.results_milli,
    )


def _clock(times: Sequence[_Time | None]) -> DutClock | None:
    """The device's microseconds over the host's. A wrap of 32 bits is undone by the host's time."""
    first, last = times[0], times[-1]
    if first is None or last is None:
        return None
    span_s = (last.sent_s + last.received_s - first.sent_s - first.received_s) / 2
    if span_s <= 0:
        return None
    device_us = (last.device_us - first.device_us) % WRAP_US
    device_us += WRAP_US * max(0, round((span_s * 1e6 - device_us) / WRAP_US))
    doubt_s = (last.received_s - last.sent_s + first.received_s - first.sent_s) / 2
    return DutClock(
        deviation_ppm=(device_us / (span_s * 1e6) - 1) * 1e6,
        uncertainty_ppm=doubt_s / span_s * 1e6,
        span_s=span_s,
    )


def _found(done: Sequence[DutWindow], clock: DutClock | None, *, energy: bool) -> list[Found]:
    found = []
    if energy:
        found.append(kinds.NO_TIMES.found())
    elif len(done) != RULE_WINDOWS:
        found.append(kinds.WINDOW_COUNT.found(windows=len(done)))
    timed = [(window.elapsed_us, window) for window in done if window.elapsed_us is not None]
    short = [
        (elapsed_us, window)
        for elapsed_us, window in timed
        if elapsed_us < RULE_S * 1e6 or window.iterations < RULE_INFERENCES
    ]
    if short:
        elapsed_us, window = min(short, key=lambda item: item[0])
        found.append(
            kinds.SHORT_WINDOW.found(
                count=len(short),
                windows=len(done),
                iterations=window.iterations,
                elapsed_s=elapsed_us / 1e6,
            )
        )
    if clock is not None and abs(clock.deviation_ppm) > CLOCK_LIMIT_PPM + clock.uncertainty_ppm:
        found.append(
            kinds.CLOCK_OFF.found(
                deviation_ppm=clock.deviation_ppm,
                limit_ppm=CLOCK_LIMIT_PPM,
                uncertainty_ppm=clock.uncertainty_ppm,
            )
        )
    return found
