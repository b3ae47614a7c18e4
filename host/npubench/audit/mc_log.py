"""log.txt of MLCommons' runner: how long an inference took at most, answers, the streaming run.

It repeats what results.json has, in whole seconds and fewer digits, and serves where that file
was not submitted.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from npubench.audit.accuracy import Answer
from npubench.audit.labels import words_s
from npubench.audit.log import read_scores
from npubench.audit.streaming import StreamingRun
from npubench.audit.textfile import read_text

DAY_S = 86_400
# Month and day, then the time of day in whole seconds.
STEP = re.compile(
    r"^\d{4}\.(\d{2})(\d{2})(\d{2}) ulp-mlperf: (Loading file|Load complete|Performance results)",
    re.MULTILINE,
)
MODEL = re.compile(r"^Device model retrieved: (\w{1,40})", re.MULTILINE)
ANSWERED = re.compile(r"Loading file (\S{1,255}) segment \d|m-results\s*: \[([^\]\n]{1,20000})\]")
DETECTIONS = re.compile(r"^\[(\d{1,12}(?:, \d{1,12}){0,20000})\]$", re.MULTILINE)
DUTY = re.compile(r"^Duty cycle = (\d\.\d{1,6}), Period = (\d{1,4}\.\d{1,4}) ms", re.MULTILINE)
PLAYING = re.compile(r"^Playing (\S{1,255}) \(length = (\d{1,6}(?:\.\d{1,6})?)s\)", re.MULTILINE)
WORDS_FILE = "long_wav.wav"


@dataclass(slots=True, kw_only=True)
class McLog:
    """``spans_s``: from the end of each load to the step after it, infinite for the last of an
    energy run, which has none."""

    model: str = ""
    spans_s: list[float] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    streaming_run: StreamingRun | None = None


def read_mc_log(path: Path) -> McLog:
    """Everything that the audit uses of it. Raises ResultError."""
    text = read_text(path).replace("\r\n", "\n")
    model = MODEL.search(text)
    return McLog(
        model=model.group(1) if model else "",
        spans_s=_spans(text),
        answers=_answers(text),
        streaming_run=_streaming(text),
    )


def _spans(text: str) -> list[float]:
    """From the end of a load to the step after it, and the second to which both are rounded
    down."""
    steps = [
        (3600 * int(hour) + 60 * int(minute) + int(second), what)
        for hour, minute, second, what in STEP.findall(text)
    ]
    return [
        float((steps[at + 1][0] - begin_s) % DAY_S + 1) if at + 1 < len(steps) else math.inf
        for at, (begin_s, what) in enumerate(steps)
        if what == "Load complete"
    ]


def _answers(text: str) -> list[Answer]:
    found, name = [], ""
    for match in ANSWERED.finditer(text):
        if match.group(1):
            name = match.group(1)
        elif scores := read_scores(match.group(2)):
            found.append(Answer(name=name, scores=scores))
    return found


def _streaming(text: str) -> StreamingRun | None:
    """The recorded detections, and the duty cycle in the log's few digits."""
    playing, detections = PLAYING.search(text), DETECTIONS.search(text)
    if playing is None:
        return None
    duty_ratio = period_s = None
    rounding_ratio = 0.0
    if found := DUTY.search(text):
        duty_ratio, period_s = float(found.group(1)), float(found.group(2)) / 1000.0
        if duty_ratio and period_s:
            rounding_ratio = _half_unit(found.group(1)) / duty_ratio
            rounding_ratio += _half_unit(found.group(2)) / 1000.0 / period_s
    return StreamingRun(
        detections_ms=tuple(map(int, detections.group(1).split(", "))) if detections else (),
        words_s=words_s() if playing.group(1) == WORDS_FILE else (),
        duty_ratio=duty_ratio,
        period_s=period_s,
        rounding_ratio=rounding_ratio,
        length_s=float(playing.group(2)),
    )


def _half_unit(text: str) -> float:
    return 0.5 * 10.0 ** -len(text.partition(".")[2])
