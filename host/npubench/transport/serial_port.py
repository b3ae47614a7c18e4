"""A serial port, through pyserial.

Notes on opening: it asserts DTR and RTS, as terminals do, and boards with an auto-reset circuit
restart on that edge; a banner may therefore follow, which ``Device.sync`` swallows. HUPCL is
cleared where the system has it, so that *closing* does not drop DTR and reset the board again.
"""

from __future__ import annotations

import errno
import logging
import select
import time
from types import TracebackType
from typing import Any, Self

from npubench.core.errors import DeviceError
from npubench.transport.failure import DeviceEnded, PortBusy, PortForbidden, PortMissing

log = logging.getLogger(__name__)

WRITE_TIMEOUT_S = 10.0


class SerialTransport:
    """The port called ``port`` at ``baud`` bit/s, 8N1, held exclusively."""

    def __init__(self, port: str, *, baud: int) -> None:
        self._port = port
        self._baud = baud
        self._serial: Any = None

    def __enter__(self) -> Self:
        import serial

        try:
            self._serial = serial.Serial(
                self._port, self._baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True
            )
            self._keep_lines_on_close()
            self._serial.reset_input_buffer()
        except (serial.SerialException, OSError) as error:
            raise _explain(self._port, error) from error
        except ValueError as error:
            raise DeviceError(
                f"{self._port}: {self._baud} baud is not possible: {error}",
                hint="set console.baud in the board's file to a speed that the adapter has",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._serial is not None:
            self._serial.close()
            self._serial = None

    def read(self, timeout_s: float) -> bytes:
        import serial

        try:
            if not self._wait(timeout_s):
                return b""
            return bytes(self._serial.read(max(1, self._serial.in_waiting)))
        except (serial.SerialException, OSError) as error:
            raise self._ended(error) from error

    def write(self, data: bytes) -> None:
        import serial

        try:
            self._serial.write(data)
        except serial.SerialTimeoutException as error:
            raise DeviceError(
                f"{self._port} did not take {len(data)} bytes within {WRITE_TIMEOUT_S:g} s",
                hint="is flow control on, or the adapter stuck?",
            ) from error
        except (serial.SerialException, OSError) as error:
            raise self._ended(error) from error

    def set_baud(self, baud: int) -> None:
        import serial

        try:
            self._serial.flush()
            self._serial.baudrate = baud
        except (serial.SerialException, OSError, ValueError) as error:
            raise DeviceError(f"{self._port} cannot run at {baud} baud: {error}") from error
        self._baud = baud

    def now_s(self) -> float:
        return time.monotonic()

    def describe(self) -> str:
        return f"serial {self._port} at {self._baud} baud"

    def _wait(self, timeout_s: float) -> bool:
        """Whether something can be read within ``timeout_s``. pyserial's own time-out would set the
        port up anew whenever it changes."""
        if not hasattr(select, "poll"):
            self._serial.timeout = timeout_s
            return True
        poll = select.poll()
        poll.register(self._serial.fileno(), select.POLLIN)
        return bool(poll.poll(max(0.0, timeout_s) * 1000))

    def _ended(self, error: Exception) -> DeviceEnded:
        return DeviceEnded(f"{self._port} is gone: {error}", hint="was the board unplugged?")

    def _keep_lines_on_close(self) -> None:
        """Clear HUPCL, so that the board is not reset when the port is closed."""
        try:
            import termios
        except ImportError:
            return
        try:
            attributes = termios.tcgetattr(self._serial.fileno())
            attributes[2] &= ~termios.HUPCL
            termios.tcsetattr(self._serial.fileno(), termios.TCSANOW, attributes)
        except (termios.error, OSError) as error:
            log.debug("%s: HUPCL cannot be cleared: %s", self._port, error)


def _explain(port: str, error: OSError) -> DeviceError:
    """The error of opening a port, by its cause. pyserial hides some causes in the message."""
    text = str(error)
    code = error.errno
    if code in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or "FileNotFoundError" in text:
        return PortMissing(
            f"there is no port {port}",
            hint="is the board plugged in? npubench boards detect lists what is there",
        )
    if code in (errno.EACCES, errno.EPERM) or "PermissionError" in text:
        return PortForbidden(
            f"{port} may not be opened by this user",
            hint="join the port's group and log in again: sudo usermod -aG dialout $USER",
        )
    if code in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text:
        return PortBusy(
            f"{port} is held by another program",
            hint=f"close the terminal or monitor that uses it (find it: fuser {port})",
        )
    return DeviceError(f"{port} cannot be opened: {text}", hint="is it a serial port?")
