"""What is plugged in: serial ports and probes whose USB ids belong to a board that we know."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from npubench.boards import Board, board_ids, load_board
from npubench.core.errors import DeviceError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """One serial port, with the boards that its USB id may belong to."""

    port: str
    usb: str
    serial_number: str | None
    product: str | None
    boards: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """The device as JSON values."""
        return asdict(self)

    def line(self) -> str:
        """The device in one line, with the option that selects it."""
        return (
            f"{self.port}  {self.usb}  {self.product or ''}  serial {self.serial_number or '?'}"
            f"  may be: {', '.join(self.boards)}"
        )


def detect_boards() -> tuple[Detected, ...]:
    """Every port whose USB id a board names as its console or probe, sorted by port."""
    from serial.tools.list_ports import comports

    known: dict[str, list[str]] = {}
    for name in board_ids():
        board = load_board(name)
        for usb in _usb_ids(board):
            known.setdefault(usb, []).append(name)
    found = []
    for port in comports():
        if port.vid is None or port.pid is None:
            continue
        usb = f"{port.vid:04x}:{port.pid:04x}"
        if usb in known:
            found.append(
                Detected(
                    port=port.device,
                    usb=usb,
                    serial_number=port.serial_number,
                    product=port.product,
                    boards=tuple(known[usb]),
                )
            )
    return tuple(sorted(found, key=lambda device: device.port))


def _usb_ids(board: Board) -> set[str]:
    probes = board.flash.probe_usb if board.flash is not None else ()
    return {usb.lower() for usb in (*board.console.usb, *probes)}


def find_port(board: Board, *, port: str | None, probe_serial: str | None) -> Detected | str:
    """The one port of a physical board: named, or found by the probe's serial number.

    Never the first match: raises UsageError when several could be meant, DeviceError when none is
    plugged in.
    """
    if port is not None:
        return port
    if board.flash is not None and board.flash.protocol == "ssh":
        return f"ssh://{board.flash.arguments[-1]}"
    candidates = [device for device in detect_boards() if board.id in device.boards]
    if probe_serial is not None:
        candidates = [device for device in candidates if device.serial_number == probe_serial]
    if not candidates:
        ids = ", ".join(sorted(_usb_ids(board))) or "none known"
        wanted = f" with serial number {probe_serial}" if probe_serial else ""
        raise DeviceError(
            f"no {board.id}{wanted} is attached (looked for USB ids {ids})",
            hint="plug it in, or name its console: --port /dev/ttyACM0",
        )
    if len(candidates) > 1:
        raise UsageError(
            f"several devices could be {board.id}: "
            + "; ".join(f"{device.port} (serial {device.serial_number})" for device in candidates),
            hint="name one: --probe SERIAL or --port PORT",
        )
    return candidates[0]
