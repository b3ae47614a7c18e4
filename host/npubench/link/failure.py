"""The ways in which talking to a board fails, each a DeviceError of its own kind."""

from __future__ import annotations

from npubench.core.errors import DeviceError


class PortMissing(DeviceError):
    """The port does not exist, or nothing listens at the address."""


class PortBusy(DeviceError):
    """Another program holds the port."""


class PortForbidden(DeviceError):
    """The port exists, but this user may not open it."""


class DeviceEnded(DeviceError):
    """The other side is gone: unplugged, the emulator died, the connection was closed."""


class DeviceSilent(DeviceError):
    """Nothing came, or nothing more, within the silence time-out."""


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
