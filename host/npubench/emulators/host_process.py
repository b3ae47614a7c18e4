"""Firmware that runs as a process of this computer, on a pty."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path

from npubench.boards import Board
from npubench.core.tool import find_tool
from npubench.transport.fd import FdTransport
from npubench.transport.interface import Transport
from npubench.transport.process import BoardProcess, ProcessTransport, find_program


def start_process(stack: ExitStack, board: Board, elf: Path) -> tuple[Transport, BoardProcess]:
    """Start ``elf`` (through QEMU's user mode where it is of a board's own Linux); it ends with
    ``stack``. Raises ToolMissing.
    """
    import pty
    import tty

    emulator = user_emulator(board)
    program = find_program(elf)
    words = (program.resolve(),) if emulator is None else (emulator, program.resolve())
    master, slave = pty.openpty()
    try:
        tty.setraw(slave)
        line = stack.enter_context(FdTransport(master, label=f"host process {elf.name} on a pty"))
        process = stack.enter_context(
            BoardProcess(words, label=f"the process {elf.name}", stdio=slave)
        )
    finally:
        os.close(slave)
    return ProcessTransport(line, process), process


def user_emulator(board: Board) -> Path | None:
    """QEMU's user mode for a program of a board's own Linux; None for one of this computer.

    Raises ToolMissing.
    """
    if not board.toolchain.hosted:
        return None
    name = f"qemu-{board.toolchain.prefix.partition('-')[0]}"
    static = shutil.which(f"{name}-static")
    return Path(static) if static is not None else find_tool(name, package="qemu-user-static")
