"""Promise: an emulator never outlives us, and its end is reported as what it was, at once."""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from npubench.boards import Board, load_board
from npubench.connect.board import OpenBoard, open_board
from npubench.core.errors import ToolMissing, UsageError
from npubench.core.progress import Silent
from npubench.emulators.qemu import emulator_arguments
from npubench.transport.failure import DeviceEnded, DeviceSilent
from npubench.transport.process import end_running_boards
from npubench.wire.conversation import Timeouts

MakeBoard = Callable[..., Board]
CHECKOUT = Path(__file__).resolve().parents[3]
STAND_IN = CHECKOUT / "tests" / "support" / "stand_in_emulator.py"
SOURCES = os.pathsep.join(str(CHECKOUT / root) for root in ("compiler", "host"))


@pytest.fixture
def emulated(tmp_path: Path) -> MakeBoard:
    """Makes an emulated board whose emulator is the stand-in, behaving as ``machine`` says."""
    program = tmp_path / "emulator"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{SOURCES}" exec "{sys.executable}" "{STAND_IN}" "$@"\n'
    )
    program.chmod(0o755)

    def make(machine: str = "good") -> Board:
        board = load_board("qemu-m4")
        assert board.emulator is not None
        emulator = board.emulator.model_copy(
            update={"program": str(program), "machine": machine, "arguments": ()}
        )
        return board.model_copy(update={"emulator": emulator})

    return make


def opened(board: Board, **options: Any) -> AbstractContextManager[OpenBoard]:
    return open_board(board, Path("image.elf"), port=None, reporter=Silent(), job="test", **options)


def wait_gone(pid: int) -> bool:
    """Whether a process ends within ten seconds; it need not be ours."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10.0)[0])
    finally:
        os.close(handle)


def test_boots_talks_logs_and_leaves_nothing_behind(emulated: MakeBoard) -> None:
    received, sent = io.BytesIO(), io.StringIO()
    with opened(emulated(), log=received, sent_log=sent) as target:
        assert isinstance(target, OpenBoard)
        pid = target.process.pid
        assert target.device.caps().board == "simulated"
        assert target.device.banner[-1] == "m-init-done"
        assert "good" in target.describe()
        assert received.getvalue() == target.log.received
        assert '"caps%"' in sent.getvalue()
    assert wait_gone(pid)


def test_an_error_inside_ends_the_emulator(emulated: MakeBoard) -> None:
    pids = []

    def fail(target: OpenBoard) -> None:
        pids.append(target.process.pid)
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"), opened(emulated()) as target:
        fail(target)
    assert wait_gone(pids[0])


def test_an_emulator_that_dies_in_the_middle_is_reported_with_its_last_words(
    emulated: MakeBoard,
) -> None:
    with opened(emulated("mortal")) as target, pytest.raises(DeviceEnded) as caught:
        target.device.bench(2, 1)
    assert "ended with exit code 3: tcg: internal error" in caught.value.message
    assert "emulator" in caught.value.message


def test_an_emulator_that_is_killed_is_reported_by_signal(emulated: MakeBoard) -> None:
    with opened(emulated()) as target:
        os.kill(target.process.pid, signal.SIGKILL)
        with pytest.raises(DeviceEnded, match="was ended by SIGKILL"):
            target.device.caps()


def test_an_emulator_that_does_not_start(emulated: MakeBoard) -> None:
    with pytest.raises(DeviceEnded, match="exit code 1: stand-in: no such machine"):
        opened(emulated("broken")).__enter__()
    board = emulated()
    missing = board.emulator.model_copy(update={"program": "no-such-emulator"})
    with pytest.raises(ToolMissing, match="no-such-emulator") as caught:
        opened(board.model_copy(update={"emulator": missing})).__enter__()
    assert "apt-get install qemu-system-arm" in caught.value.hint


def test_an_emulator_that_hangs_is_silent_and_is_ended(emulated: MakeBoard) -> None:
    timeouts = Timeouts(boot_silence_s=0.01, boot_deadline_s=0.01)
    with pytest.raises(DeviceSilent, match="start-up"):
        opened(emulated("hung"), timeouts=timeouts).__enter__()


def test_all_targets_can_be_ended_from_another_thread(emulated: MakeBoard) -> None:
    """What Ctrl-C does while workers wait for their boards."""
    with opened(emulated()) as target:
        thread = threading.Thread(target=end_running_boards)
        thread.start()
        with pytest.raises(DeviceEnded):
            target.transport.read(30.0)
        thread.join()
        assert wait_gone(target.process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the child with its parent")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_orphan_when_we_are_killed(
    emulated: MakeBoard, tmp_path: Path, how: signal.Signals
) -> None:
    board = tmp_path / "board.json"
    board.write_text(emulated().model_dump_json(by_alias=True))
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from npubench.boards import Board
        from npubench.core.progress import Silent
        from npubench.connect.board import open_board

        board = Board.model_validate_json(Path(sys.argv[1]).read_text())
        with open_board(board, Path("x"), port=None, reporter=Silent(), job="x") as target:
            print(target.process.pid, flush=True)
            target.transport.read(60.0)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, board],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": SOURCES},
        text=True,
    ) as parent:
        pid = int(parent.stdout.readline())
        parent.send_signal(how)
        parent.communicate()
    assert wait_gone(pid)


def test_a_host_process_runs_on_a_pty(tmp_path: Path) -> None:
    program = tmp_path / "firmware"
    program.write_text(
        "#!/bin/sh\nprintf 'm-init-done\\r\\nm-ready\\r\\n'\nread line\n"
        "printf 'm-name-dut-[shell]\\r\\nm-ready\\r\\n'\nexit 7\n"
    )
    program.chmod(0o755)
    with open_board(
        load_board("native"), program, port=None, reporter=Silent(), job="test"
    ) as target:
        target.transport.write(b"\n")
        assert target.device.name() == "shell"
        with pytest.raises(DeviceEnded, match="ended with exit code 7"):
            target.device.name()


def test_what_cannot_be_run_is_told(tmp_path: Path) -> None:
    board = load_board("native")
    with pytest.raises(ToolMissing, match="there is no image"):
        open_board(board, tmp_path / "no.elf", port=None, reporter=Silent(), job="x").__enter__()
    with pytest.raises(UsageError, match="no image to run"):
        open_board(board, None, port=None, reporter=Silent(), job="x").__enter__()
    physical = board.model_copy(update={"kind": "physical"})
    with pytest.raises(UsageError, match="no port is named"):
        open_board(physical, None, port=None, reporter=Silent(), job="x").__enter__()


def test_the_emulator_counts_instructions_and_has_no_window_or_network() -> None:
    emulator = load_board("qemu-m4").emulator
    assert emulator is not None
    words = emulator_arguments(emulator, Path("a.elf"), console_fd=9)
    joined = " ".join(words)
    assert f"-icount shift={emulator.icount_shift},align=off,sleep=off" in joined
    assert "-chardev socket,id=console,fd=9 -serial chardev:console" in joined
    assert words[-2:] == ("-kernel", "a.elf")
