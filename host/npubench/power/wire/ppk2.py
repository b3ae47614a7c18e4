"""The PPK2's wire: commands, calibration, and the decoder of its 4-byte words.

Nordic's PPK2 sends, every 10 us, a little-endian word: ADC in bits 0-13, range in 14-16, a counter
modulo 64 in 18-23, eight logic inputs in 24-31. From ADC and range follows the current through five
shunts with their calibration; the decoder does that with one look-up table, since 17 bits are all
that matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npubench.power.source.failure import InstrumentUncalibrated
from npubench.power.source.interface import Block, Flag, LossReport

RATE_HZ = 100_000
RANGES = 5
START, STOP, POWER, VOLTAGE, MODE, METADATA = 0x06, 0x07, 0x0C, 0x0D, 0x11, 0x19
RESET, USER_GAIN = 0x20, 0x25
AMPERE_MODE, SOURCE_MODE = 1, 2
ADC_VOLT_PER_COUNT = 1.8 / 163840
ADC_MAX = 0x3FFF
# The hardware measures up to 1 A; a reading beyond is not one.
CURRENT_LIMIT_UA = 1.02e6
COUNTER_MASK = 63
# How many words must follow each other before a place in the stream counts as aligned.
SYNC_WORDS = 8
# Samples after a range switch in which the front end settles.
SETTLE_SAMPLES = 3
# Switches that follow each other so closely are one; such a run may be this long.
LONGEST_RUN = 4096
UNSYNCED_LIMIT_BYTES = 1 << 16
# A sample alone in another range is believed if it is within this factor of its neighbours.
EXCURSION_RATIO = 2.0
# What Nordic's Power Profiler takes for a constant that a unit does not have: absent, zero, nan.
DEFAULTS: dict[str, tuple[float, ...]] = {
    "R": (1031.64, 101.65, 10.15, 0.94, 0.043),
    "GS": (1.0,) * RANGES,
    "GI": (1.0,) * RANGES,
    "O": (0.0,) * RANGES,
    "S": (0.0,) * RANGES,
    "I": (0.0,) * RANGES,
    "UG": (1.0,) * RANGES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The constants of one unit, per range.

    ``vdd_mv``: the supply that the unit names; a capture's own voltage decides, see ``current_ua``.
    ``replaced``: constants that the unit does not have, for which Nordic's defaults stand.
    """

    r: tuple[float, ...]
    gs: tuple[float, ...]
    gi: tuple[float, ...]
    o: tuple[float, ...]
    s: tuple[float, ...]
    i: tuple[float, ...]
    ug: tuple[float, ...]
    calibrated: bool | None
    vdd_mv: float
    hardware: str = ""
    replaced: tuple[str, ...] = ()

    def current_ua(
        self, number: int, adc: NDArray[np.float64], supply_mv: float
    ) -> NDArray[np.float64]:
        """The current in microamperes that a range's ADC counts stand for.

        ``supply_mv``: the voltage that was set, in ampere mode that of the supply. Nordic's Power
        Profiler and ppk2-api multiply ``s`` with it, not with the metadata's VDD.
        """
        a = (4.0 * adc - self.o[number]) * ADC_VOLT_PER_COUNT / self.r[number]
        amps = self.ug[number] * (
            a * (self.gs[number] * a + self.gi[number])
            + self.s[number] * supply_mv / 1000.0
            + self.i[number]
        )
        return amps * 1e6

    def step_ua(self, number: int) -> float:
        """The current of one ADC count of a range, in microamperes."""
        return abs(4.0 * ADC_VOLT_PER_COUNT / self.r[number] * self.gi[number]) * 1e6

    def adc(
        self, number: int, current_ua: NDArray[np.float64], supply_mv: float
    ) -> NDArray[np.float64]:
        """The ADC counts that stand for a current: the inverse of ``current_ua``."""
        rest = current_ua * 1e-6 / self.ug[number] - self.i[number]
        rest = rest - self.s[number] * supply_mv / 1000.0
        gs, gi = self.gs[number], self.gi[number]
        # The root of gs a^2 + gi a - rest that goes to rest / gi as gs goes to nothing.
        root = np.sqrt(np.maximum(gi * gi + 4.0 * gs * rest, 0.0))
        a = 2.0 * rest / (gi + root)
        return np.asarray((a * self.r[number] / ADC_VOLT_PER_COUNT + self.o[number]) / 4.0)

    def table(self, supply_mv: float) -> NDArray[np.float32]:
        """Microamperes by the low 17 bits of a word; ranges above 4 count as 4."""
        adc = np.arange(ADC_MAX + 1, dtype=np.float64)
        rows = [self.current_ua(min(number, RANGES - 1), adc, supply_mv) for number in range(8)]
        return np.concatenate(rows).astype(np.float32)


