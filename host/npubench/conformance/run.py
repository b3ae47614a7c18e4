"""What every new board must pass on the desk, in a few minutes, before a number of it is believed.

Each check says what was seen. On an emulator or a board's model it is a rehearsal: what only
silicon has (clock, pins, sleep) does not apply there, and nothing becomes hardware-verified by it.
"""

from __future__ import annotations

import random
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from npubench.bench.counts import check_selftest, scale_of
from npubench.bench.energy import check_power, energy_record, measure_power
from npubench.bench.flashing import ready_board
from npubench.bench.job import Job, Settings
from npubench.bench.prepare import Prepared, build_image, compile_job
from npubench.bench.reference import reference_answer
from npubench.conformance.findings import BY_CHECK
from npubench.connect.board import OpenBoard, open_board
from npubench.core.errors import DeviceError, NpubenchError
from npubench.core.evidence import Evidence
from npubench.core.finding import Found
from npubench.core.progress import Event, Reporter
from npubench.wire.answers import BenchResult
from npubench.wire.clock import ClockFit, measure_clock
from npubench.wire.device import Device, expect_firmware
from npubench.wire.protocol import error_number
from npubench.wire.record import ErrorLine, LineSplitter, LostRecord, parse_line

MEGABYTE = 1_000_000
REHEARSAL_BYTES = 20_000
MAX_WRAP_S = 120.0
WRAP_RESERVE = 1.2
WRAP_PAUSE_S = 0.5
COUNTER_BITS = 32
SEED = 1

