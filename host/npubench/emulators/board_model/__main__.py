"""A board model as a process: ``python -m npubench.emulators.board_model BOARD ELF FD [WINDOWS]``.

The console is the connected socket FD. It ends when the other side closes, or when the firmware
runs into something that would lock up the board; what that was is said on stderr.
"""

from __future__ import annotations

import select
import socket
import sys
from pathlib import Path

from npubench.boards import load_board
from npubench.core.errors import NpubenchError
from npubench.emulators.board_model.cores import power_up
from npubench.emulators.board_model.powered import PoweredBoard

SLICE_INSTRUCTIONS = 500_000
CHUNK_BYTES = 65536


def serve(model: PoweredBoard, line: socket.socket) -> None:
    """Run the model and carry its console over ``line`` until the other side closes it."""
    poll = select.poll()
    poll.register(line, select.POLLIN | select.POLLHUP)
    while True:
        model.run(SLICE_INSTRUCTIONS)
        sent = model.take_sent()
        if sent:
            line.sendall(sent)
        if poll.poll(None if model.is_idle else 0):
            data = line.recv(CHUNK_BYTES)
            if not data:
                return
            model.feed(data)


def main(words: list[str]) -> int:
    """Serve one board; the exit code is that of the error."""
    board_id, elf, fd, *windows = words
    try:
        with socket.socket(fileno=int(fd)) as line:
            line.setblocking(True)
            model = power_up(load_board(board_id), Path(elf))
            if windows:
                model.tally_windows(Path(windows[0]))
            serve(model, line)
    except NpubenchError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code
    except (BrokenPipeError, ConnectionResetError):
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
