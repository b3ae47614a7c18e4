"""One foreign image, asked as MLPerf Tiny's runner would ask it, with its timed window counted.

Runs in a process of its own (``python -m npubench.referee``): Unicorn is under the GPL, and a
foreign image has nothing to do in ours.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npubench.boards import Board
from npubench.core.errors import DeviceError
from npubench.core.seeded import seeded_bytes
from npubench.emulators.board_model.foreign_board import ForeignBoard
from npubench.emulators.board_model.foreign_registers import Event
from npubench.emulators.board_model.powered import ModelStopped

FIRST_SLICE_INSTRUCTIONS, SLICE_INSTRUCTIONS = 5_000, 400_000
BOOT_INSTRUCTIONS = 1_500_000_000
COMMAND_INSTRUCTIONS = 60_000_000
INFER_INSTRUCTIONS = 6_000_000_000
IN_VAIN_SLICES = 2
UPLOAD_BYTES = 31
# Bytes of an upload per benchmark (docs/mlperf.md); floats for ad01.
INPUT_BYTES = {"kws01": 490, "vww01": 27648, "ic01": 3072, "ad01": 2560}
# int8 input of ad01's reference model: value = (q - 89) * scale.
AD_SCALE, AD_ZERO = 0.3910152, 89
WATCHED = (0xE000ED14, 0xE000ED88)


class ImageRefused(DeviceError):
    """The image cannot be judged here: what it waits for, or what it lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One timed window: ``bounded_by`` pin, timer or console; counts by name (tally.h)."""

    bounded_by: str
    instructions: int
    counts: dict[str, int]


class Session:
    """A conversation with one image on one board's model, within ``limit_s`` seconds.

    Raises ImageRefused with what it polled last, ModelStopped on a lockup.
    """

    def __init__(self, board: Board, image: Path, *, limit_s: float, boot_limit_s: float) -> None:
        self.model = ForeignBoard(board, image)
        self._end = time.monotonic() + limit_s
        self._boot_end = time.monotonic() + boot_limit_s

    def boot(self) -> str:
        """Run to the first ``m-ready``; what was said until then."""
        return self._until_ready(BOOT_INSTRUCTIONS, end=self._boot_end, what="the boot")

    def ask(self, command: str, *, instructions: int = COMMAND_INSTRUCTIONS) -> str:
        """The reply to one command."""
        self.model.feed(command.encode("ascii") + b"%")
        return self._until_ready(instructions, end=self._end, what=repr(command.split()[0]))

    def upload(self, data: bytes) -> None:
        """Put ``data`` into the image's input buffer."""
        self.ask(f"db load {len(data)}")
        for start in range(0, len(data), UPLOAD_BYTES):
            reply = self.ask(f"db {data[start : start + UPLOAD_BYTES].hex()}")
            if "e-[" in reply:
                raise ImageRefused(f"the upload failed: {reply.strip()[:200]}")

    def infer(self, repetitions: int) -> tuple[str, Window]:
        """``infer N 0``: the reply and the timed window."""
        registers = self.model.peripherals
        registers.events.clear()
        registers.watches = True
        reply = self.ask(f"infer {repetitions} 0", instructions=INFER_INSTRUCTIONS)
        registers.watches = False
        return reply, find_window(registers.events)

    def _until_ready(self, instructions: int, *, end: float, what: str) -> str:
        said = bytearray()
        begin, vain, size = self.model.instructions, 0, FIRST_SLICE_INSTRUCTIONS
        while True:
            before = self.model.instructions
            self.model.run(size)
            size = min(2 * size, SLICE_INSTRUCTIONS)
            said += self.model.take_sent()
            if re.search(rb"m-ready\s*\n", said):
                return said.decode("ascii", "replace")
            vain = vain + 1 if self.model.in_vain is not None else 0
            stuck = self.model.is_idle and self.model.instructions == before
            if vain > IN_VAIN_SLICES:
                raise ImageRefused(
                    f"{what} waits in vain: {self.model.polled_words()}{_heard(said)}"
                )
            if stuck:
                raise ImageRefused(
                    f"{what} ends with the image waiting for a byte, without m-ready{_heard(said)}"
                )
            if self.model.instructions - begin > instructions or time.monotonic() > end:
                raise ImageRefused(
                    f"{what} does not end in {self.model.instructions - begin} instructions: "
                    f"{self.model.polled_words()}{_heard(said)}"
                )


