"""One session with a board: every raw count, CRC and byte that a run is made of.

Nothing is judged here; ``evaluate`` turns a Session into stages, layers and a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

from npubench.bench.job import Job, Settings
from npubench.core.progress import Reporter, step
from npubench.link.clock import ClockFit, measure_clock
from npubench.link.device import BenchResult, Caps, Device, KatResult, MemResult, OpCount
from npubench.link.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the board said. ``clock`` is None where the board has no clock to measure."""

    caps: Caps
    bench: BenchResult | None
    layers: tuple[OpCount, ...]
    kat: KatResult
    mem: MemResult
    clock: ClockFit | None
    input_bytes: bytes | None
    transport: str
