"""Starts a board model: in a process of its own, since Unicorn's core is under the GPL."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from npubench.boards import Board
from npubench.core.tool import own_python
from npubench.emulators.board_model.powered import import_unicorn
from npubench.transport.interface import Transport
from npubench.transport.process import BoardProcess, ProcessTransport
from npubench.transport.socket_port import SocketTransport


def start_model(
    stack: ExitStack,
    board: Board,
    elf: Path,
    *,
    windows: Path | None = None,
    foreign: bool = False,
) -> tuple[Transport, BoardProcess]:
    """Boot ``elf`` on the model of ``board``; it ends with ``stack``. Raises ToolMissing.

    ``windows``: a file for what is executed between any two reads of CYCCNT (read_windows).
    ``foreign``: the image is somebody else's, on the part as foreign.toml describes it.
    """
    version = import_unicorn().__version__
    ours, theirs = socket.socketpair()
    with theirs:
        label = f"board model of {board.id} (Unicorn {version})"
        line = SocketTransport(ours, label=label)
        stack.enter_context(line)
        program, places = own_python("npubench.emulators.board_model")
        process = stack.enter_context(
            BoardProcess(
                (
                    *program,
                    board.id,
                    elf,
                    str(theirs.fileno()),
                    *(() if windows is None else (str(windows),)),
                    *(("--image",) if foreign else ()),
                ),
                label=f"the board model of {board.id}",
                fds=(theirs.fileno(),),
                env=places,
            )
        )
    return ProcessTransport(line, process), process
