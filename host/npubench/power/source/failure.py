"""How an instrument fails: the classes of MonitorError, each a reason of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from npubench.core.errors import MonitorError


class InstrumentGone(MonitorError):
    """The port closed, the cable came out, the other side ended."""


class InstrumentSilent(MonitorError):
    """Nothing came although samples were due."""


class InstrumentUncalibrated(MonitorError):
    """The instrument says itself that its calibration is not usable."""


class RecordingEnded(MonitorError):
    """A stored recording came to its end: nothing is wrong."""


class SdkMissing(MonitorError):
    """The vendor's package is not installed."""

    exit_code = 3


def sdk_missing(package: str, extra: str) -> SdkMissing:
    """The error of a driver whose SDK cannot be imported."""
    return SdkMissing(
        f"the Python package {package} is not installed",
        hint=f'pip install "npubench[{extra}]"',
    )


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Around a driver's talk: an answer of another form than its protocol's is the instrument's
    failure. Raises MonitorError."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise MonitorError(
            f"{what} answered what its driver does not understand: {type(error).__name__}: {error}",
            hint="is it the instrument and the firmware that the driver is for?",
        ) from error
