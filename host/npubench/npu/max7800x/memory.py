"""The accelerator's memories: activations, weights, biases.

Sources: ai8x-synthesis, izer/apbaccess.py and izer/kernels.py (how weights are written), README
(how channels lie in the data memories).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npubench.npu.max7800x.layout import (
    INSTANCES,
    PER_QUADRANT,
    PROCESSORS,
    QUADRANTS,
    SHARED,
    TAPS,
    Layout,
)

UNKNOWN = 0x6D
"""What a memory holds after power-up: nothing may rely on zeros."""
Bytes = NDArray[np.uint8]
Indices = NDArray[np.int64]


class DataMemory:
    """Activations: ``bytes`` of shape (instances, words, 4); byte ``p % 4`` of a word in instance
    ``p // 4`` belongs to processor ``p``."""

    def __init__(self, words: int, fill: int = UNKNOWN) -> None:
        self.bytes: Bytes = np.full((INSTANCES, words, SHARED), fill, dtype=np.uint8)

    @property
    def words(self) -> int:
        """Of one instance."""
        return int(self.bytes.shape[1])

    def read_word(self, instance: int, word: int) -> int:
        """A word, as the processor's bus sees it."""
        return int.from_bytes(self.bytes[instance, word].tobytes(), "little")

    def write_word(self, instance: int, word: int, value: int) -> None:
        """Store a word."""
        self.bytes[instance, word] = np.frombuffer(value.to_bytes(4, "little"), dtype=np.uint8)


class WeightMemory:
    """Words of nine bytes, of each processor. A word is written as four words of the bus, the last
    of which does it; or as a stream of bytes (the express mode) from an address that was set."""

    def __init__(self, layout: Layout) -> None:
        first, others = layout.kernels
        self._counts = [first if p % PER_QUADRANT == 0 else others for p in range(PROCESSORS)]
        self.bytes: Bytes = np.full((PROCESSORS, first, TAPS), UNKNOWN, dtype=np.uint8)
        self._parts = [[0, 0, 0] for _ in range(PROCESSORS)]
        self._address = [0] * PROCESSORS
        self._stream = [bytearray() for _ in range(PROCESSORS)]

    def in_order(self, processor: int) -> Bytes:
        """The bytes in the order in which kernels lie in them: from a word's last to its first."""
        ordered: Bytes = self.bytes[processor, :, ::-1].reshape(-1)
        return ordered

    def write(self, processor: int, offset: int, value: int) -> bool:
        """A store of a word at ``offset`` in the processor's memory; whether there is such."""
        word, part = offset >> 4, offset >> 2 & 3
        if word >= self._counts[processor]:
            return False
        parts = self._parts[processor]
        if part < 3:
            parts[part] = value
            return True
        data = bytes([parts[0] & 0xFF]) + parts[1].to_bytes(4, "big") + parts[2].to_bytes(4, "big")
        self.bytes[processor, word] = np.frombuffer(data, dtype=np.uint8)
        return True

    def read(self, processor: int, offset: int) -> int:
        """A load of a word."""
        word, part = offset >> 4, offset >> 2 & 3
        if word >= self._counts[processor] or part == 3:
            return 0
        begin = (0, 1, 5)[part]
        return int.from_bytes(
            self.bytes[processor, word, begin : begin + (4 if part else 1)], "big"
        )

    def set_address(self, processor: int, offset: int) -> None:
        """Where the express mode goes on."""
        self._address[processor] = offset >> 2
        self._stream[processor].clear()

    def express(self, processor: int, value: int) -> bool:
        """The next four bytes of the stream; whether there is room for them."""
        stream = self._stream[processor]
        stream += value.to_bytes(4, "big")
        while len(stream) >= TAPS:
            address = self._address[processor]
            if address >= self._counts[processor]:
                return False
            self.bytes[processor, address] = np.frombuffer(bytes(stream[:TAPS]), dtype=np.uint8)
            del stream[:TAPS]
            self._address[processor] = address + 1
        return True


class BiasMemory:
    """Signed bytes, of each quadrant."""

    def __init__(self, layout: Layout) -> None:
        self.bytes: Bytes = np.full((QUADRANTS, layout.bias_count), UNKNOWN, dtype=np.uint8)

    def values(self, quadrant: int, places: Indices) -> Indices:
        """The biases at ``places``."""
        found: Indices = self.bytes[quadrant].view(np.int8)[places].astype(np.int64)
        return found
