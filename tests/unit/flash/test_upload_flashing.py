"""Flashing refuses the wrong board, tries once more, and leaves the board restarted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from npubench.boards import load_board
from npubench.core.errors import DeviceError, ToolError, ToolMissing
from npubench.core.progress import Event
from npubench.emulators.simulated import SimulatedBoard, SimulatedNetwork, SimulatedTransport
from npubench.flash import check as flashing
from npubench.flash.check import check_port, flash_and_check
from npubench.flash.detect import Detected
from npubench.transport.failure import DeviceSilent
from npubench.wire.device import Device
from npubench.wire.failure import WrongFirmware

BOARD = "nucleo-l4r5zi"
ARTIFACT = "a" * 64


class Desk:
    """A bench with one simulated board; ``uploads`` are the outcomes of the upload, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.boards: list[SimulatedNetwork | None] = []
        self.uploads: list[Exception | None] = []
        self.log: list[str] = []
        monkeypatch.setattr(flashing, "detect_boards", lambda: ())
        monkeypatch.setattr(flashing, "upload", self._upload)
        monkeypatch.setattr(flashing, "open_board", self._open)

    def event(self, event: Event) -> None:
        if event.state == "note":
            self.log.append(f"note {event.detail}")

    def flash(self) -> None:
        firmware: Any = None
        flash_and_check(
            load_board(BOARD),
            firmware,
            artifact_sha256=ARTIFACT,
            port="/dev/ttyX",
            probe_serial=None,
            reporter=self,
            title="test",
        )

    def _upload(self, *_: Any, **__: Any) -> None:
        self.log.append("upload")
        outcome = self.uploads.pop(0) if self.uploads else None
        if outcome is not None:
            raise outcome

    @contextmanager
    def _open(self, *_: Any, **__: Any) -> Iterator[Any]:
        network = self.boards.pop(0)
        if network is None:
            raise DeviceSilent("nothing is heard")
        with SimulatedTransport(SimulatedBoard(network)) as transport:
            device = Device(transport)
            device.sync()
            reset: Callable[[], None] = device.reset

            def noted() -> None:
                self.log.append("reset")
                reset()

            device.reset = noted  # type: ignore[method-assign]
            yield SimpleNamespace(device=device)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def ours(board: str = BOARD, artifact: str = ARTIFACT) -> SimulatedNetwork:
    return SimulatedNetwork(board=board, artifact=artifact)


def test_a_new_board_is_flashed_checked_and_restarted(desk: Desk) -> None:
    desk.boards = [None, ours()]
    desk.flash()
    assert desk.log == ["upload", "reset"]


def test_a_board_with_older_firmware_of_its_own_is_flashed(desk: Desk) -> None:
    desk.boards = [ours(artifact="b" * 64), ours()]
    desk.flash()
    assert desk.log == ["upload", "reset"]


def test_another_board_is_refused_before_anything_is_written(desk: Desk) -> None:
    desk.boards = [ours(board="pico2")]
    with pytest.raises(DeviceError, match=r"says it is pico2, not nucleo-l4r5zi"):
        desk.flash()
    assert desk.log == []


def test_foreign_firmware_is_no_reason_to_refuse(desk: Desk) -> None:
    desk.boards = [SimulatedNetwork(extended=False), ours()]
    desk.flash()
    assert desk.log == ["upload", "reset"]


def test_a_failed_upload_is_tried_once_more(desk: Desk) -> None:
    desk.boards = [None, ours()]
    desk.uploads = [ToolError("probe was busy")]
    desk.flash()
    assert desk.log == ["upload", "note again: probe was busy", "upload", "reset"]


def test_and_not_twice(desk: Desk) -> None:
    desk.boards = [None]
    desk.uploads = [ToolError("busy"), ToolError("dead")]
    with pytest.raises(ToolError, match="dead"):
        desk.flash()
    assert desk.log.count("upload") == 2


def test_a_missing_tool_is_not_tried_again(desk: Desk) -> None:
    desk.boards = [None]
    desk.uploads = [ToolMissing("openocd is not installed")]
    with pytest.raises(ToolMissing):
        desk.flash()
    assert desk.log == ["upload"]


def test_firmware_that_did_not_change_is_seen(desk: Desk) -> None:
    desk.boards = [ours(artifact="b" * 64)] * 3
    with pytest.raises(WrongFirmware):
        desk.flash()
    assert desk.log.count("upload") == 2


def test_a_port_of_another_board_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Detected(
        port="/dev/ttyX", usb="1fc9:0143", serial_number="1", product=None, boards=("frdm-mcxn947",)
    )
    monkeypatch.setattr(flashing, "detect_boards", lambda: (device,))
    with pytest.raises(DeviceError, match=r"that is frdm-mcxn947, not nucleo-l4r5zi"):
        check_port(load_board(BOARD), "/dev/ttyX")
    check_port(load_board("frdm-mcxn947"), "/dev/ttyX")
    check_port(load_board(BOARD), "/dev/ttyY")
