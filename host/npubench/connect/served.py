"""An emulated board as a serial port on the network: each connection boots it.

Nothing runs while nobody is connected. Its image lies in a folder that is named by the port, so
that another process of this machine can put a new one there, as a debug probe would.
"""

from __future__ import annotations

import json
import logging
import os
import select
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from npubench.boards import Board, load_board
from npubench.core.errors import DeviceError, NpubenchError, UsageError
from npubench.core.paths import cache_root
from npubench.emulators.board_model.description import on_model as played
from npubench.emulators.board_model.process import start_model
from npubench.emulators.host_process import start_process
from npubench.emulators.qemu import start_qemu
from npubench.transport.interface import Transport

log = logging.getLogger(__name__)

POLL_S = 0.1
CHUNK_BYTES = 65536
BOARD_FILE, IMAGE_FILE = "board.json", "firmware.elf"


def serve_named(
    board_id: str, port: int = 0, *, on_model: bool = False
) -> AbstractContextManager[int]:
    """Serve the board of that id, or its model, see serve_board."""
    board = load_board(board_id)
    return serve_board(played(board) if on_model else board, port)


@contextmanager
def serve_board(board: Board, port: int = 0) -> Iterator[int]:
    """Serve the board on a port of the loopback while entered; gives the port.

    One connection at a time, others wait. Raises UsageError for a physical board or a port that is
    taken.
    """
    if board.kind == "physical":
        raise UsageError(
            f"{board.id} is a physical board: its own port is served by ser2net",
            hint="labgrid's exporter does that (docs/farm.md); --on-model plays it",
        )
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise UsageError(f"port {port} cannot be used: {error.strerror}") from error
        listener.listen()
        number = int(listener.getsockname()[1])
        folder = _folder(number)
        shutil.rmtree(folder, ignore_errors=True)  # of a server of this port that was killed
        folder.mkdir(parents=True)
        document = {"board": board.id, "pid": os.getpid()}
        (folder / BOARD_FILE).write_text(json.dumps(document), encoding="utf-8")
        stopped = threading.Event()
        server = threading.Thread(
            target=_serve, args=(listener, board, folder / IMAGE_FILE, stopped), name="served board"
        )
        server.start()
        try:
            yield number
        finally:
            stopped.set()
            server.join()
            shutil.rmtree(folder, ignore_errors=True)


def put_image(port: int, board: str, image: bytes) -> None:
    """The image that the board served on ``port`` of this machine boots from now on.

    Raises DeviceError when no such board is served there.
    """
    folder = _folder(port)
    try:
        served = json.loads((folder / BOARD_FILE).read_text(encoding="utf-8"))["board"]
    except (OSError, ValueError, KeyError) as error:
        raise DeviceError(
            f"no board is served on port {port} of this machine",
            hint=f"serve it: npubench boards serve {board} --port {port}",
        ) from error
    if served != board:
        raise DeviceError(
            f"port {port} serves {served}, not {board}", hint="name the place of the board"
        )
    part = folder / f".{IMAGE_FILE}.{os.getpid()}"
    part.write_bytes(image)
    part.chmod(0o755)  # a host board's image is a program
    part.replace(folder / IMAGE_FILE)


def _folder(port: int) -> Path:
    return cache_root() / "served" / str(port)


def _serve(listener: socket.socket, board: Board, image: Path, stopped: threading.Event) -> None:
    """Boards are started and ended in this one thread, see BoardProcess."""
    while not stopped.is_set():
        if not select.select([listener], [], [], POLL_S)[0]:
            continue
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not image.is_file():
                continue  # an empty board says nothing
            try:
                with ExitStack() as stack:
                    _pump(_start(stack, board, image), connection, stopped)
            except (NpubenchError, OSError) as error:
                log.info("%s: %s", board.id, error)


def _start(stack: ExitStack, board: Board, image: Path) -> Transport:
    if board.is_model:
        return start_model(stack, board, image)[0]
    if board.emulator is not None:
        return start_qemu(stack, board, image)[0]
    return start_process(stack, board, image)[0]


def _pump(board: Transport, connection: socket.socket, stopped: threading.Event) -> None:
    """Copy both ways until a side is gone."""
    over = threading.Event()

    def inward() -> None:
        try:
            while not over.is_set():
                if not select.select([connection], [], [], POLL_S)[0]:
                    continue
                data = connection.recv(CHUNK_BYTES)
                if not data:
                    return
                board.write(data)
        except (NpubenchError, OSError) as error:
            log.debug("to the board: %s", error)
        finally:
            over.set()

    writer = threading.Thread(target=inward, name="to the board")
    writer.start()
    try:
        while not over.is_set() and not stopped.is_set():
            data = board.read(POLL_S)
            if data:
                connection.sendall(data)
    finally:
        over.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        writer.join()
