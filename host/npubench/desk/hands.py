"""The process at the desk: does what its client asks, one thing after another.

It flashes with the tools of this machine and records this machine's instruments; a capture is
written here, where its samples arise, and travels as a whole when it is closed.
"""

from __future__ import annotations

import io
import os
import socket
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from npubench.boards import Board, load_board
from npubench.build.firmware import Firmware
from npubench.connect.served import put_image
from npubench.core.errors import DeviceError, NpubenchError, UsageError
from npubench.core.version import VERSION
from npubench.desk.frame import Frame, Reader
from npubench.emulators.board_model.description import on_model
from npubench.flash.detect import find_port, probe_of
from npubench.flash.upload import upload
from npubench.power.capture.recorder import Recorder
from npubench.power.capture.rig import Playback, capture_playback, choose_power, open_power
from npubench.power.energy.marks import Mark
from npubench.power.simulators.model import trace_of

PROJECT = "project.tar"


def run_hands(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer the frames of ``source`` on ``sink`` until it ends."""
    with Hands() as hands:
        reader = Reader(lambda: _more(source))
        while True:
            try:
                asked = reader.frame()
            except EOFError:
                return
            sink.write(hands.answer(asked).data())
            sink.flush()


def _more(source: BinaryIO) -> bytes:
    data = os.read(source.fileno(), 1 << 16)
    if not data:
        raise EOFError
    return data


class Hands:
    """What is under way at this desk: at most one capture."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._capture: ExitStack | None = None
        self._recorder: Recorder | None = None
        self._folder: Path | None = None

    def __enter__(self) -> Hands:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def answer(self, asked: Frame) -> Frame:
        """Do one thing; what goes wrong is an answer, too."""
        verbs: dict[str, Callable[[Frame], Frame]] = {
            "hello": self._hello,
            "upload": self._upload,
            "instrument": self._instrument,
            "record": self._record,
            "samples": self._samples,
            "close": self._close,
            "play": self._play,
        }
        try:
            if asked.verb not in verbs:
                raise UsageError(f"this desk does not know {asked.verb!r}")
            return verbs[asked.verb](asked)
        except NpubenchError as error:
            return _error(error.kind, error.message, error.hint)
        except Exception as error:  # the client must hear of it, the desk goes on
            return _error("DeviceError", f"at the desk: {type(error).__name__}: {error}", "")

    def _hello(self, asked: Frame) -> Frame:
        del asked
        return Frame(verb="ok", values={"version": VERSION, "host": socket.gethostname()})

    def _upload(self, asked: Frame) -> Frame:
        """The image in ``project.tar`` onto the board, by this machine's probe or emulator."""
        values = asked.values
        board = load_board(str(values["board"]))
        if values["model"]:
            board = on_model(board)
        with tempfile.TemporaryDirectory(prefix="npubench-desk-") as scratch:
            firmware = _unpacked(asked.blobs[PROJECT], Path(scratch), values)
            if board.kind == "physical":
                port, probe = _console(board, values["probe"])
                upload(firmware, board, probe_serial=probe, port=port)
            else:
                put_image(int(values["console"]), board.id, firmware.elf.read_bytes())
        return Frame(verb="ok")

    def _instrument(self, asked: Frame) -> Frame:
        """What this desk's bench.toml says of an instrument."""
        choice = choose_power(str(asked.values["name"]))
        return Frame(
            verb="ok",
            values={"driver": choice.driver.name,
                    "instrument": choice.instrument.model_dump(mode="json")},
        )  # fmt: skip

    def _record(self, asked: Frame) -> Frame:
        """Open the instrument and begin a capture."""
        self._drop()
        choice = choose_power(str(asked.values["name"]))
        stack = self._capture = ExitStack()
        self._folder = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="npubench-desk-")))
            / "power"
        )
        opened = stack.enter_context(open_power(choice))
        self._recorder = stack.enter_context(
            Recorder(opened.source, self._folder, identity=opened.identity, traits=opened.traits)
        )
        traits = {name: getattr(opened.traits, name) for name in type(opened.traits).__slots__}
        traits["accuracy"] = opened.traits.accuracy.model_dump(mode="json")
        return Frame(verb="ok", values={"traits": traits, "identity": asdict(opened.identity)})

    def _samples(self, asked: Frame) -> Frame:
        """How many samples have come."""
        del asked
        count = 0 if self._recorder is None else self._recorder.samples
        return Frame(verb="ok", values={"count": count})

    def _close(self, asked: Frame) -> Frame:
        """End the capture and send it."""
        del asked
        if self._recorder is None or self._folder is None:
            raise UsageError("no capture is under way at this desk")
        try:
            self._recorder.stop()
            return Frame(verb="ok", blobs=_files(self._folder))
        finally:
            self._drop()

    def _play(self, asked: Frame) -> Frame:
        """Show a simulated instrument the board's marks, capture it here, and send the capture."""
        values = asked.values
        choice = choose_power(str(values["name"]), tuple(values["faults"]))
        board = load_board(str(values["board"]))
        if board.power is None or not choice.simulated:
            raise UsageError(f"{choice.name} cannot be shown {board.id}: it has no virtual power")
        marks = tuple(Mark(**mark) for mark in values["marks"])
        seconds = {name: float(value) * 1e-6 for name, value in values["stage_us"].items()}
        trace, _ = trace_of(marks, board.power, seconds)
        playback = Playback(trace=trace, trouble_s=values["trouble_s"], seed=values["seed"])
        with tempfile.TemporaryDirectory(prefix="npubench-desk-") as scratch:
            folder = Path(scratch) / "power"
            with open_power(choice, playback) as opened:
                count = int(trace.seconds * opened.traits.rate_hz)
                count = count if opened.feed is None else opened.feed.count
                capture_playback(opened, folder, samples=count)
            return Frame(verb="ok", blobs=_files(folder))

    def _drop(self) -> None:
        """End a capture that nobody closed."""
        stack, self._capture = self._capture, None
        self._recorder = self._folder = None
        if stack is not None:
            stack.close()


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def _console(board: Board, probe: str | None) -> tuple[str | None, str | None]:
    """The board's own port at this desk and its probe. With a probe named, the port may be hidden:
    only boot loaders want it. Raises UsageError, DeviceError."""
    try:
        found = find_port(board, port=None, probe_serial=probe)
    except (UsageError, DeviceError):
        if probe is None:
            raise
        return None, probe
    return found if isinstance(found, str) else found.port, probe_of(board, found, probe)


