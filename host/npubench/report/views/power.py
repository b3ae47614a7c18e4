"""The power trace: current over time with the stages shaded, and a window's charge and energy."""

from __future__ import annotations

from npubench.core import format as fmt
from npubench.report.library import Library, run_page
from npubench.report.trace import SINGLE_BINS, read_trace
from npubench.report.view import View
from npubench.runs.store import StoredRun

TITLE = "Power trace"
ORDER = 52

WIDTH, HEIGHT = 1000.0, 220.0
STAGE_CLASS = {
    "init_warm": "c7",
    "load": "c2",
    "infer": "c1",
    "unload": "c3",
    "post": "c4",
    "idle": "c5",
}


def of_run(stored: StoredRun, library: Library) -> View | None:
    """The run's capture; where every run has a page, so many bins that a site can hold."""
    run = stored.record
    if run.energy is None:
        return None
    path = run_page(run.run_id).replace("runs/", "data/", 1)
    few = {} if library.every_run else {"most_bins": SINGLE_BINS}
    trace = read_trace(stored.path / "power", path=path, voltage_mv=run.energy.voltage_mv, **few)
    if trace is None:
        return None
    strokes, top = trace.sketch(WIDTH, HEIGHT)
    shades = [
        {
            "x": begin / trace.seconds * WIDTH,
            "width": max(0.5, (end - begin) / trace.seconds * WIDTH),
            "stage": stage.replace("_", " "),
            "colour": STAGE_CLASS.get(stage, "c5"),
        }
        for stage, begin, end in trace.windows
    ]
    bin_words = f"one sample, {fmt.si(1 / trace.rate_hz, 's')}"
    if trace.per_bin > 1:
        bin_words = f"{trace.per_bin} samples, {fmt.si(trace.per_bin / trace.rate_hz, 's')}"
    return View(
        lead=f"Current over {fmt.si(trace.seconds, 's')} of the instrument's clock, "
        f"{fmt.count(trace.samples)} samples, up to {fmt.si(trace.top_ua / 1e6, 'A')}. The stages "
        "are shaded. A window is cut at bins of " + bin_words + ".",
        template="views/power.html.j2",
        values={
            "trace": trace,
            "strokes": strokes,
            "top": fmt.si(top / 1e6, "A"),
            "seconds": fmt.si(trace.seconds, "s"),
            "shades": shades,
            "stages": list(dict.fromkeys((item["stage"], item["colour"]) for item in shades)),
            "target": run.target,
        },
    )