def find_window(events: Sequence[Event]) -> Window:
    """The timed window of one ``infer``: between the two reads of a timer that the two
    ``m-lap-us`` lines tell, else between the two pulses of a pin, else between the lines.

    Raises ImageRefused when there are none.
    """
    laps = [n for n, e in enumerate(events) if e.kind == "line-end" and "m-lap-us-" in e.what]
    if len(laps) >= 2:
        first, last = laps[0], laps[-1]
        begin, end = _timer_before(events, first), _timer_before(events, last)
        if begin is not None and end is not None and begin < end:
            return _window("timer", events[begin], events[end])
        opening = next(n for n in range(last, -1, -1) if events[n].kind == "line-begin")
        return _window("console", events[first], events[opening])
    pins = [event for event in events if event.kind == "pin"]
    by_register: dict[str, list[Event]] = {}
    for event in pins:
        by_register.setdefault(_pin_name(event.what), []).append(event)
    pulsed = [found for found in by_register.values() if len(found) == 4]
    if pulsed:
        return _window("pin", pulsed[0][1], pulsed[0][2])
    raise ImageRefused(
        "no window: neither two m-lap-us lines nor two pulses of a pin "
        f"({len(laps)} lines, {len(pins)} changes of pins)"
    )


def _timer_before(events: Sequence[Event], lap: int) -> int | None:
    """The last timer read before the line that ends at ``lap`` began."""
    for number in range(lap - 1, -1, -1):
        if events[number].kind == "line-begin":
            for earlier in range(number - 1, -1, -1):
                if events[earlier].kind == "timer":
                    return earlier
                if events[earlier].kind == "line-end":
                    return None
    return None


def _pin_name(what: str) -> str:
    register, rise, fall = what.split()
    bits = int(rise[1:], 16) | int(fall[1:], 16)
    return f"{register} {bits:#x}"


def _window(bounded_by: str, begin: Event, end: Event) -> Window:
    return Window(
        bounded_by=bounded_by,
        instructions=end.at_instructions - begin.at_instructions,
        counts=end.tally - begin.tally,
    )


def _heard(said: bytes | bytearray) -> str:
    tail = said.decode("ascii", "replace").strip()[-80:]
    return f"; last heard: {tail!r}" if tail else "; nothing was heard"


def benchmark_input(model: str, seed: int) -> bytes | None:
    """The upload of a benchmark from a seed; None for a model that is not known."""
    size = INPUT_BYTES.get(model)
    if size is None:
        return None
    if model != "ad01":
        return seeded_bytes(seed, size)
    steps = struct.unpack(f"<{size // 4}b", seeded_bytes(seed, size // 4))
    return struct.pack(f"<{size // 4}f", *((step - AD_ZERO) * AD_SCALE for step in steps))


def judge(
    board: Board, image: Path, *, seed: int, limit_s: float, boot_limit_s: float
) -> dict[str, Any]:
    """Boot, ask, infer; everything that was seen, as plain values.

    An inference is the window of two less the window of one, so that printing cancels.
    """
    document: dict[str, Any] = {"status": "failed", "reason": None}
    session: Session | None = None
    try:
        session = Session(board, image, limit_s=limit_s, boot_limit_s=boot_limit_s)
        document["boot_instructions"] = 0
        document["said"] = session.boot().strip()
        document["boot_instructions"] = session.model.instructions
        document["name"] = _inside(session.ask("name"), r"m-name-dut-\[(.*?)\]")
        document["model"] = _inside(session.ask("profile"), r"m-model-\[(.*?)\]")
        stimulus = benchmark_input(document["model"] or "", seed)
        if stimulus is not None:
            session.upload(stimulus)
        reply, _ = session.infer(1)
        results = _inside(reply, r"m-results-\[(.*?)\]")
        document["results"] = [float(word) for word in re.findall(r"-?\d+\.?\d*", results or "")]
        _, one = session.infer(1)
        _, two = session.infer(2)
        document |= {
            "bounded_by": two.bounded_by,
            "window_instructions": one.instructions,
            "instructions": two.instructions - one.instructions,
            "counts": {n: two.counts[n] - one.counts[n] for n in two.counts},
            "status": "ok",
        }
    except (ImageRefused, ModelStopped) as error:
        document |= {"status": "refused", "reason": error.message}
    if session is not None:
        document["registers"] = session.model.settings()
        document["polled_in_vain"] = [
            {"address": p.address, "pc": p.pc, "value": p.value}
            for p in session.model.peripherals.polled.values()
        ]
    return document


def _inside(reply: str, pattern: str) -> str | None:
    found = re.search(pattern, reply)
    return None if found is None else found[1]
