"""The promise that a command can be stopped at any time: at once, with its exit code, its JSON, no
process left and no half run. Here it waits for a board that is silent, with a second job queued."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_command_that_waits_for_a_silent_board_can_be_stopped(
    checkout: Path, tmp_path: Path, how: signal.Signals, code: int
) -> None:
    roots = os.pathsep.join(str(checkout / root) for root in ("compiler", "host"))
    runs_dir = tmp_path / "runs"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(240)
        port = f"socket://127.0.0.1:{server.getsockname()[1]}"
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", "from npubench.cli.main import main; main()"),
                *("bench", "kws", "ad", "--board", "nucleo-l4r5zi", "--no-flash", "--port", port),
                *("--runs-dir", str(runs_dir), "--json"),
            ],
            env={**os.environ, "PYTHONPATH": roots},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Whoever runs the tests may ignore the signal (nohup does): the command would, too.
            preexec_fn=lambda: signal.signal(how, signal.SIG_DFL),
        )
        connection, _ = server.accept()
        with connection:
            connection.settimeout(60)
            assert connection.recv(100) == b"name%"
            process.send_signal(how)
            stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    document = json.loads(stdout)
    assert (document["runs"], document["error"]["kind"]) == ([], "Interrupted")
    assert "0 of 2 runs are finished" in stderr
    assert "Traceback" not in stderr
    assert [path.name for path in tmp_path.iterdir()] == ["runs"], "a staging folder is left"
    assert list(runs_dir.iterdir()) == []
