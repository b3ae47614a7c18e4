"""Stands in for QEMU in tests: takes its arguments, speaks the protocol on the socket it inherits.

The machine's name says how it behaves: ``good``; ``broken`` ends before the banner; ``mortal`` ends
when it is asked to bench; ``hung`` says nothing.
"""

from __future__ import annotations

import re
import signal
import socket
import sys

from npubench.emulators.simulated import SimulatedBoard
from npubench.transport.failure import DeviceEnded
from npubench.transport.socket_port import SocketTransport


class Mortal(SimulatedBoard):
    """A board whose emulator dies in the middle of a measurement."""

    def feed(self, data: bytes) -> bytes:
        if b"bench" in data:
            sys.stderr.write("tcg: internal error\n")
            sys.exit(3)
        return super().feed(data)


def main() -> None:
    machine = sys.argv[sys.argv.index("-M") + 1]
    found = re.search(r"fd=(\d+)", sys.argv[sys.argv.index("-chardev") + 1])
    assert found is not None
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if machine == "broken":
        sys.exit("stand-in: no such machine")
    board = Mortal() if machine == "mortal" else SimulatedBoard()
    with SocketTransport(socket.socket(fileno=int(found[1])), label="host") as line:
        try:
            if machine != "hung":
                line.write(board.boot())
            while True:
                data = line.read(1.0)
                if data and machine != "hung":
                    line.write(board.feed(data))
        except DeviceEnded:
            return


main()
