"""What is plugged in: serial ports and probes whose USB ids belong to a board that we know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from npubench.boards import Board, board_ids, load_board
from npubench.core.errors import DeviceError, UsageError
from npubench.power.registry import driver_names, load_driver
from npubench.power.source.benchfile import read_bench
from npubench.power.source.driver import Found


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PluggedIn:
    """Boards and instruments on this desk, and a bench.toml for them."""

    devices: tuple[Detected, ...]
    instruments: tuple[Found, ...]
    bench_toml: str

    def document(self) -> dict[str, object]:
        """As JSON values."""
        return {
            "devices": [device.document() for device in self.devices],
            "bench_toml": self.bench_toml,
        }


def plugged_in() -> PluggedIn:
    """What is attached by USB, boards and instruments."""
    devices = detect_boards()
    instruments = tuple(item for name in driver_names() for item in load_driver(name).detect())
    return PluggedIn(
        devices=devices, instruments=instruments, bench_toml=bench_text(devices, instruments)
    )


def _usb_ids(board: Board) -> set[str]:
    probes = board.flash.probe_usb if board.flash is not None else ()
    return {usb.lower() for usb in (*board.console.usb, *probes)}


def find_port(board: Board, *, port: str | None, probe_serial: str | None) -> Detected | str:
    """The one port of a physical board: named, or found by the probe's serial number, given here or
    in bench.toml.

    Never the first match: raises UsageError when several could be meant, DeviceError when none is
    plugged in.
    """
    if port is not None:
        return port
    seat = read_bench().boards.get(board.id)
    if seat is not None and probe_serial is None:
        if seat.port:
            return seat.port
        probe_serial = seat.serial
    if board.flash is not None and board.flash.protocol == "ssh":
        return f"ssh://{board.flash.arguments[-1]}"
    candidates = [device for device in detect_boards() if board.id in device.boards]
    if probe_serial is not None:
        candidates = [device for device in candidates if device.serial_number == probe_serial]
    consoles = [device for device in candidates if device.usb in board.console.usb]
    candidates = consoles or candidates
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
            hint="name one: --probe SERIAL or --port PORT, or keep it in bench.toml "
            "(npubench boards detect prints one)",
        )
    return candidates[0]


def probe_of(board: Board, found: Detected | str, given: str | None) -> str | None:
    """The serial number by which the flash tool finds the board's probe: the one that was given,
    else the console's where console and probe are one USB device; None: the only probe there is."""
    if given is not None or not isinstance(found, Detected) or board.flash is None:
        return given
    return found.serial_number if found.usb in board.flash.probe_usb else None


def bench_text(devices: Sequence[Detected], instruments: Sequence[Found]) -> str:
    """A bench.toml of what is plugged in, ready to be kept.

    What could be several boards stands there once for each, commented out: only its owner knows.
    """
    lines = ["schema = 1"]
    certain = Counter(device.boards[0] for device in devices if len(device.boards) == 1)
    for device in devices:
        sure = len(device.boards) == 1 and certain[device.boards[0]] == 1
        mark = "" if sure else "# "
        lines += ["", f"# {_plain(device.port)}, USB {device.usb}, {_plain(device.product or '?')}"]
        if not sure:
            lines.append("# take away the # of the board that it is")
        for name in device.boards:
            lines.append(f"{mark}[boards.{name}]")
            if device.serial_number:
                lines.append(f'{mark}serial = "{_quoted(device.serial_number)}"')
            else:
                lines.append(f'{mark}port = "{_quoted(device.port)}"')
    for number, found in enumerate(instruments):
        count = sum(other.driver == found.driver for other in instruments[:number])
        name = found.driver if count == 0 else f"{found.driver}-{count + 1}"
        lines += ["", f"# {_plain(found.port)}, {_plain(found.product or found.driver)}"]
        lines += [f"[power.{name}]", f'driver = "{found.driver}"']
        key, value = ("serial", found.serial) if found.serial else ("port", found.port)
        lines.append(f'{key} = "{_quoted(value)}"')
        lines.append("voltage_mv = 3000.0  # what it supplies, or what the board is supplied with")
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text of a USB descriptor without what could end a comment's line."""
    return "".join(char for char in text if char.isprintable())


def _quoted(text: str) -> str:
    """The same for between quotes in TOML."""
    return _plain(text).replace("\\", "\\\\").replace('"', '\\"')
