"""What a bench marked, beside its capture: enough to account for the energy again, later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from npubench.core.errors import ResultError
from npubench.power.energy.edges import Wiring
from npubench.power.energy.marks import Mark

MARKS_FILE = "marks.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """The device's marks, and whose they are.

    ``stage_us``: how long one repetition of a stage takes. ``played_back``: whether the capture was
    made from the marks instead of while they happened. ``idle_is_known``: False where nobody knows
    what idle takes, so that it is the power of waiting. ``board``, ``backend`` and ``artifact``
    (the hash of the network in the firmware) are those of the device.
    """

    marks: tuple[Mark, ...]
    wiring: Wiring = field(default_factory=Wiring)
    stage_us: Mapping[str, float] = field(default_factory=dict)
    device_clock_ppm: float = 0.0
    played_back: bool = False
    idle_is_known: bool = True
    board: str = ""
    backend: str = ""
    artifact: str = ""

    @property
    def idle_must_sleep(self) -> bool:
        """Whether an idle window counts only where the board slept in it."""
        return not self.played_back or not self.idle_is_known

    def write(self, folder: Path) -> None:
        """Write it beside the capture in ``folder``."""
        text = json.dumps(asdict(self), indent=1)
        (folder / MARKS_FILE).write_text(text + "\n", encoding="utf-8")


def read_marked(folder: Path) -> Marked:
    """The marks beside a capture. Raises ResultError when there are none of a bench."""
    path = folder / MARKS_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        wiring = document.pop("wiring")
        marks = tuple(Mark(**mark) for mark in document.pop("marks"))
        return Marked(
            marks=marks,
            wiring=Wiring(codes=tuple(wiring["codes"]), busy=wiring["busy"]),
            **document,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultError(
            f"{path} holds no marks of a bench: {error}",
            hint="only a capture from a run's folder can be replayed in a bench",
        ) from error
