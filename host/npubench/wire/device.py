"""The client of a board: npubench's extension, with MLPerf Tiny's base commands to fall back on."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from typing import Literal

from npubench.transport.failure import DeviceSilent
from npubench.transport.interface import Transport
from npubench.transport.session_log import SessionLog
from npubench.wire.answers import (
    Answer,
    BenchResult,
    Burst,
    Caps,
    ClockSample,
    InferResult,
    KatResult,
    LayersResult,
    MemResult,
    OpCount,
    Profile,
    Rep,
    SelfTestResult,
    TensorCrc,
    burst_of,
    caps_of,
    crc,
    fault_of,
    integer,
    integers,
    mem_of,
    op_of,
    rep_of,
)
from npubench.wire.conversation import Conversation, Timeouts
from npubench.wire.failure import DeviceFault, ProtocolNewer, RecordBroken, RecordLost
from npubench.wire.fault import Fault
from npubench.wire.identity import expect_firmware
from npubench.wire.protocol import DB_BYTES, DBC_BYTES, VERSION, error_number
from npubench.wire.record import Line, Record
from npubench.wire.reply import (
    Reply,
    bracketed,
    expect_upload,
    kat_of,
    laps_of,
    loss,
    missing,
    raise_error,
    refusal,
    results_of,
    shown,
)

__all__ = [
    "Answer",
    "BenchResult",
    "Burst",
    "Caps",
    "ClockSample",
    "Device",
    "Fault",
    "InferResult",
    "KatResult",
    "LayersResult",
    "MemResult",
    "OpCount",
    "Profile",
    "Rep",
    "SelfTestResult",
    "TensorCrc",
    "expect_firmware",
]

log = logging.getLogger(__name__)

ATTEMPTS = 3


class Device:
    """A board behind an open transport.

    Every method sends one command, or a few, and raises a DeviceError of the kind in
    ``wire/failure.py`` that says what went wrong. What only asks is asked again, up to three times,
    when a line of its answer was lost; a measurement is never repeated, it says what it lost.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        log: SessionLog | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.log = log if log is not None else SessionLog()
        self.timeouts = timeouts if timeouts is not None else Timeouts()
        self.banner: tuple[str, ...] = ()
        self._talk = Conversation(transport, self.log)
        self._transport = transport
        self._caps: Caps | None = None

    # --- start-up --------------------------------------------------------------------------------

    def wait_boot(self) -> None:
        """Wait for the boot banner of a board that was just started."""
        reply = self._talk.collect(
            "start-up",
            silence_s=self.timeouts.boot_silence_s,
            deadline_s=self.timeouts.boot_deadline_s,
            restarts=True,
        )
        self.banner = reply.texts("")

    def sync(self) -> None:
        """Find the common start with a board that may be running, booting or half way in a command.

        Waits for a quiet line, then asks for ``name`` until it is answered.
        """
        reply = self._talk.drain(
            quiet_s=self.timeouts.drain_s, deadline_s=self.timeouts.boot_deadline_s
        )
        self.banner = reply.texts("")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                reply = self._short("name", restarts=None)
            except DeviceSilent:
                if attempt == ATTEMPTS:
                    raise
                continue
            if reply.texts("m-name-dut-["):
                if attempt > 1:
                    self._talk.drain(quiet_s=self.timeouts.drain_s, deadline_s=1.0)
                return
            log.debug("the board is out of step: it answered name with %s", reply.lines)
        raise RecordBroken(
            f"the board does not say its name, it says {shown(reply)}",
            hint="does it run firmware that speaks MLPerf Tiny's protocol?",
        )

    def listen(self, seconds: float) -> None:
        """Let time pass, taking in what the board may say unasked."""
        self._talk.listen(seconds)

    def now_s(self) -> float:
        """The transport's time in seconds, by which the limits run."""
        return self._transport.now_s()

    def describe(self) -> str:
        """What the device is connected through."""
        return self._transport.describe()

    # --- identity --------------------------------------------------------------------------------

    def caps(self) -> Caps:
        """Who answers; ``proto`` is 0 for firmware that knows only MLPerf's base commands.

        Raises ProtocolNewer when the firmware's protocol is newer than this client's.
        """
        if self._caps is None:
            self._caps = self._ask_caps()
        return self._caps

    def name(self) -> str:
        """MLPerf's vendor name of the device."""
        return bracketed(self._base("name"), "m-name-dut-", "name")

    def profile(self) -> Profile:
        """MLPerf's profile: name, firmware string and model string."""
        reply = self._base("profile")
        return Profile(
            name=self.name(),
            firmware=bracketed(reply, "m-profile-", "profile"),
            model=bracketed(reply, "m-model-", "profile"),
        )

    # --- input -----------------------------------------------------------------------------------

    def seed(self, seed: int) -> int:
        """Fill the input from a seed, on the device; the CRC-32 of the raw input."""
        record = self._one(f"seed {seed}", "seed")
        if integer(record, "seed") != seed:
            raise RecordBroken(f"the board took seed {integer(record, 'seed')} for {seed}")
        return crc(record, "crc")

    def upload(self, data: bytes) -> None:
        """Put ``data`` (raw bytes of the network's input) into the device, 64 bytes a command,
        each checked by its CRC and sent again when it does not arrive whole.

        On firmware without the extension, ``data`` goes through ``db``: then it must be what
        MLPerf's data set holds for the model.
        """
        if not self.caps().is_extended:
            self.upload_base(data)
            return
        for offset in range(0, len(data), DBC_BYTES):
            chunk = data[offset : offset + DBC_BYTES]
            command = f"dbc {offset} {zlib.crc32(chunk):08x} {chunk.hex()}"
            for attempt in range(1, ATTEMPTS + 1):
                error = self._short(command).error
                if error is None:
                    break
                final = error.number == error_number("out-of-range")
                if attempt == ATTEMPTS or final:
                    raise refusal(command.split(" ")[0], error.number, error.text)

    def upload_base(self, data: bytes) -> None:
        """Upload through MLPerf's ``db``, 31 bytes a command, as MLCommons' runner does."""
        expect_upload(self._base(f"db load {len(data)}"), len(data))
        reply = Reply(lines=())
        for offset in range(0, len(data), DB_BYTES):
            reply = self._base(f"db {data[offset : offset + DB_BYTES].hex()}")
        if data and not reply.texts("m-load-done"):
            raise RecordBroken(
                f"the board did not confirm the upload of {len(data)} bytes (no m-load-done)",
                hint="bytes were lost: lower the speed, or check the cable",
            )

    # --- measurements ----------------------------------------------------------------------------

    def bench(
        self, repetitions: int, warmups: int, *, on_rep: Callable[[Rep], None] | None = None
    ) -> BenchResult:
        """Every stage of every repetition, raw. Records that were lost are named in the result."""

        def heard(line: Line) -> None:
            if on_rep is not None and isinstance(line, Record) and line.kind == "rep":
                on_rep(rep_of(line))

        reply = self._window(f"bench {repetitions} {warmups}", on_line=heard)
        lost: list[str] = []
        selftest = self._optional(reply, "selftest", lost)
        window = self._optional(reply, "window", lost)
        cold = self._optional(reply, "init", lost)
        reps = tuple(rep_of(record) for record in reply.records("rep"))
        lost += [f"rep {index}" for index in missing((rep.index for rep in reps), repetitions)]
        answer = self._optional(reply, "answer", lost)
        return BenchResult(
            selftest=None
            if selftest is None
            else SelfTestResult(iterations=integers(selftest, "n"), counts=integers(selftest, "c")),
            window=None if window is None else integers(window, "c"),
            init_cold=None if cold is None else integer(cold, "cold"),
            reps=reps,
            answer=None
            if answer is None
            else Answer(index=integer(answer, "index"), milli=integer(answer, "milli")),
            lost=tuple(lost),
        )

    def layers(self, repetitions: int) -> LayersResult:
        """Raw counts of each operator in each repetition. Lost records are named in the result."""
        ops = self.caps().ops
        reply = self._window(f"layers {repetitions}")
        counts = tuple(
            sorted(map(op_of, reply.records("op")), key=lambda count: (count.rep, count.op))
        )
        places = (count.rep * ops + count.op for count in counts)
        lost = tuple(
            f"op {place % ops} of repetition {place // ops}"
            for place in missing(places, repetitions * ops)
        )
        return LayersResult(counts=counts, lost=lost)

    def burst(self, code: int, repeats: int, hold_us: int) -> Burst:
        """One marked window of a stage, repeated; its times by the board's counter. Never asked
        twice: a record that is lost leaves marks that nobody can place. Raises RecordLost."""
        reply = self._window(f"burst {code} {repeats} {hold_us}")
        records = reply.records("burst")
        if not records:
            raise loss("burst", ("burst",))
        return burst_of(records[0])

    def kat(self, *, tensors: bool = False) -> KatResult:
        """Run the network once: CRCs of input and output, the output; ``tensors``: of each op.

        Asked again when lines are lost: it measures nothing and is deterministic. A tensor that is
        missing twice is one that the board does not have."""
        command = "kat layers" if tensors else "kat"
        caps = self.caps()
        before: list[int] | None = None
        for _ in range(ATTEMPTS):
            result, lost = kat_of(self._window(command), caps)
            if result is not None:
                absent = missing((item.op for item in result.tensors), caps.ops)
                if not tensors or not absent or absent == before:
                    return result
                before = absent
                lost = [f"tensor {op}" for op in absent]
            log.warning("lacking in the answer to %s: %s", command, ", ".join(lost))
        raise loss(command, lost)

    def mem(self) -> MemResult:
        """The stack's high-water mark and the arena."""
        return mem_of(self._one("mem", "mem"))

    def clock(self) -> ClockSample:
        """The board's counter, and the host's time before and after. Never asked twice."""
        begin_s = self.now_s()
        reply = self._short("clock")
        end_s = self.now_s()
        raise_error(reply, "clock")
        records = reply.records("clock")
        if not records:
            raise loss("clock", ("clock",))
        return ClockSample(sent_s=begin_s, received_s=end_s, count=integer(records[0], "c"))

    # --- state -----------------------------------------------------------------------------------

    def mode(self, mode: Literal["energy", "performance"]) -> None:
        """Choose how timestamps are given; kept over a reset."""
        reply = self._base(f"mode {mode}")
        if bracketed(reply, "m-mode-", "mode") != mode:
            raise RecordBroken(f"the board did not go into {mode} mode: {shown(reply)}")

    def set_baud(self, baud: int, *, back_to: int) -> bool:
        """Change the console's speed on both sides. False when the board or the line cannot: then
        both run at ``back_to``, the present speed, again."""
        reply = self._short(f"baud {baud}")
        if reply.error is not None:
            return False
        self._transport.set_baud(baud)
        try:
            reply = self._short("name", silence_s=min(1.0, self.timeouts.short_silence_s))
            if reply.texts("m-name-dut-["):
                return True
        except DeviceSilent:
            pass
        log.warning("the board does not answer at %d baud: back to %d", baud, back_to)
        self._transport.set_baud(back_to)
        self._talk.drain(quiet_s=2.5, deadline_s=10.0)
        self.sync()
        return False

    def fault(self) -> Fault:
        """Provoke an undefined instruction and return the record of the fault handler."""
        reply = self._restart("fault")
        records = reply.records("fault")
        if not records:
            raise loss("fault", ("fault",))
        return fault_of(records[0])

    def reset(self) -> None:
        """Restart the board and wait for its banner."""
        reply = self._restart("reset")
        if reply.records("fault"):
            raise DeviceFault(f"in the restart: {fault_of(reply.records('fault')[0]).describe()}")

    # --- MLPerf Tiny -----------------------------------------------------------------------------

    def timestamp(self) -> int | None:
        """MLPerf's time in microseconds (32 bits); None in energy mode, where a pin pulses."""
        laps = laps_of(self._base("timestamp"))
        return laps[0] if laps else None

    def infer(self, repetitions: int, warmups: int) -> InferResult:
        """MLPerf's ``infer``: the time between its two timestamps, wrap included, and results."""
        reply = self._window(f"infer {repetitions} {warmups}")
        laps = laps_of(reply)
        if len(laps) not in (0, 2):
            raise RecordLost(f"infer gave {len(laps)} timestamps instead of two")
        return InferResult(
            elapsed_us=(laps[1] - laps[0]) % (1 << 32) if laps else None,
            results_milli=results_of(reply, "infer"),
        )

    def results(self) -> tuple[int, ...]:
        """The results of the last inference, in thousandths."""
        return results_of(self._base("results"), "results")

    # --- in the house ----------------------------------------------------------------------------

    def _ask_caps(self) -> Caps:
        for _ in range(ATTEMPTS):
            reply = self._short("caps")
            if reply.error is not None and reply.error.text == "Unknown command: caps":
                profile = self.profile()
                return Caps(
                    proto=0, firmware=f"{profile.name} ({profile.firmware})", model=profile.model
                )
            records = reply.records("caps")
            if not records:
                continue
            proto = integer(records[0], "proto")
            if proto > VERSION:
                raise ProtocolNewer(
                    f"the firmware speaks protocol {proto}, this npubench knows {VERSION}",
                    hint="update npubench, or flash the board again with this one",
                )
            return caps_of(records[0])
        raise_error(reply, "caps")
        raise loss("caps", ("caps",))

    def _one(self, command: str, kind: str) -> Record:
        """The one record that answers a question; asked again when it was lost."""
        for _ in range(ATTEMPTS):
            reply = self._short(command)
            records = reply.records(kind)
            if records:
                return records[0]
            if not reply.damaged_count:
                raise_error(reply, command)
        raise loss(command, (kind,))

    def _base(self, command: str) -> Reply:
        reply = self._short(command)
        raise_error(reply, command)
        return reply

    def _short(
        self, command: str, *, silence_s: float | None = None, restarts: bool | None = False
    ) -> Reply:
        return self._talk.exchange(
            command,
            silence_s=silence_s or self.timeouts.short_silence_s,
            deadline_s=self.timeouts.short_deadline_s,
            restarts=restarts,
        )

    def _window(self, command: str, *, on_line: Callable[[Line], None] | None = None) -> Reply:
        reply = self._talk.exchange(
            command,
            silence_s=self.timeouts.window_silence_s,
            deadline_s=self.timeouts.window_deadline_s,
            on_line=on_line,
        )
        raise_error(reply, command)
        if reply.damaged_count:
            log.warning("%d damaged lines in the answer to %s", reply.damaged_count, command)
        return reply

    def _restart(self, command: str) -> Reply:
        reply = self._talk.exchange(
            command,
            silence_s=self.timeouts.boot_silence_s,
            deadline_s=self.timeouts.boot_deadline_s,
            restarts=True,
        )
        self.banner = reply.texts("")
        return reply

    def _optional(self, reply: Reply, kind: str, lost: list[str]) -> Record | None:
        records = reply.records(kind)
        if records:
            return records[0]
        lost.append(kind)
        return None
