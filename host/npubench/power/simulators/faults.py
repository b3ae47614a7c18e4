"""The ways in which a simulated instrument can misbehave on order."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from npubench.core.errors import UsageError

FAULTS: dict[str, str] = {
    "split-words": "writes are cut at odd sizes, so that samples arrive in pieces",
    "counter-gap": "samples are skipped in the middle of a window, the counter jumps",
    "counter-gap-64": "64 samples are skipped: the 6-bit counter does not show it",
    "lost-byte": "one byte is lost: everything after it is misaligned",
    "swapped-bytes": "neighbouring bytes change places at a few places",
    "silence": "nothing more comes, half way through",
    "disconnect": "the port closes, half way through",
    "saturation": "the current goes beyond what the instrument can measure",
    "range-spike": "each range switch is followed by samples that are far off",
    "clock-off": "the instrument's clock runs 0.3 % fast",
    "clock-wild": "the instrument's clock runs 3 % fast",
    "nan-calibration": "the calibration holds -nan",
    "uncalibrated": "the instrument says that it was never calibrated",
    "voltage-low": "the supply sags 8 % below what was set",
    "marker-lost": "one marker edge does not arrive",
    "marker-glitch": "the marker inputs show an edge that nobody made",
    "idle-drift": "the current rises slowly, by as much again as the idle current",
}


def check_faults(names: Sequence[str], offered: Sequence[str], simulator: str) -> frozenset[str]:
    """The faults as a set. Raises UsageError for one that the simulator cannot play."""
    for name in names:
        if name not in offered:
            close = difflib.get_close_matches(name, offered, n=1)
            what = "cannot play" if name in FAULTS else "does not know"
            raise UsageError(
                f"{simulator} {what} the fault {name!r}",
                hint=f"did you mean {close[0]}?"
                if close
                else f"it can play: {', '.join(sorted(offered))}",
            )
    return frozenset(names)
