"""The ways in which a line to a board fails, each a DeviceError of its own kind."""

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
