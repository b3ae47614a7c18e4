"""A simulated PPK2: metadata, and words at 100 kS/s of its own time, as fast as they are taken."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from npubench.power.simulators.base import CHUNK_SAMPLES, SPIKE_RATIO, Feed, PtyPort, Simulator
from npubench.power.simulators.catalog import Kind
from npubench.power.source.accuracy import Accuracy, RangeAccuracy
from npubench.power.wire.ppk2 import (
    ADC_MAX,
    METADATA,
    MODE,
    POWER,
    RANGES,
    RATE_HZ,
    RESET,
    SOURCE_MODE,
    START,
    STOP,
    USER_GAIN,
    VOLTAGE,
    Calibration,
)

FAULTS = (
    "split-words",
    "counter-gap",
    "counter-gap-64",
    "lost-byte",
    "swapped-bytes",
    "silence",
    "disconnect",
    "saturation",
    "range-spike",
    "clock-off",
    "clock-wild",
    "nan-calibration",
    "uncalibrated",
    "marker-lost",
    "marker-glitch",
    "idle-drift",
)
GAP_SAMPLES = 23
SWAPS = 5
# Up to this current a range is used; the last one ends where its converter does.
RANGE_TOPS_UA = (50.0, 500.0, 5_000.0, 60_000.0)
ACCURACY = Accuracy(
    ranges=(
        RangeAccuracy(gain_ratio=0.02, offset_ua=0.2),
        RangeAccuracy(gain_ratio=0.02, offset_ua=1.0),
        RangeAccuracy(gain_ratio=0.02, offset_ua=5.0),
        RangeAccuracy(gain_ratio=0.02, offset_ua=60.0),
        RangeAccuracy(gain_ratio=0.02, offset_ua=1000.0),
    ),
    voltage_ratio=0.01,
    source="the simulator's own error model: gain and offset drawn from these figures",
)
CALIBRATION = Calibration(
    r=(1003.35, 101.59, 10.30, 0.964, 0.056),
    # Of the order of public units': the supply's term moves range 4 by 5.7 mA from 3.0 to 1.8 V.
    gs=(1.0, 110.0, 18.0, 2.4, 0.07),
    gi=(1.0, 0.98, 0.97, 0.96, 0.95),
    o=(113.0, 87.0, 76.0, 61.0, 50.0),
    s=(5e-8, 1e-6, 8e-6, 1e-4, 4.76e-3),
    i=(-1e-7, -1.4e-6, 1.2e-5, -3.7e-4, -9.4e-3),
    ug=(1.0, 1.01, 0.99, 1.0, 1.02),
    calibrated=True,
    vdd_mv=3000.0,
    hardware="9173",
)


class SimulatedPpk2(Simulator):
    """Answers 0x19 with what was set, and streams after 0x06 until 0x07; commands may arrive in
    pieces."""

    ARGUMENTS: ClassVar = {POWER: 1, MODE: 1, VOLTAGE: 2, USER_GAIN: 5}

    def __init__(self, feed: Feed) -> None:
        super().__init__(PtyPort, feed)
        self._pending = b""
        self._counter = 0
        self._range = 0
        self._calibration = CALIBRATION
        self._supply_mv = CALIBRATION.vdd_mv
        self._mode = SOURCE_MODE
        self._done: set[str] = set()

    def received(self, data: bytes) -> None:
        self._pending += data
        while self._pending:
            command = self._pending[0]
            count = 1 + self.ARGUMENTS.get(command, 0)
            if len(self._pending) < count:
                return
            arguments, self._pending = self._pending[1:count], self._pending[count:]
            if command == METADATA:
                self.send(self._metadata())
            elif command == MODE:
                self._mode = arguments[0]
            elif command == USER_GAIN and arguments[0] < RANGES:
                self._set_gain(arguments[0], struct.unpack("<f", arguments[1:])[0])
            elif command == RESET:
                self.streaming = False
                self._calibration, self._mode = CALIBRATION, SOURCE_MODE
                self._supply_mv = CALIBRATION.vdd_mv
            elif command == VOLTAGE:
                self._supply_mv = float(int.from_bytes(arguments, "big"))
            elif command == START:
                self.streaming = True
            elif command == STOP:
                self.streaming = False

    def stream(self) -> bool:
        feed = self.feed
        if feed.next >= feed.count or "silence" in self._done:
            return False
        count = min(CHUNK_SAMPLES, feed.count - feed.next)
        first = feed.next
        current, levels = feed.take(count)
        words, ranges = self._words(current, levels)
        if "range-spike" in self.faults:
            words = self._spike(words, ranges)
        keep = np.ones(count, bool)
        at = feed.trouble - first
        for fault, samples in (("counter-gap", GAP_SAMPLES), ("counter-gap-64", 64)):
            if fault in self.faults and 0 <= at < count:
                keep[at : at + samples] = False
        words = self._count(words)[keep]
        data = words.astype("<u4").tobytes()
        if 0 <= at < count:
            for fault in ("lost-byte", "swapped-bytes"):
                if fault in self.faults:
                    data = self._spoil(data, 4 * at, fault)
            if "disconnect" in self.faults:
                self.send(data[: 4 * at])
                self.vanish()
                return False
            if "silence" in self.faults:
                self.send(data[: 4 * at])
                self._done.add("silence")
                return False
        self.send(data)
        return True

    def _set_gain(self, number: int, gain: float) -> None:
        gains = list(self._calibration.ug)
        gains[number] = gain
        self._calibration = replace(self._calibration, ug=tuple(gains))

    def _metadata(self) -> bytes:
        known = self._calibration
        lines = [f"Calibrated: {0 if 'uncalibrated' in self.faults else 1}"]
        for name, row in (
            ("R", known.r),
            ("GS", known.gs),
            ("GI", known.gi),
            ("O", known.o),
        ):
            lines += [f"{name}{number}: {row[number]:.4f}" for number in range(RANGES)]
        lines += [f"VDD: {self._supply_mv:.0f}", f"HW: {known.hardware}", f"mode: {self._mode}"]
        for name, row in (("S", known.s), ("I", known.i), ("UG", known.ug)):
            lines += [f"{name}{number}: {row[number]:.12f}" for number in range(RANGES)]
        lines.append("IA: 56")
        text = "\n".join(lines) + "\nEND\n"
        if "nan-calibration" in self.faults:
            text = text.replace(f"GI3: {known.gi[3]:.4f}", "GI3: -nan")
        return text.encode("ascii")

    def _words(
        self, current_ua: NDArray[np.float64], levels: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
        ranges = np.searchsorted(np.array(RANGE_TOPS_UA), current_ua).astype(np.uint8)
        adc = np.zeros(len(current_ua))
        for number in range(RANGES):
            chosen = ranges == number
            if chosen.any():
                adc[chosen] = self._calibration.adc(number, current_ua[chosen], self._supply_mv)
        counts = np.clip(np.rint(adc), 0, ADC_MAX).astype(np.uint32)
        words = counts | (ranges.astype(np.uint32) << np.uint32(14))
        words |= levels.astype(np.uint32) << np.uint32(24)
        return words.astype(np.uint32), ranges

    def _spike(self, words: NDArray[np.uint32], ranges: NDArray[np.uint8]) -> NDArray[np.uint32]:
        words = words.copy()
        before = np.concatenate(([self._range], ranges[:-1]))
        for at in np.flatnonzero(ranges != before):
            for place in range(int(at), min(int(at) + 2, len(words))):
                if ranges[place] == ranges[at]:
                    adc = min(ADC_MAX - 1, int((words[place] & ADC_MAX) * SPIKE_RATIO))
                    words[place] = (words[place] & ~np.uint32(ADC_MAX)) | np.uint32(adc)
        self._range = int(ranges[-1])
        return words

    def _count(self, words: NDArray[np.uint32]) -> NDArray[np.uint32]:
        counters = (self._counter + np.arange(len(words), dtype=np.uint32)) & np.uint32(63)
        self._counter = (self._counter + len(words)) & 63
        return words | (counters << np.uint32(18))

    def _spoil(self, data: bytes, at: int, fault: str) -> bytes:
        if fault == "lost-byte":
            return data[: at + 1] + data[at + 2 :]
        spoilt = bytearray(data)
        for swap in range(SWAPS):
            place = min(at + 41 * swap, len(spoilt) - 2)
            spoilt[place], spoilt[place + 1] = spoilt[place + 1], spoilt[place]
        return bytes(spoilt)


KIND = Kind(
    name="ppk2-sim",
    driver="ppk2",
    title="simulated PPK2 on a pty",
    rate_hz=RATE_HZ,
    faults=FAULTS,
    accuracy=ACCURACY,
    make=SimulatedPpk2,
    noise_ua=6.0,
)
