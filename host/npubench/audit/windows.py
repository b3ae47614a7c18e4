"""What is wrong with the windows of a run: too short, too few, marks lost, uploads within.

The rules run on what there is: the raw window where it has a time, else the published one, else
what the host saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from npubench.audit.figures import CLOCK_TOLERANCE_RATIO, HOST_TOLERANCE_S
from npubench.audit.result import AuditResult, AuditWindow
from npubench.audit.rules import Finding

MIN_WINDOW_S = 10.0
MIN_INFERENCES = 10
WINDOWS = 5
UPLOAD_TOLERANCE_S = 0.1
# In the streaming test a stop before the start may leave a mark of its own.
STREAMING_MARKS = (2, 3)
STREAMING_TOLERANCE_S = 1.0


def check_windows(result: AuditResult) -> Iterator[Finding]:
    """Every window of a performance or energy run."""
    yield from _check_length(result)
    if not result.streaming:
        yield from _check_count(result)
    for window in result.windows:
        yield from _check_window(result, window)
    yield from _check_marks(result)
    yield from _published_windows(result)


def _times(result: AuditResult) -> Iterator[tuple[int, int, float, str]]:
    """Of each window its number, inferences, seconds, and whose time that is."""
    for number in range(max(len(result.windows), len(result.published_windows))):
        raw = result.windows[number] if number < len(result.windows) else None
        printed = (
            result.published_windows[number] if number < len(result.published_windows) else None
        )
        inferences = (raw.inferences if raw else 0) or (printed.inferences or 0 if printed else 0)
        if raw is not None and raw.seconds is not None:
            yield number, inferences, raw.seconds, ""
        elif printed is not None and printed.seconds is not None:
            yield number, inferences, printed.seconds, " as published"
        elif raw is not None and raw.host_s is not None:
            yield number, inferences, raw.host_s, " by the host"


def _check_length(result: AuditResult) -> Iterator[Finding]:
    times = list(_times(result))
    if result.streaming:
        length_s = result.streaming_run.length_s if result.streaming_run else None
        for _, _, seconds, whose in times:
            if length_s and seconds < length_s - STREAMING_TOLERANCE_S:
                yield Finding(
                    rule="window-too-short",
                    folder=result.folder,
                    detail=f"the run lasts {seconds:.1f} s{whose}, its file {length_s:.1f} s",
                )
        return
    short = [item for item in times if item[2] < MIN_WINDOW_S or 0 < item[1] < MIN_INFERENCES]
    if not short:
        return
    number, inferences, seconds, whose = min(short, key=lambda item: (item[2], item[0]))
    yield Finding(
        rule="window-too-short",
        folder=result.folder,
        detail=f"{len(short)} of {len(times)} windows; the shortest is window {number}: "
        f"{inferences or 'unknown'} inferences in {seconds:.3f} s{whose}",
        count=len(short),
    )


def _check_count(result: AuditResult) -> Iterator[Finding]:
    raw, published = len(result.windows), len(result.published_windows)
    count = max(raw, published)
    if count and count != WINDOWS:
        yield Finding(rule="window-count", folder=result.folder, detail=f"{count} windows")
    if 0 < raw < published:
        yield Finding(
            rule="raw-data-absent",
            folder=result.folder,
            detail=f"the raw files hold {raw} of {published} published windows",
        )


def _check_window(result: AuditResult, window: AuditWindow) -> Iterator[Finding]:
    if window.marks not in (STREAMING_MARKS if result.streaming else (2,)):
        yield Finding(
            rule="marks-do-not-pair",
            folder=result.folder,
            detail=f"window {window.number} has {window.marks} marks",
        )
    if window.seconds is not None and _is_longer(window.seconds, window.host_s):
        yield Finding(
            rule="upload-in-window",
            folder=result.folder,
            detail=f"window {window.number} lasts {window.seconds:.3f} s, its inferences "
            f"{window.host_s:.3f} s by the host",
            moves_pct=_share_pct(window.seconds, window.host_s),
        )


def _check_marks(result: AuditResult) -> Iterator[Finding]:
    details = list(result.unpaired)
    expected = 1 + 2 * len(result.windows)
    if result.runner == "eembc" and result.marks_count not in (None, expected):
        details.append(
            f"{result.marks_count} marks, {expected} are due for {len(result.windows)} windows"
        )
    for detail in details:
        yield Finding(rule="marks-do-not-pair", folder=result.folder, detail=detail)


def _is_longer(seconds: float, host_s: float | None) -> bool:
    if host_s is None:
        return False
    return seconds > host_s + max(HOST_TOLERANCE_S, CLOCK_TOLERANCE_RATIO * host_s)


def _share_pct(seconds: float, inferring_s: float | None) -> float | None:
    """How much longer than its inferences a window is."""
    return 100.0 * (seconds / inferring_s - 1.0) if inferring_s else None


def _published_windows(result: AuditResult) -> Iterator[Finding]:
    """Windows as printed against the inferences and the uploads as they happened."""
    inferences = [
        (window.infer_begin_s, window.infer_begin_s + window.host_s)
        for window in result.windows
        if window.infer_begin_s is not None and window.host_s is not None
    ]
    for number, published in enumerate(result.published_windows):
        if published.seconds is None:
            continue
        if published.begin_s is not None and inferences:
            end_s = published.begin_s + published.seconds
            inside = _overlap(published.begin_s, end_s, inferences)
            outside = max(published.seconds - inside, 0.0)
            upload = _overlap(published.begin_s, end_s, result.uploads_s)
            if outside > HOST_TOLERANCE_S or upload > UPLOAD_TOLERANCE_S:
                yield Finding(
                    rule="upload-in-window",
                    folder=result.folder,
                    detail=f"the published window {number} of {published.seconds:.2f} s at "
                    f"{published.begin_s:.2f} s holds {outside:.2f} s outside the "
                    f"inferences, {upload:.2f} s of them uploads",
                    moves_pct=100.0 * outside / published.seconds if published.seconds else None,
                )
        elif number < len(result.windows):
            host_s = result.windows[number].host_s
            if _is_longer(published.seconds, host_s):
                yield Finding(
                    rule="upload-in-window",
                    folder=result.folder,
                    detail=f"the published window {number} lasts {published.seconds:.2f} s, its "
                    f"inferences {host_s:.2f} s by the host",
                    moves_pct=_share_pct(published.seconds, host_s),
                )


def _overlap(begin_s: float, end_s: float, spans_s: Sequence[tuple[float, float]]) -> float:
    return sum(max(0.0, min(end_s, end) - max(begin_s, begin)) for begin, end in spans_s)
