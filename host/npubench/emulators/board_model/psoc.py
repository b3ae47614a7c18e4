"""PSoC 6: the serial block (SCB) in UART mode, and a TCPWM counter.

Registers: PSoC 6 MCU CY8C62x8/A registers technical reference manual, chapters SCB and TCPWM.
"""

from __future__ import annotations

from collections import deque

from npubench.emulators.board_model.foreign import Timer, Uart

EMPTY = 0xFFFFFFFF
"""What the receive FIFO reads while it is empty."""


class Scb:
    """A serial block as a UART: sending takes no time, the receive FIFO holds 128 bytes."""

    TX_STATUS, TX_WRITE, RX_STATUS, RX_READ = 0x208, 0x240, 0x308, 0x340
    TX_INTR, TX_MASK, TX_MASKED = 0xF80, 0xF88, 0xF8C
    RX_INTR, RX_MASK, RX_MASKED, CAUSE = 0xFC0, 0xFC8, 0xFCC, 0xE00
    TX_READY = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 9  # trigger, not full, empty, UART done
    RX_READY = 1 << 0 | 1 << 2  # trigger, not empty
    FIFO = 128
    size_bytes = 0x1000

    def __init__(self, part: Uart, words: dict[int, int], sent: bytearray) -> None:
        self.base, self.irq = part.base, part.irq
        self.received: deque[int] = deque()
        self.empty_polls = 0
        self._words, self._sent = words, sent

    def _rx(self) -> int:
        return self.RX_READY if self.received else 0

    def read(self, offset: int, now: int) -> int | None:
        del now
        words = self._words
        match offset:
            case self.TX_STATUS:
                return 0
            case self.RX_STATUS:
                self.empty_polls = 0 if self.received else self.empty_polls + 1
                return min(len(self.received), self.FIFO)
            case self.RX_READ:
                if not self.received:
                    self.empty_polls += 1
                    return EMPTY
                self.empty_polls = 0
                return self.received.popleft()
            case self.TX_INTR:
                return self.TX_READY
            case self.TX_MASKED:
                return self.TX_READY & words.get(self.base + self.TX_MASK, 0)
            case self.RX_INTR:
                return self._rx()
            case self.RX_MASKED:
                return self._rx() & words.get(self.base + self.RX_MASK, 0)
            case self.CAUSE:
                tx = self.TX_READY & words.get(self.base + self.TX_MASK, 0)
                rx = self._rx() & words.get(self.base + self.RX_MASK, 0)
                return (4 if tx else 0) | (8 if rx else 0)
        return None

    def write(self, offset: int, value: int, now: int) -> bool:
        del now
        if offset == self.TX_WRITE:
            self.empty_polls = 0
            self._sent.append(value & 0xFF)
        return offset in (self.TX_WRITE, self.TX_INTR, self.RX_INTR)

    def asks(self, now: int) -> bool:
        del now
        tx = self.TX_READY & self._words.get(self.base + self.TX_MASK, 0)
        return bool(tx or self._rx() & self._words.get(self.base + self.RX_MASK, 0))

    def due(self, now: int) -> int | None:
        del now
        return None


class TcpwmCounter:
    """One 32-bit up-counter that always runs; its interrupt is not modelled."""

    COUNTER = 0x08
    size_bytes = 0x40

    def __init__(self, part: Timer, words: dict[int, int]) -> None:
        self.base, self.irq = part.base, part.irq
        del words

    def read(self, offset: int, now: int) -> int | None:
        return now & 0xFFFFFFFF if offset == self.COUNTER else None

    def write(self, offset: int, value: int, now: int) -> bool:
        del offset, value, now
        return False

    def asks(self, now: int) -> bool:
        del now
        return False

    def due(self, now: int) -> int | None:
        del now
        return None
