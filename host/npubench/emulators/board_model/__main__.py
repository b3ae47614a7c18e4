"""A board model as a process: ``python -m npubench.emulators.board_model BOARD ELF FD [WINDOWS]``.

The console is the connected socket FD. It ends when the other side closes, or when the firmware
runs into something that would lock up the board; what that was is said on stderr. With --image
instead of WINDOWS the image is somebody else's: it also ends when that waits in vain.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from pathlib import Path

from npubench.boards import load_board
from npubench.core.errors import NpubenchError
from npubench.emulators.board_model.cores import power_up
from npubench.emulators.board_model.foreign_board import ForeignBoard
from npubench.emulators.board_model.powered import ModelStopped, PoweredBoard

SLICE_INSTRUCTIONS, FOREIGN_SLICE_INSTRUCTIONS = 500_000, 100_000
CHUNK_BYTES = 65536
FOREIGN = "--image"
BOOT_LIMIT_S = 18.0
IN_VAIN_SLICES = 2
READY = b"m-ready"


class Patience:
    """Ends an image of somebody else's that waits for what is not modelled, or never gets ready.
    Raises ModelStopped with what it polled."""

    def __init__(self, model: ForeignBoard) -> None:
        self._model, self._vain, self._said = model, 0, b""
        self._end: float | None = time.monotonic() + BOOT_LIMIT_S

    def look(self, sent: bytes) -> None:
        """After each slice, with what was sent in it."""
        self._vain = self._vain + 1 if self._model.in_vain is not None else 0
        if self._vain > IN_VAIN_SLICES:
            raise ModelStopped(f"the image waits in vain: {self._model.polled_words()}")
        if self._end is None:
            return
        self._said = (self._said + sent)[-CHUNK_BYTES:]
        if READY in self._said or self._model.is_idle:
            self._end = None
        elif time.monotonic() > self._end:
            raise ModelStopped(
                f"the image does not get ready in {BOOT_LIMIT_S:.0f} s: "
                f"{self._model.polled_words()}"
            )


def serve(model: PoweredBoard, line: socket.socket) -> None:
    """Run the model and carry its console over ``line`` until the other side closes it."""
    patience = Patience(model) if isinstance(model, ForeignBoard) else None
    poll = select.poll()
    poll.register(line, select.POLLIN | select.POLLHUP)
    while True:
        model.run(SLICE_INSTRUCTIONS if patience is None else FOREIGN_SLICE_INSTRUCTIONS)
        sent = model.take_sent()
        if patience is not None:
            patience.look(sent)
        if sent:
            line.sendall(sent)
        if poll.poll(None if model.is_idle else 0):
            data = line.recv(CHUNK_BYTES)
            if not data:
                return
            model.feed(data)


def main(words: list[str]) -> int:
    """Serve one board; the exit code is that of the error."""
    board_id, elf, fd, *rest = words
    board = load_board(board_id)
    try:
        with socket.socket(fileno=int(fd)) as line:
            line.setblocking(True)
            if rest == [FOREIGN]:
                serve(ForeignBoard(board, Path(elf), tallies=False), line)
                return 0
            model = power_up(board, Path(elf))
            if rest:
                model.tally_windows(Path(rest[0]))
            serve(model, line)
    except NpubenchError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code
    except (BrokenPipeError, ConnectionResetError):
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
