"""The instrument of a run while it captures: on this machine, or at the desk of the board's place.

At a desk samples are recorded where they arise, and the capture's parts are brought here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from npubench.bench.job import Settings
from npubench.core.errors import UsageError
from npubench.desk.client import Desk
from npubench.power.capture.recorder import Recorder
from npubench.power.capture.rig import (
    VIRTUAL,
    Choice,
    Playback,
    capture_playback,
    choose_power,
    open_power,
)
from npubench.power.energy.marks import Mark
from npubench.power.parts import Capture
from npubench.power.simulators.catalog import SUFFIX
from npubench.power.source.interface import Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a simulated instrument is shown: a board's marks, and how long a repetition of each
    stage takes."""

    board: str
    marks: tuple[Mark, ...]
    stage_us: Mapping[str, float]


def chosen_power(settings: Settings) -> Choice:
    """What ``--power`` means: a name of this machine's bench.toml, of the desk's, or a simulated
    one. Raises UsageError, ConfigError, and DeviceError when the desk does not answer."""
    if settings.power is None:
        raise UsageError("no power instrument is named", hint="name one: --power ppk2-sim")
    simulated = settings.power == VIRTUAL or settings.power.endswith(SUFFIX)
    if settings.desk is None or simulated:
        return choose_power(settings.power, settings.power_faults)
    return settings.desk.choose(settings.power)


def played_capture(
    choice: Choice, settings: Settings, playback: Playback, *, folder: Path, shown: Shown
) -> tuple[Traits, Capture]:
    """What a simulated instrument makes of a board's marks, in ``folder``. Raises MonitorError."""
    if settings.desk is not None and choice.name != VIRTUAL:
        capture = settings.desk.play(
            choice.name,
            settings.power_faults,
            board=shown.board,
            marks=shown.marks,
            stage_us=shown.stage_us,
            trouble_s=playback.trouble_s,
            seed=playback.seed,
            folder=folder,
        )
        return capture.traits, capture
    with open_power(choice, playback) as opened:
        count = math.floor(playback.trace.seconds * opened.traits.rate_hz)
        count = count if opened.feed is None else opened.feed.count
        return opened.traits, capture_playback(opened, folder, samples=count)


@contextmanager
def live_capture(choice: Choice, desk: Desk | None, folder: Path) -> Iterator[Traits]:
    """Capture into ``folder`` while entered; it is closed on leaving. Raises MonitorError."""
    if desk is not None:
        with desk.recording(choice.name, folder) as traits:
            yield traits
        return
    with (
        open_power(choice) as opened,
        Recorder(opened.source, folder, identity=opened.identity, traits=opened.traits) as recorder,
    ):
        yield opened.traits
        recorder.stop()