def _unpacked(data: bytes, into: Path, values: Any) -> Firmware:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for entry in tar:
            _unpack(tar, entry, into)
    return Firmware(
        elf=into / "image" / str(values["elf"]),
        map=into / "image" / "none.map",
        project_dir=into / "project",
        elf_sha256=str(values["elf_sha256"]),
        project_sha256="",
        tools={},
        flags=(),
        cached=True,
    )


def _unpack(tar: tarfile.TarFile, entry: tarfile.TarInfo, into: Path) -> None:
    """A file below ``into``. tarfile's own filters are not in Python 3.11.3 and older."""
    target = (into / entry.name).resolve()
    if not target.is_relative_to(into.resolve()) or not (entry.isfile() or entry.isdir()):
        raise DeviceError(f"the image's archive holds {entry.name!r}, which is no file of it")
    if entry.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    source = tar.extractfile(entry)
    assert source is not None
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read())
    target.chmod(0o755 if entry.mode & 0o100 else 0o644)


def packed(firmware: Firmware) -> bytes:
    """An image with its project, for ``upload``: what a flash tool may want, without builds."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for kind in ("elf", "bin", "hex"):
            image = firmware.elf.with_suffix(f".{kind}")
            if image.is_file():
                tar.add(image, f"image/{image.name}")
        tar.add(
            firmware.project_dir,
            "project",
            filter=lambda entry: None if ".pio" in entry.name.split("/") else entry,
        )
    return out.getvalue()


def _error(kind: str, message: str, hint: str) -> Frame:
    return Frame(verb="error", values={"kind": kind, "message": message, "hint": hint})


def main() -> None:
    """Answer on standard input and output. Nothing else may write there: what libraries print goes
    to standard error."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with sink, os.fdopen(os.dup(0), "rb", buffering=0) as source:
        run_hands(source, sink)
