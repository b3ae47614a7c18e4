"""The windows of a stored capture, from the marks beside it."""

from __future__ import annotations

from pathlib import Path

from npubench.core.errors import StorageError
from npubench.power.capture.session import MARKS_FILE, read_marked
from npubench.power.energy.clockfit import device_edges, fit_clocks
from npubench.power.energy.edges import EdgeFinder
from npubench.power.energy.marks import PAUSE, STAGE_OF_CODE
from npubench.power.energy.refusal import Reason
from npubench.power.parts import Capture
from npubench.power.plot.envelope import envelope
from npubench.power.plot.png import Shade, trace_png


def shades_of(capture: Capture) -> tuple[Shade, ...]:
    """Where the stages lie in a capture; none when its marks do not match."""
    if not (capture.folder / MARKS_FILE).exists():
        return ()
    marked = read_marked(capture.folder)
    marks, wiring = marked.marks, marked.wiring
    if not marks:
        return ()
    finder = EdgeFinder(wiring)
    for block in capture.blocks():
        finder.feed(block)
    fit = fit_clocks(
        device_edges(marks, knows_codes=wiring.knows_codes),
        finder.edges(),
        rate_hz=capture.traits.rate_hz,
        falling_only=capture.traits.edges == "falling",
    )
    if isinstance(fit, Reason):
        return ()
    shades = []
    segment = 0
    for mark in marks:
        begin = fit.place(mark.begin_s, segment)
        segment += mark.slept
        end = fit.place(mark.end_s, segment)
        if mark.code != PAUSE:
            shades.append(Shade(stage=STAGE_OF_CODE[mark.code], begin=begin, end=end))
    return tuple(shades)


def draw(capture: Capture, png: Path, *, begin_s: float, end_s: float | None, columns: int) -> None:
    """Write the trace of a capture, or of a part of it, as a picture with its stages shaded.

    Raises StorageError when the file cannot be written.
    """
    rate_hz = capture.traits.rate_hz
    total = capture.count()
    first = max(0, int(begin_s * rate_hz))
    stop = min(total, int(end_s * rate_hz) if end_s is not None else total)
    drawn = envelope(capture.blocks(), first=first, stop=max(stop, first + 1), columns=columns)
    picture = trace_png(drawn, shades_of(capture), rate_hz=rate_hz, title=capture.identity.model)
    try:
        png.write_bytes(picture)
    except OSError as error:
        raise StorageError(f"{png}: {error.strerror}", hint="choose another file") from error
