"""log.txt of EEMBC's EnergyRunner: what was asked of the device and when, by the host's clock.

A line is seconds, a source and words. A device may print several lines at once; the runner then
stamps the first of them only, and the others take its time.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from npubench.audit.accuracy import Answer
from npubench.audit.textfile import read_text

LINE = re.compile(r"^(\d{1,12}\.\d{1,9})\s+([\w .-]{1,40}):\s?(.*)$")
INFER_START = re.compile(r"m-infer-start-(\d{1,12})(?!\d)")
LAP = re.compile(r"m-lap-us-(\d{1,20})(?!\d)")
VOLTAGE = re.compile(r"m-voltage-mv\[(\d{1,9}(?:\.\d{1,9})?)\]")
ERROR = re.compile(r"(?<![\w-])e-\[(.*)$")
DROPPED = re.compile(r"m-\[Dropped (\d{1,15}) packets? out of (\d{1,15})")
REGISTERED = re.compile(r"m-regfile-fn\[([^\]/\\]+)\]-type\[(emon|etime)\]")
RUN_NAME = re.compile(r"m-bmark-run-name\[ML (Energy|Performance)", re.IGNORECASE)
LOADED = re.compile(r'Command "bload \w{1,20} "?([^"]{1,1000})"')
ANSWER = re.compile(r"m-results-\[([^\]]{1,20000})\]")
MODEL = re.compile(r"m-model-\[(\w{1,40})\]")
MLCOMMONS = re.compile(r"^Logging initialized\. Writing output to |^Power Edition Output", re.M)


@dataclass(slots=True, kw_only=True)
class LoggedWindow:
    """An ``infer``: inferences, host times of start and done, laps in microseconds."""

    inferences: int
    start_s: float
    done_s: float | None = None
    laps_us: list[int] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Log:
    """One session. ``uploads_s``: host times of the uploads' beginnings and ends; ``trace_name``
    and ``stamps_name``: the files the runner said it wrote; ``answers``: what the device said
    to each input, by the input's file."""

    runner: str = "eembc"
    mode: str = ""
    windows: list[LoggedWindow] = field(default_factory=list)
    uploads_s: list[tuple[float, float]] = field(default_factory=list)
    trace_on_s: float | None = None
    voltage_mv: float | None = None
    dropped: tuple[int, int] = (0, 0)
    trace_name: str = ""
    stamps_name: str = ""
    errors: list[str] = field(default_factory=list)
    model: str = ""
    answers: list[Answer] = field(default_factory=list)


def read_log(path: Path) -> Log:
    """The last session that finished an inference, else the last one. Raises ResultError."""
    text = read_text(path)
    if MLCOMMONS.search(text):
        return Log(runner="mlcommons")
    sessions = [_Session()]
    at_s: float | None = None
    for line in text.splitlines():
        match = LINE.match(line)
        if match is not None:
            at_s, words = float(match.group(1)), match.group(3)
        else:
            words = line
        if at_s is None:
            continue
        if "m-session-start-id" in words:
            sessions.append(_Session())
        sessions[-1].take(at_s, words)
    finished = [
        session.log
        for session in sessions
        if any(window.done_s is not None for window in session.log.windows)
    ]
    return finished[-1] if finished else sessions[-1].log


class _Session:
    def __init__(self) -> None:
        self.log = Log()
        self._upload_begin_s: float | None = None
        self._loaded = ""

    def take(self, at_s: float, words: str) -> None:
        log = self.log
        window = log.windows[-1] if log.windows else None
        if found := INFER_START.search(words):
            log.windows.append(LoggedWindow(inferences=int(found.group(1)), start_s=at_s))
        elif found := LAP.search(words):
            if window is not None and window.done_s is None:
                window.laps_us.append(int(found.group(1)))
        elif "m-infer-done" in words:
            if window is not None and window.done_s is None:
                window.done_s = at_s
        elif "Starting at byte offset" in words:
            self._upload_begin_s = at_s
        elif "m-bload-done" in words or "m-bloadp-done" in words:
            if self._upload_begin_s is not None:
                log.uploads_s.append((self._upload_begin_s, at_s))
            self._upload_begin_s = None
        elif "m-trace[on]" in words:
            log.trace_on_s = at_s
        else:
            self._take_facts(words)

    def _take_facts(self, words: str) -> None:
        log = self.log
        if found := LOADED.search(words):
            self._loaded = re.split(r"[/\\]", found.group(1))[-1]
        elif found := ANSWER.search(words):
            scores = read_scores(found.group(1))
            if scores:
                log.answers.append(Answer(name=self._loaded, scores=scores))
        elif found := MODEL.search(words):
            log.model = found.group(1)
        elif found := VOLTAGE.search(words):
            log.voltage_mv = float(found.group(1))
        elif found := DROPPED.search(words):
            log.dropped = (int(found.group(1)), int(found.group(2)))
        elif found := REGISTERED.search(words):
            if found.group(2) == "emon":
                log.trace_name = found.group(1)
            else:
                log.stamps_name = found.group(1)
        elif found := RUN_NAME.search(words):
            log.mode = found.group(1).lower()
        elif found := ERROR.search(words):
            log.errors.append(found.group(1).rstrip("]"))


def read_scores(text: str) -> tuple[float, ...]:
    """Numbers between commas, one after the last allowed; nothing where one is no number."""
    try:
        scores = tuple(float(word) for word in text.rstrip().rstrip(",").split(","))
    except ValueError:
        return ()
    return scores if all(map(math.isfinite, scores)) else ()
