"""QEMU playing a board: its arguments, its console on a socket, an NPU beside it where one is."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from pathlib import Path

from npubench.boards import Board, Emulator
from npubench.core.tool import find_tool
from npubench.emulators.qemu_tally import tally_arguments
from npubench.emulators.virtual_npu import NpuTransport, fill_in, needs_virtual_npu, virtual_npu
from npubench.transport.interface import Transport
from npubench.transport.process import BoardProcess, ProcessTransport
from npubench.transport.socket_port import SocketTransport


def start_qemu(
    stack: ExitStack, board: Board, elf: Path, *, windows: Path | None = None
) -> tuple[Transport, BoardProcess, BoardProcess | None]:
    """Boot ``elf``: the line to it, the emulator, and the supervisor of its modelled NPU if it has
    one; all end with ``stack``. ``windows``: a file for what is executed between any two reads of
    the counter (qemu_tally). Raises ToolMissing.
    """
    emulator = board.emulator
    assert emulator is not None
    program = find_tool(emulator.program, package=emulator.package)
    ours, theirs = socket.socketpair()
    npu = stack.enter_context(virtual_npu(board)) if needs_virtual_npu(board) else None
    with theirs:
        label = f"{emulator.program} {emulator.machine}"
        line = SocketTransport(ours, label=label)
        stack.enter_context(line)
        arguments = emulator_arguments(emulator, elf.resolve(), console_fd=theirs.fileno())
        if windows is not None:
            arguments = (*arguments, *tally_arguments(board, windows))
        fds = [theirs.fileno()]
        if npu is not None:
            arguments = fill_in(arguments, npu)
            fds.append(npu.memory_fd)
        process = stack.enter_context(
            BoardProcess(
                (program, *arguments),
                label=f"the emulator {emulator.program}",
                fds=fds,
                cwd=None if npu is None else npu.folder,
            )
        )
    transport: Transport = ProcessTransport(line, process)
    if npu is None:
        return transport, process, None
    return NpuTransport(transport, process, npu.process), process, npu.process


def emulator_arguments(emulator: Emulator, elf: Path, *, console_fd: int) -> tuple[str, ...]:
    """QEMU's arguments: virtual time by instruction count, the console on a socket it inherits."""
    return (
        "-M", emulator.machine,
        "-icount", f"shift={emulator.icount_shift},align=off,sleep=off",
        "-display", "none",
        "-monitor", "none",
        "-nic", "none",
        "-chardev", f"socket,id=console,fd={console_fd}",
        "-serial", "chardev:console",
        *emulator.arguments,
        "-kernel", os.fspath(elf),
    )  # fmt: skip