Verdict = Literal["ok", "failed", "not applicable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: what it is about, its verdict, and what was seen (or why it does not apply)."""

    name: str
    verdict: Verdict
    seen: str

    @property
    def found(self) -> Found | None:
        """What a failed check says of the board."""
        return BY_CHECK[self.name].found(seen=self.seen) if self.verdict == "failed" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformance:
    """All checks of one board with one image. ``rehearsal``: no silicon answered."""

    board: str
    model: str
    elf_sha256: str
    rehearsal: bool
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """No check failed."""
        return all(check.verdict != "failed" for check in self.checks)

    @property
    def open_checks(self) -> tuple[str, ...]:
        """Checks that did not apply: on silicon those that need another instrument or more time."""
        return tuple(check.name for check in self.checks if check.verdict == "not applicable")

    def proof(self, by: str, on: date) -> str | None:
        """The block for board.toml behind ``hardware-verified``; None when it is not earned."""
        if self.rehearsal or not self.passed:
            return None
        return (
            "[status.proof]\n"
            f"date = {on.isoformat()}\n"
            f'firmware_sha256 = "{self.elf_sha256}"\n'
            f'by = "{_toml_text(by)}"\n'
        )

    def document(self) -> dict[str, object]:
        """The result as JSON values."""
        found = [check.found.document() for check in self.checks if check.found is not None]
        return asdict(self) | {"passed": self.passed, "findings": found}


def run_conformance(
    job: Job,
    settings: Settings,
    *,
    reporter: Reporter,
    wire_bytes: int | None = None,
) -> Conformance:
    """Build, flash (a physical board), and check one board.

    ``wire_bytes``: how much must cross the console without an error; None: a megabyte, less in a
    rehearsal. Raises what building and flashing raise, and DeviceError when no board answers; what
    goes wrong later is a check that failed.
    """
    check_power([job.board], settings)
    prepared = build_image(compile_job(job), job, reporter)
    physical = job.board.kind == "physical"
    port = settings.port
    if physical:
        port = ready_board(job, prepared, settings, reporter)
    if wire_bytes is None:
        wire_bytes = MEGABYTE if physical else REHEARSAL_BYTES
    with open_board(
        job.board,
        prepared.firmware.elf,
        port=port,
        reporter=reporter,
        job=job.title,
        mishaps=settings.mishaps,
    ) as target:
        checks = _Checks(job, prepared, settings, target, reporter).run(wire_bytes)
    return Conformance(
        board=job.board.id,
        model=job.model.id,
        elf_sha256=prepared.firmware.elf_sha256,
        rehearsal=not physical,
        checks=checks,
    )


class _Checks:
    """The checks of one session, in order. Each returns what was seen, or raises."""

    def __init__(
        self,
        job: Job,
        prepared: Prepared,
        settings: Settings,
        target: OpenBoard,
        reporter: Reporter,
    ) -> None:
        self._job = job
        self._prepared = prepared
        self._settings = settings
        self._target = target
        self._device = target.device
        self._reporter = reporter
        self._physical = job.board.kind == "physical"
        self._bench: BenchResult | None = None
        self._clock: ClockFit | None = None

    def run(self, wire_bytes: int) -> tuple[Check, ...]:
        steps: tuple[tuple[str, Callable[[], str]], ...] = (
            ("identity", self._identity),
            ("right answer", self._answer),
            ("stack", self._stack),
            ("counter", self._counter),
            ("clock against the host", self._clock_check),
            ("counter wrap", self._wrap),
            ("console without an error", lambda: self._wire(wire_bytes)),
            ("fault and restart", self._restart),
        )
        checks = [self._check(name, step) for name, step in steps]
        checks += self._power()
        return tuple(checks)

    def _check(self, name: str, step: Callable[[], str]) -> Check:
        try:
            check = Check(name=name, verdict="ok", seen=step())
        except _NotApplicable as reason:
            check = Check(name=name, verdict="not applicable", seen=str(reason))
        except NpubenchError as error:
            check = Check(name=name, verdict="failed", seen=error.message)
        self._reporter.event(
            Event(
                job=self._job.title,
                step=name,
                state="note",
                detail=f"{check.verdict}: {check.seen}",
            )
        )
        return check

    def _identity(self) -> str:
        caps = self._device.caps()
        plan = self._prepared.compiled.plan
        expect_firmware(caps, artifact_sha256=plan.artifact_sha256)
        if caps.board != self._job.board.id:
            raise DeviceError(f"the firmware says it is {caps.board}, not {self._job.board.id}")
        return f"{caps.firmware} on {caps.board}, build {caps.build}"

    def _answer(self) -> str:
        golden, reason = reference_answer(
            self._prepared.compiled.network,
            None,
            self._settings,
            job=self._job,
            reporter=self._reporter,
        )
        if golden is None:
            raise _NotApplicable(reason)
        self._device.seed(self._settings.seed)
        output = self._device.kat(tensors=False).output
        if output != golden.output_bytes:
            raise DeviceError(
                f"the output is {output.hex()[:32]}, TFLM's is {golden.output_bytes.hex()[:32]}"
            )
        return f"{len(output)} bytes equal those of {golden.reference}"

    def _stack(self) -> str:
        memory = self._device.mem()
        if memory.stack_used_bytes >= memory.stack_size_bytes:
            raise DeviceError(f"all {memory.stack_size_bytes} bytes of the stack were used")
        return f"{memory.stack_used_bytes} of {memory.stack_size_bytes} bytes used"

    def _counter(self) -> str:
        self._need_counter()
        bench = self._device.bench(3, 1)
        if bench.window is None or bench.selftest is None:
            raise DeviceError("the self-test's records were lost")
        scale = scale_of(self._job.board, bench.window)
        test = check_selftest(scale, bench.selftest.iterations, bench.selftest.counts)
        self._bench = bench
        return f"a loop of {test.expected} instructions reads {test.counted} {scale.unit}"

    def _clock_check(self) -> str:
        self._need_counter()
        nominal = self._job.board.counter.hz
        if not self._physical or nominal is None:
            raise _NotApplicable("virtual time has no clock to check")
        fit = measure_clock(self._device, seconds=self._settings.clock_seconds)
        self._clock = fit
        ppm = fit.deviation_ppm(nominal)
        seen = f"{ppm:+.0f} ppm of {nominal} Hz, known to {fit.uncertainty_ppm:.0f} ppm"
        if abs(ppm) > self._job.board.clock_tolerance_ppm:
            raise DeviceError(f"{seen}; {self._job.board.clock_tolerance_ppm} ppm are allowed")
        return seen

    def _wrap(self) -> str:
        """The 64-bit time rises evenly through a wrap of the 32-bit counter."""
        self._need_counter()
        hz = self._device.caps().hz
        period_s = 2**COUNTER_BITS / hz if hz else 0.0
        if not self._physical:
            raise _NotApplicable("virtual time does not pass with the host's")
        if not 0.0 < period_s <= MAX_WRAP_S:
            raise _NotApplicable(f"a wrap takes {period_s:.0f} s")
        device = self._device
        before = device.clock().count
        wanted = before // 2**COUNTER_BITS + 1
        begin_s = device.now_s()
        while before // 2**COUNTER_BITS < wanted:
            if device.now_s() - begin_s > WRAP_RESERVE * period_s + 1.0:
                raise DeviceError(f"no wrap in {device.now_s() - begin_s:.0f} s")
            device.listen(min(WRAP_PAUSE_S, period_s / 8))
            count = device.clock().count
            if not before < count < before + 2**COUNTER_BITS:
                raise DeviceError(f"the time went from {before} to {count}")
            before = count
        return f"seen after {device.now_s() - begin_s:.1f} s, the time went on"

    def _wire(self, wanted_bytes: int) -> str:
        """Inputs go in, each piece checked by the board, and records come out, checked here."""
        fast = self._job.board.console.fast_baud if self._physical else None
        slow = self._job.board.console.baud
        if fast is not None and not self._device.set_baud(fast, back_to=slow):
            raise DeviceError(f"the console does not work at {fast} bit/s")
        try:
            crossed, errors = self._exchange(wanted_bytes)
        finally:
            if fast is not None:
                self._device.set_baud(slow, back_to=fast)
        speed = "" if not self._physical else f" at {fast or slow} bit/s"
        if errors:
            raise DeviceError(f"{errors} damaged lines in {crossed} bytes{speed}")
        return f"{crossed} bytes{speed}, no damaged line"

    def _exchange(self, wanted_bytes: int) -> tuple[int, int]:
        """Bytes over the line in both directions, and lines that arrived damaged at either end."""
        log = self._device.log
        received, sent = len(log.received), len(log.sent)
        numbers = random.Random(SEED)
        size = self._device.caps().input_bytes
        crossed = 0
        while crossed < wanted_bytes:
            data = numbers.randbytes(size)
            self._device.upload(data)
            # A client that knows nothing asks anew: a long record in the other direction.
            Device(self._target.transport, log=log, timeouts=self._device.timeouts).caps()
            crossed = len(log.received) - received + sum(len(s.data) for s in log.sent[sent:])
        if self._device.kat(tensors=False).input_crc != zlib.crc32(data):
            raise DeviceError("the board's input is not what was sent to it")
        return crossed, _damaged(log.received[received:])

    def _restart(self) -> str:
        if self._job.board.kind == "host" or self._job.board.hosted:
            raise _NotApplicable("the firmware is a process of an operating system")
        fault = self._device.fault()
        self._device.reset()
        name = self._device.name()
        return f"{fault.kind} fault reported, {name} answers again after it and after a reset"

    def _power(self) -> list[Check]:
        """Edges and sleep, with an instrument; both do not apply without one."""
        names = ("marker edges at the instrument", "sleep current")
        if self._settings.power is None:
            reason = "no instrument: name one with --power"
            return [Check(name=name, verdict="not applicable", seen=reason) for name in names]
        if self._bench is None:
            reason = "the counter failed: there are no marks"
            return [Check(name=name, verdict="failed", seen=reason) for name in names]
        with tempfile.TemporaryDirectory(prefix="npubench-conformance-") as folder:
            session = measure_power(
                self._device,
                self._job,
                self._settings,
                self._bench,
                self._clock,
                folder=Path(folder) / "power",
                reporter=self._reporter,
            )
            if session is None:
                reason = "nothing was published of the part's power"
                return [Check(name=name, verdict="not applicable", seen=reason) for name in names]
            timing = Evidence.MEASURED if self._physical else Evidence.COUNTED
            record = energy_record(self._job, session, timing=timing)

        def edges() -> str:
            if record.verdict == "refused":
                raise DeviceError("; ".join(record.reasons))
            if record.edges == 0:
                raise DeviceError("no edge was seen: are the pins connected?")
            return f"{record.edges} edges matched the board's own record"

        def sleep() -> str:
            if record.idle_uw is None:
                raise DeviceError("no idle window was captured")
            return f"{record.idle_uw:.1f} uW at {record.voltage_mv or 0:.0f} mV in idle"

        return [self._check(name, step) for name, step in zip(names, (edges, sleep), strict=True)]

    def _need_counter(self) -> None:
        if self._device.caps().unit == "none":
            raise _NotApplicable("the board has no counter")


class _NotApplicable(Exception):
    """A check that this board, or this session, cannot have."""


def _damaged(received: bytes) -> int:
    """Lines that arrived damaged here, or that the board says arrived damaged there."""
    bad_crc = error_number("bad-crc")
    count = 0
    for raw in LineSplitter().feed(received):
        line = parse_line(raw)
        if isinstance(line, LostRecord) or (
            isinstance(line, ErrorLine) and (line.number == bad_crc or line.number is None)
        ):
            count += 1
    return count


def _toml_text(text: str) -> str:
    """Text for between quotes in TOML: no control characters, quotes and backslashes escaped."""
    plain = "".join(char for char in text if char.isprintable())
    return plain.replace("\\", "\\\\").replace('"', '\\"')
