"""A simulated instrument for other programs, in real time: on a pty, or on a TCP port of this
machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from npubench.core.errors import UsageError
from npubench.power.simulators.base import Feed, Simulator, TcpPort, drawn_frontend
from npubench.power.simulators.catalog import SUFFIX, Kind, find_kind, kinds
from npubench.power.simulators.faults import check_faults
from npubench.power.simulators.trace import Piece, Trace

# What is shown without a current of one's own: an idle and an inference with its marker.
IDLE = Piece(seconds=0.08, current_ua=350.0)
BUSY = Piece(seconds=0.02, current_ua=6_400.0, level=3)
SUPPLY_MV = 3000.0


@contextmanager
def serve(
    name: str,
    *,
    seconds: float,
    current_ua: float | None = None,
    faults: Sequence[str] = (),
    pty: Path | None = None,
    port: int | None = None,
    seed: int = 1,
) -> Iterator[tuple[Kind, Simulator]]:
    """The simulator ``name`` while entered, with ``seconds`` of samples in real time.

    ``current_ua``: a constant current instead of the demonstration's. ``pty``: a link to make to
    its device; ``port``: a TCP port of the loopback instead of a pty. Raises UsageError.
    """
    known = kinds()
    kind = find_kind(name + SUFFIX if name + SUFFIX in known else name)
    if pty is not None and port is not None:
        raise UsageError("a simulator is on a pty or on a port", hint="give one of both")
    feed = Feed(
        _trace(seconds, current_ua),
        rate_hz=kind.rate_hz,
        frontend=replace(drawn_frontend(kind.accuracy, seed), noise_ua=kind.noise_ua),
        faults=check_faults(faults, kind.faults, kind.name),
        trouble_s=min(1.0, seconds / 2),
        seed=seed,
        clock=time.monotonic,
    )
    simulator = kind.make(feed)
    if port is not None:
        simulator.serve_on(lambda: TcpPort(port))
    if pty is not None and pty.is_symlink() and not pty.exists():
        # Left by a simulator that was killed: it leads nowhere.
        pty.unlink()
    if pty is not None and (pty.exists() or pty.is_symlink()):
        raise UsageError(f"{pty} is there already", hint="choose a path that is free")
    with simulator:
        if pty is not None:
            if not simulator.address.startswith("/"):
                raise UsageError(
                    f"{kind.name} speaks TCP, not over a pty", hint="give --port instead of --pty"
                )
            try:
                pty.symlink_to(simulator.address)
            except OSError as error:
                raise UsageError(f"{pty} cannot be made: {error.strerror}") from error
        try:
            yield kind, simulator
        finally:
            if pty is not None:
                pty.unlink(missing_ok=True)


def _trace(seconds: float, current_ua: float | None) -> Trace:
    if current_ua is not None:
        return Trace([Piece(seconds=seconds, current_ua=current_ua)], supply_mv=SUPPLY_MV)
    rounds = max(1, int(seconds / (IDLE.seconds + BUSY.seconds)))
    return Trace([IDLE, BUSY] * rounds + [IDLE], supply_mv=SUPPLY_MV)