def parse_metadata(text: str) -> Calibration:
    """The reply to METADATA. A constant that is absent, zero or nan is Nordic's default, as in its
    Power Profiler. Raises InstrumentUncalibrated when the reply is no calibration at all, or a
    constant cannot be one."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            values[key.strip()] = value.strip()
    if not any(f"{prefix}{number}" in values for prefix in ("R", "O") for number in range(RANGES)):
        raise InstrumentUncalibrated(
            f"the PPK2 sent no calibration: {text[:60]!r}",
            hint="plug it in again; is it a PPK2 and no other program using it?",
        )
    replaced: list[str] = []

    def row(prefix: str) -> tuple[float, ...]:
        found = []
        for number, default in enumerate(DEFAULTS[prefix]):
            key = f"{prefix}{number}"
            value = _constant(key, values.get(key, "nan"))
            if math.isnan(value) or (value == 0 and default != 0):
                # Older units have no S, I and UG, many a GS0 of zero: that is no damage.
                if prefix == "R" or (key in values and (math.isnan(value) or prefix == "GI")):
                    replaced.append(key)
                value = default
            found.append(value)
        return tuple(found)

    calibrated = values.get("Calibrated")
    r, gs, gi, o, s, i, ug = (row(prefix) for prefix in DEFAULTS)
    return Calibration(
        r=r,
        gs=gs,
        gi=gi,
        o=o,
        s=s,
        i=i,
        ug=ug,
        calibrated=None if calibrated is None else calibrated not in ("0", ""),
        vdd_mv=_constant("VDD", values.get("VDD", "3000")),
        hardware=values.get("HW", ""),
        replaced=tuple(replaced),
    )


def _constant(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if math.isinf(value) or (key[0] == "R" and value < 0):
        raise InstrumentUncalibrated(
            f"the calibration of the PPK2 is not usable: {key} is {text!r}",
            hint="calibrate it again with Nordic's Power Profiler, or give it back",
        )
    return value


class WordDecoder:
    """Bytes as they come, in pieces of any size, to blocks of samples.

    The counter is followed: a gap becomes samples that are marked LOST, a misalignment is found
    and left again. A gap of 64 samples and its multiples cannot be seen here; the fit of clocks
    sees it.
    ``table``: microamperes by the low 17 bits of a word.
    """

    def __init__(self, table: NDArray[np.float32]) -> None:
        self._table = table
        self._rest = b""
        self._next: int | None = None
        self._index = 0
        self._held_words: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._held_flags: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._range = -1
        self._markers = 0
        self._count_to = np.arange(1 << 16, dtype=np.uint8)
        self._lost = self._resyncs = self._filtered = self._suspect = self._received = 0

    def feed(self, data: bytes) -> Block | None:
        """The samples that ``data`` completes, or None."""
        buffer = self._rest + data if self._rest else data
        pieces: list[NDArray[np.uint32]] = []
        flags: list[NDArray[np.uint8]] = []
        if len(self._held_words):
            pieces.append(self._held_words)
            flags.append(self._held_flags)
        place = 0
        while len(buffer) - place >= 4:
            if self._next is not None:
                good = self._aligned(buffer, place)
                if good:
                    pieces.append(np.frombuffer(buffer, "<u4", good, place))
                    flags.append(np.zeros(good, np.uint8))
                    place += 4 * good
                    self._next = (self._next + good) & COUNTER_MASK
                    self._received += good
                    continue
            skip, gap = self._resync(buffer, place)
            if skip is None:
                break
            if gap:
                pieces.append(np.zeros(gap, np.uint32))
                flags.append(np.full(gap, Flag.LOST, np.uint8))
                self._lost += gap
            place += skip
        self._rest = buffer[place:]
        if not pieces:
            return None
        return self._finish(np.concatenate(pieces), np.concatenate(flags), last=False)

    def flush(self) -> Block | None:
        """What was held back for its neighbours."""
        if not len(self._held_words):
            return None
        words, flags = self._held_words, self._held_flags
        return self._finish(words, flags, last=True)

    def loss(self) -> LossReport:
        """What was lost, found again, filtered and doubted so far."""
        return LossReport(
            received_count=self._received,
            lost_count=self._lost,
            resync_count=self._resyncs,
            filtered_count=self._filtered,
            suspect_count=self._suspect,
        )

    def _aligned(self, buffer: bytes, place: int) -> int:
        """How many words from ``place`` on follow each other."""
        assert self._next is not None
        count = min((len(buffer) - place) // 4, len(self._count_to))
        raw = np.frombuffer(buffer, np.uint8, 4 * count, place)
        counters = raw[2::4] >> 2
        wrong = ((counters - self._count_to[:count]) ^ np.uint8(self._next)) & np.uint8(63)
        # (c - k) ^ next is 0 modulo 64 exactly where c = next + k modulo 64.
        if not wrong.any():
            return count
        return int(np.argmax(wrong != 0))

    def _resync(self, buffer: bytes, place: int) -> tuple[int | None, int]:
        """Bytes to skip to the next aligned word, and samples lost before it; None: need more."""
        raw = np.frombuffer(buffer, np.uint8, offset=place)
        span = 4 * (SYNC_WORDS - 1) + 2
        if len(raw) <= span:
            return None, 0
        counters = raw >> 2
        places = len(raw) - span
        fits = np.ones(places, bool)
        first = counters[2 : 2 + places]
        for word in range(1, SYNC_WORDS):
            at = counters[2 + 4 * word : 2 + 4 * word + places]
            fits &= ((at - first - np.uint8(word)) & np.uint8(63)) == 0
        if not fits.any():
            if len(raw) > UNSYNCED_LIMIT_BYTES and self._next is not None:
                # Nothing that makes sense for long: count it as lost and look on.
                self._resyncs += 1
                lost = (len(raw) - span) // 4
                self._next = (self._next + lost) & COUNTER_MASK
                return 4 * lost, lost
            return None, 0
        skip = int(np.argmax(fits))
        counter = int(first[skip]) & COUNTER_MASK
        if self._next is None:
            self._next = counter
            return skip, 0
        gap = (counter - self._next) & COUNTER_MASK
        gap += 64 * max(0, round((skip / 4 - gap) / 64))
        if skip % 4 or skip:
            self._resyncs += 1
        self._next = counter
        return skip, gap

    def _finish(
        self, words: NDArray[np.uint32], flags: NDArray[np.uint8], *, last: bool
    ) -> Block | None:
        raw = words.astype("<u4", copy=False).view(np.uint8)
        ranges = np.minimum((raw[1::4] >> 6) | ((raw[2::4] & 1) << 2), np.uint8(RANGES - 1))
        present = flags == 0
        changed = np.empty(len(words), bool)
        # The beginning of a stream counts as a switch: the front end has just settled on a range.
        changed[0] = ranges[0] != self._range
        np.not_equal(ranges[1:], ranges[:-1], out=changed[1:])
        if not present.all():
            changed &= present
        changes = np.flatnonzero(changed)
        keep = len(words)
        all_changes = changes
        if not last and len(changes) and keep - changes[-1] <= SETTLE_SAMPLES + 1:
            keep = int(changes[max(0, len(changes) - 1)])
            while len(changes) > 1 and changes[-1] - changes[-2] <= SETTLE_SAMPLES:
                changes = changes[:-1]
                keep = int(changes[-1])
            if len(words) - keep > LONGEST_RUN + 2 * SETTLE_SAMPLES:
                # It does not come to rest: it is given out as it is, and doubted.
                keep, changes = len(words), all_changes
            else:
                changes = changes[changes < keep]
        self._held_words, self._held_flags = words[keep:], flags[keep:]
        if keep == 0:
            return None
        words, flags, ranges, raw = words[:keep], flags[:keep], ranges[:keep], raw[: 4 * keep]
        current = np.take(self._table, words & np.uint32(0x1FFFF))
        markers = raw[3::4].copy()
        full = (words & np.uint32(ADC_MAX)) == ADC_MAX
        if full.any():
            flags = np.where(full & (flags == 0), flags | np.uint8(Flag.SATURATED), flags)
        if float(np.max(current)) > CURRENT_LIMIT_UA:
            high = (current > CURRENT_LIMIT_UA) & (flags == 0)
            flags = np.where(high, flags | np.uint8(Flag.SATURATED), flags)
        if len(changes) or not present[:keep].all():
            flags = self._settle(current, markers, ranges, flags.copy(), changes)
        self._range, self._markers = int(ranges[-1]), int(markers[-1])
        block = Block(
            first=self._index, current_ua=current, markers=markers, ranges=ranges, flags=flags
        )
        self._index += keep
        return block

    def _settle(
        self,
        current: NDArray[np.float32],
        markers: NDArray[np.uint8],
        ranges: NDArray[np.uint8],
        flags: NDArray[np.uint8],
        changes: NDArray[np.int64],
    ) -> NDArray[np.uint8]:
        """Replace what follows a range switch, doubt lone samples, blank what was lost."""
        count = len(current)
        before = self._range
        for first, last in _runs(changes):
            old = int(ranges[first - 1]) if first else before
            settled = last + SETTLE_SAMPLES
            if last == first + 1 and int(ranges[last]) == old:
                # A lone sample in another range is what a misplaced byte looks like, too; where
                # the sample after it is off as well, the switch back made the front end ring.
                level = float(current[first - 1 if first else min(settled, count - 1)])
                if _is_off(current[first], level) and not _is_off(current[last], level):
                    flags[first] |= Flag.SUSPECT
                    self._suspect += 1
                    continue
            if last - first > LONGEST_RUN:
                # The front end never came to rest: nothing says what the current was.
                flags[first:settled] |= np.uint8(Flag.SUSPECT)
                self._suspect += min(settled, count) - first
                continue
            settled = min(settled, count - 1)
            current[first:settled] = current[settled]
            flags[first:settled] |= np.uint8(Flag.FILTERED)
            self._filtered += settled - first
        lost = (flags & Flag.LOST) != 0
        if lost.any():
            current[lost] = np.nan
            # A marker during a loss is unknown: it is taken to have stayed, also where the block
            # begins with the loss, as it does when the bytes came in two pieces there.
            known = np.where(lost, 0, np.arange(1, count + 1))
            source = np.maximum.accumulate(known)
            stayed = np.uint8(max(before, 0))
            markers[:] = np.where(source > 0, markers[np.maximum(source - 1, 0)], self._markers)
            ranges[:] = np.where(source > 0, ranges[np.maximum(source - 1, 0)], stayed)
        return flags


def _is_off(value: float, level: float) -> bool:
    low, high = sorted((abs(float(value)), abs(level)))
    return high > EXCURSION_RATIO * max(low, 1e-3)


def _runs(changes: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last switch of each run in which none had time to settle."""
    if not len(changes):
        return []
    cuts = np.flatnonzero(np.diff(changes) > SETTLE_SAMPLES)
    firsts = changes[np.concatenate(([0], cuts + 1))]
    lasts = changes[np.concatenate((cuts, [len(changes) - 1]))]
    return [(int(first), int(last)) for first, last in zip(firsts, lasts, strict=True)]
