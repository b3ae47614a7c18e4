"""The registers that foreign firmware sees: memory, but for what is described; and what it did."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from npubench.emulators.board_model.counting import Tally
from npubench.emulators.board_model.devices import Device, StTimer, StUsart
from npubench.emulators.board_model.foreign import ForeignPart, Rule
from npubench.emulators.board_model.psoc import Scb, TcpwmCounter

WORD = 0xFFFFFFFF
SPACE, SPACE_BYTES = 0x40000000, 0x20000000
BITBAND, BITBAND_BYTES = 0x42000000, 0x02000000
CYCCNT = 0xE0001004
IN_VAIN = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that may bound a timed window: a timer was read, a pin changed (``what``: its
    register and bits), a line began or ended on the console (``what``: its first byte, its text).
    """

    kind: Literal["timer", "pin", "line-begin", "line-end"]
    what: str
    at_instructions: int
    tally: Tally


@dataclass(slots=True, kw_only=True)
class Poll:
    """A register that is read again and again: by the instruction at ``pc``, ``count`` times
    without another register in between, and it always read ``value``."""

    address: int
    pc: int
    value: int
    count: int = 0


class ForeignRegisters:
    """All of a part's registers. ``now`` counts core cycles as far as the model knows them (one
    per instruction, and what was slept); ``count`` and ``tally`` give instructions so far,
    ``cycles_read`` how often CYCCNT was read, and both as of the last time;
    ``may_interrupt`` says whether an interrupt line would be heard.

    ``received`` is the console's queue; ``events`` what may bound a window, from ``watches`` on;
    ``poll`` what is polled right now; ``polled`` what was polled longest, by address and reader.
    """

    def __init__(
        self,
        part: ForeignPart,
        *,
        now: Callable[[], int],
        count: Callable[[], int],
        tally: Callable[[], Tally],
        cycles_read: Callable[[], tuple[int, int, Tally]],
        pc: Callable[[], int],
        may_interrupt: Callable[[int], bool],
        bitband: bool,
    ) -> None:
        self._part, self._now, self._count, self._tally, self._pc = part, now, count, tally, pc
        self._bitband, self._may_interrupt = bitband, may_interrupt
        self._cycles_read, self._cycle_reads = cycles_read, 0
        self.words: dict[int, int] = {}
        self.sent = bytearray()
        self.events: list[Event] = []
        self.watches = False
        self.wants_reset = self.wants_look = False
        self.poll = Poll(address=0, pc=0, value=0)
        self.polled: dict[tuple[int, int], Poll] = {}
        self._rules: dict[int, list[Rule]] = {}
        for rule in part.rules():
            self._rules.setdefault(rule.address, []).append(rule)
        self._devices: list[Device] = []
        self._by_page: dict[int, list[Device]] = {}
        self._pins = self._pin_actions()
        self.uarts: list[StUsart | Scb] = []
        self._console = 0
        self._line = bytearray()
        self.reset()

    def _pin_actions(self) -> dict[int, tuple[str, int]]:
        ports, actions = self._part.ports, {}
        if ports is None:
            return {}
        for index in range(ports.count):
            base = ports.base + index * ports.stride_bytes
            output = base + ports.output
            actions[output] = ("store", output)
            for kind in ("set_clear", "set", "clear"):
                offset = getattr(ports, kind)
                if offset is not None:
                    actions[base + offset] = (kind, output)
            actions[base + ports.input] = ("input", output)
        return actions

    def reset(self) -> None:
        """Every register as after reset; what is in flight on the console stays."""
        waiting = [byte for uart in self.uarts for byte in uart.received]
        self.words.clear()
        self.words.update({int(address, 16): word for address, word in self._part.reset.items()})
        self.wants_reset = self.wants_look = False
        self.uarts = [
            StUsart(part, self.words, self.sent)
            if part.kind == "st-usart"
            else Scb(part, self.words, self.sent)
            for part in self._part.uart
        ]
        self._devices = [
            *self.uarts,
            *(
                StTimer(part, self.words) if part.kind == "st" else TcpwmCounter(part, self.words)
                for part in self._part.timer
            ),
        ]
        self._by_page = {}
        for device in self._devices:
            self._by_page.setdefault(device.base >> 12, []).append(device)
        self.received.extend(waiting)
        self._line.clear()

    # --- what PoweredBoard asks of its registers -------------------------------------------------

    @property
    def console(self) -> StUsart | Scb:
        """The UART that the firmware has last sent on, before that the first."""
        return self.uarts[self._console]

    @property
    def received(self) -> deque[int]:
        """The queue of the console's receiver."""
        return self.console.received

    @property
    def idle_polls(self) -> int:
        """How often in a row it was asked in vain for a byte."""
        return self.console.empty_polls

    @idle_polls.setter
    def idle_polls(self, value: int) -> None:
        self.console.empty_polls = value

    def pages(self, page_bytes: int) -> tuple[tuple[int, int], ...]:
        """The whole peripheral space of the architecture."""
        del page_bytes
        return ((SPACE, SPACE_BYTES),)

    def read(self, address: int, size: int) -> int:
        """A load of 1, 2 or 4 bytes."""
        if self._bitband and BITBAND <= address < BITBAND + BITBAND_BYTES:
            word, bit = divmod((address - BITBAND) // 4, 32)
            return self.read(SPACE + 4 * word, 4) >> bit & 1
        place = address & ~3
        value = self._read_word(place)
        poll, pc = self.poll, self._pc()
        if poll.address == place and poll.value == value:
            poll.count += 1
            if poll.count == IN_VAIN:
                self.polled[place, pc] = Poll(address=place, pc=pc, value=value, count=IN_VAIN)
                self.wants_look = True
        else:
            self.poll = Poll(address=place, pc=pc, value=value)
        return (value >> (8 * (address & 3))) & ((1 << (8 * size)) - 1)

    def _read_word(self, place: int) -> int:
        for device in self._by_page.get(place >> 12, ()):
            if 0 <= place - device.base < device.size_bytes:
                now = self._now()
                found = device.read(place - device.base, now)
                if found is not None:
                    if not isinstance(device, StUsart | Scb):
                        self._note("timer", f"{place:#010x}")
                    return found
        action = self._pins.get(place)
        if action is not None and action[0] == "input":
            value = self.words.get(place, 0) | self.words.get(action[1], 0)
        else:
            value = self.words.get(place, 0)
        for rule in self._rules.get(place, ()):
            bits = rule.value
            if rule.source is not None:
                bits = self.words.get(rule.source[0], 0) >> rule.source[1] & rule.mask
            value = value & ~(rule.mask << rule.low) | bits << rule.low
        return value

    def write(self, address: int, size: int, value: int) -> None:
        """A store of 1, 2 or 4 bytes."""
        if self._bitband and BITBAND <= address < BITBAND + BITBAND_BYTES:
            word, bit = divmod((address - BITBAND) // 4, 32)
            before = self.words.get(SPACE + 4 * word, 0)
            self.write(SPACE + 4 * word, 4, before & ~(1 << bit) | (value & 1) << bit)
            return
        self.poll.count = 0
        place = address & ~3
        action, target = self._pins.get(place, ("", place))
        if size < 4 and action in ("", "store"):
            shift = 8 * (address & 3)
            mask = ((1 << (8 * size)) - 1) << shift
            value = self.words.get(place, 0) & ~mask | (value << shift) & mask
        elif size < 4:
            value <<= 8 * (address & 3)
        if action and action != "input":
            self._drive(action, target, value)
            return
        devices = [
            device
            for device in self._by_page.get(place >> 12, ())
            if 0 <= place - device.base < device.size_bytes
        ]
        length = len(self.sent)
        kept = True
        for device in devices:
            if device.write(place - device.base, value, self._now()):
                kept = False
            if len(self.sent) != length and isinstance(device, StUsart | Scb):
                self._console = self.uarts.index(device)
        if kept:
            self.words[place] = value & WORD
        if len(self.sent) != length:
            self._note_line(self.sent[-1])
        for device in devices:
            if device.asks(self._now()) and self._may_interrupt(device.irq):
                self.wants_look = True

    def _drive(self, action: str, target: int, value: int) -> None:
        before = self.words.get(target, 0)
        after = {
            "store": value,
            "set": before | value,
            "clear": before & ~value,
            "set_clear": before & ~(value >> 16) | value & 0xFFFF,
        }[action] & WORD
        self.words[target] = after
        if after != before:
            rise, fall = after & ~before, before & ~after
            self._note("pin", f"{target:#010x} +{rise:#x} -{fall:#x}")

    def _note_line(self, byte: int) -> None:
        if byte == 0x0A:
            self._note("line-end", self._line.decode("ascii", "replace").strip())
            self._line.clear()
            return
        if not self._line:
            self._note("line-begin", chr(byte))
        self._line.append(byte)

    def _note(self, kind: Literal["timer", "pin", "line-begin", "line-end"], what: str) -> None:
        if not self.watches:
            return
        reads, at, tally = self._cycles_read()
        if reads != self._cycle_reads:  # CYCCNT, which is read without coming by here
            self._cycle_reads = reads
            self.events.append(
                Event(kind="timer", what=f"{CYCCNT:#010x}", at_instructions=at, tally=tally)
            )
        self.events.append(
            Event(kind=kind, what=what, at_instructions=self._count(), tally=self._tally())
        )

    # --- interrupts ------------------------------------------------------------------------------

    def asking(self) -> set[int]:
        """The interrupt lines that are high now."""
        now = self._now()
        return {device.irq for device in self._devices if device.asks(now)}

    def due(self) -> int | None:
        """When the next line rises by itself."""
        now = self._now()
        return min(
            (at for device in self._devices if (at := device.due(now)) is not None), default=None
        )
