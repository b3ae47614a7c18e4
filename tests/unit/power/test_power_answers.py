"""A server that speaks JSON but not the instrument's protocol is refused, never a crash."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from npubench.core.errors import MonitorError
from npubench.power.capture.free import capture_for
from npubench.power.capture.rig import choose_power

ANSWERS: dict[str, Any] = {
    "otii_get_devices": {"devices": [{"device_id": "x", "type": "Arc", "name": "n"}]},
    "otii_get_active_project": {"project_id": 1},
    "project_get_last_recording": {"recording_id": 1},
    "recording_get_channel_info": {"sample_rate": 4000},
    "recording_get_channel_data_count": {"count": 10},
    "recording_get_channel_data": {"values": [0.1] * 10},
}


@contextmanager
def server(answers: dict[str, Any]) -> Iterator[int]:
    """An Otii server with one client; its port."""

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client, client.makefile("rwb") as lines:
            lines.write(b'{"type": "information", "info": "connected", "data": {}}\r\n')
            lines.flush()
            for line in lines:
                request = json.loads(line)
                reply = {
                    "type": "response",
                    "trans_id": request["trans_id"],
                    "data": answers.get(request["cmd"], {}),
                }
                lines.write(json.dumps(reply).encode() + b"\r\n")
                lines.flush()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
    thread.join(timeout=10)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("otii_get_devices", {"devices": [1]}),
        ("otii_get_devices", {"devices": None}),
        ("otii_get_active_project", {"project_id": "a"}),
        ("project_get_last_recording", {"recording_id": None}),
        ("recording_get_channel_info", {"sample_rate": 0}),
        ("recording_get_channel_info", {"sample_rate": "fast"}),
    ],
)
def test_an_answer_of_another_form_is_the_instruments_failure(
    command: str, answer: object, tmp_path: Path
) -> None:
    with server(ANSWERS | {command: answer}) as port:
        bench = tmp_path / "bench.toml"
        bench.write_text(f'schema = 1\n[power.a]\ndriver = "otii"\nport = "127.0.0.1:{port}"\n')
        with pytest.raises(MonitorError, match="does not understand"):
            capture_for(choose_power("a", bench=bench), tmp_path / "c", seconds=0.01)
