"""The registers of a modelled board: what is read, what a write does, the console, the pins."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from npubench.emulators.board_model.description import (
    BitField,
    Block,
    Condition,
    ReadRule,
    RegisterModel,
    parse_field,
    parse_read,
)

WORD = 0xFFFFFFFF
ALIAS_BYTES = 0x1000
NEAR, WAITING, LEAP = 32, 10_000, 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A change of the marker pins: at which instruction, and the levels from then on.

    ``timestamp`` and ``code`` are None where the pins are not set up as outputs.
    """

    at_instructions: int
    timestamp: bool | None
    code: int | None


class Registers:
    """One block: a word per register, and the rules of its description."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.words: dict[int, int] = {}
        self._reads: dict[int, list[ReadRule]] = {}
        for text in block.reads:
            rule = parse_read(text, block.name)
            self._reads.setdefault(rule.field.offset, []).append(rule)
        self._actions: dict[int, tuple[str, int]] = {}
        for kind in ("set", "clear", "toggle", "set_clear"):
            for source, target in getattr(block, kind).items():
                self._actions[int(source, 16)] = (kind, int(target, 16))
        self.reset()

    def reset(self) -> None:
        """As after reset."""
        self.words = {int(offset, 16): value for offset, value in self.block.reset.items()}

    def read(self, offset: int, stored: Callable[[BitField], int]) -> int:
        """The word at ``offset``; ``stored`` gives what was written to a field."""
        word = self.words.get(offset, 0)
        for rule in self._reads.get(offset, ()):
            value = rule.value if rule.source is None else stored(rule.source)
            field = rule.field
            if rule.how == "one-hot":
                value = 1 << value
            elif rule.how == "not":
                value = ~value
            word &= ~(field.mask << field.low)
            word |= (value & field.mask) << field.low
        return word & WORD

    def write(self, offset: int, value: int) -> None:
        """Store a word, or do what a register of actions does."""
        kind, target = self._actions.get(offset, ("", offset))
        before = self.words.get(target, 0)
        if kind == "set":
            value = before | value
        elif kind == "clear":
            value = before & ~value
        elif kind == "toggle":
            value = before ^ value
        elif kind == "set_clear":
            value = (before & ~(value >> 16)) | (value & 0xFFFF)
        self.words[target] = value & WORD


class Peripherals:
    """All blocks of a board. ``now`` gives the instruction count, for the pins' record.

    ``received``: bytes on their way to the firmware. ``sent``: bytes that it sent. ``lost``: the
    reasons why bytes were lost. ``undescribed``: addresses that were touched without being in the
    description. ``idle_polls``: how often in a row it was asked in vain for a byte.
    ``on_count``: called when the timer that stands for a cycle counter is read; ``slept``: the
    cycles that the core slept, in which that timer went on.
    ``wants_reset``: the firmware asked for a reset through a peripheral. ``wants_look``: an
    interrupt may have become due.
    """

    def __init__(self, model: RegisterModel, now: Callable[[], int]) -> None:
        self.received: deque[int] = deque()
        self.sent = bytearray()
        self.lost: list[str] = []
        self.undescribed: list[int] = []
        self.edges: list[Edge] = []
        self.idle_polls = 0
        self.wants_reset = self.wants_look = False
        self._now = now
        self._found: dict[int, tuple[str, int, int] | None] = {}
        self._counter = None if model.counter is None else parse_field(model.counter, "")
        self._counted, self._counter_polls, self._ahead = 0, 0, 0
        self.on_count: Callable[[], None] | None = None
        self.slept: Callable[[], int] = lambda: 0
        self._reset_field = None if model.reset is None else parse_field(model.reset, "")
        self._blocks = {block.name: Registers(block) for block in model.block}
        self._spans = sorted(_spans(model))
        self._gates = {b.name: model.conditions(b.needs, b.name) for b in model.block}
        console = model.console
        self._transmit = parse_field(console.transmit, "")
        self._receive = parse_field(console.receive, "")
        self._console_needs = model.conditions(console.needs, "")
        self._polls: dict[tuple[str, int], list[tuple[BitField, int]]] = {}
        for texts, waiting in ((console.received, 1), (console.empty, 0)):
            for text in texts:
                field = parse_field(text, "")
                key = (field.block, field.offset)
                self._polls.setdefault(key, []).append((field, waiting))
        markers = model.markers
        self._timestamp = None if markers is None else parse_field(markers.timestamp, "")
        self._codes = () if markers is None else tuple(parse_field(t, "") for t in markers.codes)
        self._marker_needs = () if markers is None else model.conditions(markers.needs, "")
        self._marker_blocks = {c.field.block for c in self._marker_needs}
        if self._timestamp is not None:
            self._marker_blocks |= {f.block for f in (self._timestamp, *self._codes)}

    def reset(self) -> None:
        """Every register as after reset; what is in flight on the console stays."""
        self.wants_reset = False
        for registers in self._blocks.values():
            registers.reset()
        self._note_pins()

    def pages(self, page_bytes: int) -> tuple[tuple[int, int], ...]:
        """Ranges (base, size) of whole pages that hold registers, joined where they touch."""
        numbers: set[int] = set()
        for start, end, _, _ in self._spans:
            numbers |= set(range(start // page_bytes, (end - 1) // page_bytes + 1))
        ranges: list[list[int]] = []
        for number in sorted(numbers):
            if ranges and ranges[-1][0] + ranges[-1][1] == number * page_bytes:
                ranges[-1][1] += page_bytes
            else:
                ranges.append([number * page_bytes, page_bytes])
        return tuple((base, size) for base, size in ranges)

    def read(self, address: int, size: int) -> int:
        """A load of 1, 2 or 4 bytes."""
        found = self._find(address)
        if found is None:
            return 0
        name, offset, _ = found
        shift = 8 * (offset & 3)
        offset &= ~3
        if not self.holds(self._gates[name]):
            return 0
        waits = bool(self.received)
        polls = self._polls.get((name, offset), ())
        if (name, offset) == (self._receive.block, self._receive.offset):
            word = self.received.popleft() if waits else 0
            self.idle_polls = self.idle_polls if polls else 0
        elif self._counter is not None and (name, offset) == self._counter_place:
            word = self._count()
        else:
            word = self._blocks[name].read(offset, self._stored)
        for field, waiting in polls:
            bit = waiting if waits else 1 - waiting
            word = (word & ~(field.mask << field.low)) | (bit << field.low)
        if polls:
            self.idle_polls = 0 if waits else self.idle_polls + 1
        return (word >> shift) & ((1 << (8 * size)) - 1)

    def write(self, address: int, size: int, value: int) -> None:
        """A store of 1, 2 or 4 bytes."""
        found = self._find(address)
        if found is None:
            return
        name, offset, action = found
        if not self.holds(self._gates[name]):
            return
        if (name, offset & ~3) == (self._transmit.block, self._transmit.offset):
            self._send(value & 0xFF)
            return
        registers = self._blocks[name]
        if size < 4:
            shift = 8 * (offset & 3)
            mask = ((1 << (8 * size)) - 1) << shift
            value = (registers.words.get(offset & ~3, 0) & ~mask) | ((value << shift) & mask)
        offset &= ~3
        if action:
            before = registers.words.get(offset, 0)
            value = {1: before ^ value, 2: before | value, 3: before & ~value}[action]
        registers.write(offset, value)
        if self._reset_field is not None and name == self._reset_field.block:
            self.wants_reset = bool(self._stored(self._reset_field))
        if name in self._marker_blocks:
            self._note_pins()

    @property
    def _counter_place(self) -> tuple[str, int] | None:
        return None if self._counter is None else (self._counter.block, self._counter.offset)

    def _count(self) -> int:
        """What the timer reads: instructions. Firmware that does nothing but ask it waits: then it
        runs ahead, as CYCCNT does (counting.c)."""
        now = self._now()
        if self.on_count is not None:
            self.on_count()
        near = now - self._counted <= NEAR
        self._counter_polls, self._counted = self._counter_polls + 1 if near else 0, now
        if self._counter_polls > WAITING:
            self._ahead += LEAP
        return now + self.slept() + self._ahead & WORD

    def value(self, field: str) -> int:
        """What a field reads as, for tests: ``rcc.0x00[25]``."""
        return self.look(parse_field(field, ""))

    def look(self, field: BitField) -> int:
        """What a field reads as."""
        word = self._blocks[field.block].read(field.offset, self._stored)
        return (word >> field.low) & field.mask

    def _stored(self, field: BitField) -> int:
        word = self._blocks[field.block].words.get(field.offset, 0)
        return (word >> field.low) & field.mask

    def holds(self, conditions: tuple[Condition, ...]) -> bool:
        """Whether fields have the values that they must have."""
        return all(self.look(c.field) == c.value for c in conditions)

    def _find(self, address: int) -> tuple[str, int, int] | None:
        if address in self._found:
            return self._found[address]
        found = None
        for start, end, name, action in self._spans:
            if start <= address < end:
                found = name, address - start, action
        if found is None:
            self.undescribed.append(address)
        self._found[address] = found
        return found

    def _send(self, byte: int) -> None:
        self.idle_polls = 0
        for condition in self._console_needs:
            if self.look(condition.field) != condition.value:
                reason = f"{condition.text} does not hold"
                if reason not in self.lost:
                    self.lost.append(reason)
                return
        self.sent.append(byte)

    def _note_pins(self) -> None:
        if self._timestamp is None:
            return
        timestamp: bool | None = None
        code: int | None = None
        if self.holds(self._marker_needs):
            timestamp = bool(self.look(self._timestamp))
            code = sum(self.look(field) << bit for bit, field in enumerate(self._codes))
        last = self.edges[-1] if self.edges else None
        if last is None or (last.timestamp, last.code) != (timestamp, code):
            self.edges.append(Edge(at_instructions=self._now(), timestamp=timestamp, code=code))


def _spans(model: RegisterModel) -> list[tuple[int, int, str, int]]:
    """(start, end, block, action): action 1 toggles, 2 sets, 3 clears, 0 stores."""
    found = []
    for block in model.block:
        copies = 4 if block.aliases == "toggle-set-clear" else 1
        for action in range(copies):
            start = block.base + action * ALIAS_BYTES
            found.append((start, start + block.size_bytes, block.name, action))
    return found
