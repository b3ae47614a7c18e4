"""What a board answers, typed: one dataclass for each kind of record, made from its fields.

A missing or ill-typed field raises RecordBroken; fields that are not known are ignored, but for
those of ``caps``, which are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from npubench.wire.failure import RecordBroken
from npubench.wire.fault import Fault
from npubench.wire.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Who answers. ``proto`` 0: firmware with MLPerf Tiny's base commands only, of which just
    ``firmware`` and ``model`` are known.

    ``unit``: what one count is (cycles, ticks, none); ``hz``: counts per second, 0 if unknown;
    ``markers``: number of stage-code pins; ``extra``: fields of a newer firmware.
    """

    proto: int
    firmware: str
    board: str = ""
    backend: str = ""
    model: str = ""
    artifact: str = ""
    build: str = ""
    unit: str = "none"
    hz: int = 0
    bits: int = 32
    ops: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    arena_bytes: int = 0
    post: str = ""
    markers: int = 0
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_extended(self) -> bool:
        """Whether the firmware knows npubench's extension of the protocol."""
        return self.proto > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """MLPerf's identity of a device under test: vendor name, firmware string, model string."""

    name: str
    firmware: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InferResult:
    """MLPerf's ``infer``. ``elapsed_us`` is None in energy mode; ``results`` in thousandths."""

    elapsed_us: int | None
    results_milli: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestResult:
    """Loops of known length: ``iterations`` of each and its ``counts``."""

    iterations: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rep:
    """One repetition: raw counts of each stage; ``outer`` is one window around load to post.

    ``gap``: counts within ``outer`` that went into marker pulses, 0 where there are no markers.
    ``npu``: on boards with an NPU the number of the set of events, then what its driver counted in
    ``infer``: cycles, and the events of the set.
    """

    index: int
    init: int
    load: int
    infer: int
    unload: int
    post: int
    outer: int
    gap: int = 0
    npu: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the network says: the index of the best class (or 0), and its score times 1000."""

    index: int
    milli: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """What ``bench`` brought. ``lost`` names each record that did not arrive; empty = all did."""

    selftest: SelfTestResult | None
    window: tuple[int, ...] | None
    init_cold: int | None
    reps: tuple[Rep, ...]
    answer: Answer | None
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """One marked window. Times are readings of the board's 64-bit counter: the level rose, the work
    began and ended, the level fell. ``slept``: an idle in which the board truly slept."""

    code: int
    repeats: int
    slept: bool
    up: int
    begin: int
    end: int
    down: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpCount:
    """Raw count of operator ``op`` in repetition ``rep``; ``npu_cycles`` where there is an NPU."""

    rep: int
    op: int
    count: int
    npu_cycles: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersResult:
    """What ``layers`` brought, in order of repetition and operator; ``lost`` as in BenchResult."""

    counts: tuple[OpCount, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorCrc:
    """The output of operator ``op``: its size in bytes and the CRC-32 of its bytes."""

    op: int
    size_bytes: int
    crc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KatResult:
    """The known-answer test: CRC-32 of input and output, the output's bytes, and, where asked
    for, the output tensor of each operator that has one in memory (inside an NPU's job none has).
    """

    input_crc: int
    output_crc: int
    output: bytes
    tensors: tuple[TensorCrc, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemResult:
    """Memory in use, in bytes: the stack's high-water mark and size, the arena."""

    stack_used_bytes: int
    stack_size_bytes: int
    arena_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSample:
    """One reading of the board's 64-bit counter, between two host times (seconds)."""

    sent_s: float
    received_s: float
    count: int


def integer(record: Record, key: str) -> int:
    """A whole number of a record. Raises RecordBroken when it is not there or not one."""
    value = record.fields.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _broken(record, key, "a whole number")
    return value


def integers(record: Record, key: str) -> tuple[int, ...]:
    """A list of whole numbers of a record. Raises RecordBroken."""
    value = record.fields.get(key)
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        raise _broken(record, key, "a list of whole numbers")
    return tuple(value)


def text(record: Record, key: str) -> str:
    """A string of a record. Raises RecordBroken when it is not there or not one."""
    value = record.fields.get(key)
    if not isinstance(value, str):
        raise _broken(record, key, "a string")
    return value


def crc(record: Record, key: str) -> int:
    """A CRC of a record, written as eight hex digits. Raises RecordBroken."""
    value = text(record, key)
    try:
        return int(value, 16)
    except ValueError as error:
        raise _broken(record, key, "a CRC in hex") from error


def hex_bytes(record: Record, key: str) -> bytes:
    """Bytes of a record, written in hex. Raises RecordBroken."""
    try:
        return bytes.fromhex(text(record, key))
    except ValueError as error:
        raise _broken(record, key, "bytes in hex") from error


_CAPS_KEYS = {
    "t",
    "proto",
    "firmware",
    "board",
    "backend",
    "model",
    "artifact",
    "build",
    "unit",
    "hz",
    "bits",
    "ops",
    "in",
    "out",
    "arena",
    "post",
    "markers",
}


def caps_of(record: Record) -> Caps:
    """The ``caps`` record."""
    return Caps(
        proto=integer(record, "proto"),
        firmware=text(record, "firmware"),
        board=text(record, "board"),
        backend=text(record, "backend"),
        model=text(record, "model"),
        artifact=text(record, "artifact"),
        build=text(record, "build"),
        unit=text(record, "unit"),
        hz=integer(record, "hz"),
        bits=integer(record, "bits"),
        ops=integer(record, "ops"),
        input_bytes=integer(record, "in"),
        output_bytes=integer(record, "out"),
        arena_bytes=integer(record, "arena"),
        post=text(record, "post"),
        markers=integer(record, "markers"),
        extra={key: value for key, value in record.fields.items() if key not in _CAPS_KEYS},
    )


def rep_of(record: Record) -> Rep:
    """A ``rep`` record."""
    return Rep(
        index=integer(record, "i"),
        init=integer(record, "init"),
        load=integer(record, "load"),
        infer=integer(record, "infer"),
        unload=integer(record, "unload"),
        post=integer(record, "post"),
        outer=integer(record, "outer"),
        gap=integer(record, "gap") if "gap" in record.fields else 0,
        npu=integers(record, "npu") if "npu" in record.fields else (),
    )


def burst_of(record: Record) -> Burst:
    """A ``burst`` record."""
    return Burst(
        code=integer(record, "code"),
        repeats=integer(record, "n"),
        slept=integer(record, "slept") != 0,
        up=integer(record, "up"),
        begin=integer(record, "begin"),
        end=integer(record, "end"),
        down=integer(record, "down"),
    )


def op_of(record: Record) -> OpCount:
    """An ``op`` record."""
    return OpCount(
        rep=integer(record, "r"),
        op=integer(record, "i"),
        count=integer(record, "c"),
        npu_cycles=integer(record, "npu") if "npu" in record.fields else None,
    )


def tensor_of(record: Record) -> TensorCrc:
    """A ``tensor`` record."""
    return TensorCrc(
        op=integer(record, "i"), size_bytes=integer(record, "bytes"), crc=crc(record, "crc")
    )


def mem_of(record: Record) -> MemResult:
    """The ``mem`` record."""
    return MemResult(
        stack_used_bytes=integer(record, "stack_used"),
        stack_size_bytes=integer(record, "stack_size"),
        arena_bytes=integer(record, "arena"),
    )


def fault_of(record: Record) -> Fault:
    """A ``fault`` record."""
    return Fault(
        kind=text(record, "kind"),
        pc=integer(record, "pc"),
        lr=integer(record, "lr"),
        psr=integer(record, "psr"),
        cfsr=integer(record, "cfsr"),
        hfsr=integer(record, "hfsr"),
        addr=integer(record, "addr"),
    )


def _broken(record: Record, key: str, what: str) -> RecordBroken:
    found = record.fields.get(key, "nothing")
    return RecordBroken(
        f"the board's {record.kind or 'unnamed'} record has {found!r} as {key!r}, not {what}",
        hint="the firmware does not keep to docs/wire-protocol.md",
    )
