"""From raw counter differences to instructions or cycles, with the window's own cost taken off.

On an emulated board a counter tick is a fixed number of nanoseconds of virtual time and so is an
instruction (QEMU's icount), so that a count has one nearest whole number of instructions; a loop of
known length proves it in every session.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from npubench.boards import Board
from npubench.core.errors import DeviceError

SELFTEST_INSTRUCTIONS_PER_ITERATION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How one board's counts are read. ``unit`` is ``instructions`` or ``cycles``.

    ``per_count``: instructions (or cycles) per count. ``window_cost``: what an empty window reads,
    in ``unit``; it is subtracted from every stage.
    """

    unit: str
    per_count: float
    window_cost: int

    def raw(self, count: int) -> int:
        """A count in ``unit``, nothing subtracted."""
        return round(count * self.per_count)

    def net(self, count: int) -> int:
        """A count in ``unit`` without the window's own cost; never below zero."""
        return max(0, self.raw(count) - self.window_cost)


def scale_of(board: Board, window_counts: tuple[int, ...]) -> Scale:
    """The scale of a session, from the board's counter and its empty windows (counts).

    Raises DeviceError when the empty windows of an emulated board disagree, or when its tick is
    too coarse to tell one instruction from the next.
    """
    per_count = board.instructions_per_count
    if per_count is None:
        return Scale(unit="cycles", per_count=1.0, window_cost=int(median(window_counts)))
    if per_count > 1.0:
        raise DeviceError(
            f"{board.id}: a counter tick is {per_count:.2f} instructions: counts are ambiguous",
            hint="raise emulator.icount_shift in the board's file",
        )
    costs = {round(count * per_count) for count in window_counts}
    if len(costs) != 1:
        raise DeviceError(
            f"{board.id}: empty windows cost {sorted(costs)} instructions: the counter cannot be "
            "trusted",
            hint="the emulator must run with -icount and without interrupts",
        )
    return Scale(unit="instructions", per_count=per_count, window_cost=costs.pop())


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """A loop of known length: what it must count and what it did, in the scale's unit."""

    expected: int
    counted: int


def check_selftest(scale: Scale, iterations: tuple[int, ...], counts: tuple[int, ...]) -> SelfTest:
    """Compare two loops that differ by a known number of instructions.

    Emulated boards must count exactly. On silicon a loop takes more cycles than instructions (or,
    with several issue slots, fewer), so only a counter that stands still is refused there.
    Raises DeviceError.
    """
    expected = SELFTEST_INSTRUCTIONS_PER_ITERATION * (iterations[1] - iterations[0])
    counted = scale.raw(counts[1]) - scale.raw(counts[0])
    if scale.unit == "instructions" and counted != expected:
        raise DeviceError(
            f"the counter's self-test read {counted} instructions for a loop of {expected}",
            hint="emulator or counter are not what board.toml says",
        )
    if counted <= 0:
        raise DeviceError(
            "the cycle counter stands still", hint="is the trace unit enabled and permitted?"
        )
    return SelfTest(expected=expected, counted=counted)
