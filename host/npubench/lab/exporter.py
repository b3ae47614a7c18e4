"""A labgrid exporter's configuration for what is plugged in, and words that make places of it."""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Sequence

from npubench.boards import load_board
from npubench.flash.detect import Detected


def exporter_text(devices: Sequence[Detected], *, host: str | None = None) -> str:
    """YAML for `labgrid-exporter`: one group for each console, with its probe and the way to the
    hands of this machine; then, as comments, how each becomes a place.

    ``host``: how others reach this machine by ssh; its own name where None. A board that could be
    several is written with all its names in a comment: only its owner knows.
    """
    here = host or socket.gethostname()
    lines = [f"# labgrid-exporter -c COORDINATOR:20408 {here}.yaml"]
    commands: list[str] = []
    for number, device in enumerate(devices, 1):
        group = f"bench-{number}"
        board = load_board(device.boards[0])
        lines += ["", f"# {_plain(device.product or '?')}, USB {device.usb}, may be: "
                  f"{', '.join(device.boards)}", f"{group}:"]  # fmt: skip
        if device.serial_number:
            match = f"    match: {{ID_SERIAL_SHORT: {json.dumps(device.serial_number)}}}"
            lines += ["  USBSerialPort:", match]
        else:
            lines += ["  RawSerialPort:", f"    port: {json.dumps(device.port)}"]
        lines.append(f"    speed: {board.console.baud}")
        probes = () if board.flash is None else board.flash.probe_usb
        if device.serial_number and device.usb in probes:
            lines += ["  USBDebugger:", match]
        lines += [
            "  npubench:",
            "    cls: NetworkService",
            f"    address: {json.dumps(here)}",
            f"    username: {json.dumps(getpass.getuser())}",
        ]
        tags = f"board={board.id}"
        if device.serial_number:
            tags += f" probe={device.serial_number}"
        commands += [
            f"# labgrid-client -p {group} create",
            f"# labgrid-client -p {group} add-match '{here}/{group}/*'",
            f"# labgrid-client -p {group} set-tags {tags}",
        ]
    return "\n".join([*lines, "", *commands]) + "\n"


def _plain(text: str) -> str:
    return "".join(char for char in text if char.isprintable())
