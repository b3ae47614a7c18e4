"""Upload protocols: from an image to the command line that puts it on a board.

To add one, write a function with the signature of ``_openocd`` and name it in ``PROTOCOLS``.
"""

from __future__ import annotations

import subprocess
import sys


def _openocd(arguments, image, probe_serial, port):
    """OpenOCD: ``arguments`` select probe and target, e.g. ``-f board/st_nucleo_l4.cfg``."""
    del port
    command = ["openocd", *arguments]
    if probe_serial:
        command += ["-c", f"adapter serial {probe_serial}"]
    return [*command, "-c", f"program {{{image['elf']}}} verify reset exit"]


PROTOCOLS = {"openocd": _openocd}


def upload_command(protocol, arguments, image, probe_serial, port):
    """The command line as a list. ``image`` maps ``elf``, ``bin`` and ``hex`` to paths."""
    if protocol not in PROTOCOLS:
        known = ", ".join(sorted(PROTOCOLS))
        raise ValueError(f"unknown upload protocol {protocol!r}; known: {known}")
    return PROTOCOLS[protocol](arguments, image, probe_serial, port)


def run_upload(command):
    """Run it; returns its exit code, 127 when the program is not installed."""
    sys.stdout.write(f"upload: {command}\n")
    sys.stdout.flush()
    try:
        return subprocess.call(command, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        sys.stderr.write(f"Error: {command[0]} is not installed\n")
        return 127
