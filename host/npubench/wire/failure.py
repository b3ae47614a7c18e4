"""The ways in which a board that can be reached fails, each a DeviceError of its own kind.

That nobody can be reached at all is said in transport/failure.py.
"""

from __future__ import annotations

from npubench.core.errors import DeviceError


class DeviceBabble(DeviceError):
    """Bytes come, but they are not the protocol."""


class DeviceLate(DeviceError):
    """The board keeps talking, but its answer did not end before the deadline."""


class DeviceReset(DeviceError):
    """The boot banner came in the middle of an answer."""


class DeviceFault(DeviceError):
    """The firmware's fault handler reported an exception."""


class DeviceRefused(DeviceError):
    """The board answered with an ``e-[...]`` line.

    ``number`` is the extension's error number (firmware/protocol.toml), None for a base error.
    """

    def __init__(self, message: str, *, number: int | None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.number = number


class EngineFailed(DeviceRefused):
    """The engine that runs the network failed; ``code`` is its driver's own number (negative)."""

    def __init__(self, message: str, *, number: int, code: int, hint: str = "") -> None:
        super().__init__(message, number=number, hint=hint)
        self.code = code


class RecordLost(DeviceError):
    """An answer lacks records: lines were lost or damaged on the way."""


class RecordBroken(DeviceError):
    """A record arrived whole, but its content is not what the protocol says."""


class WrongFirmware(DeviceError):
    """The firmware that answers is not the one that was asked for."""


class ProtocolNewer(DeviceError):
    """The firmware speaks a newer version of the protocol."""
