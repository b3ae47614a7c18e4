"""Promise: what is fetched is the file that was named, whole or not at all; a line that breaks
costs what is missing, not what came."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from npubench.core.download import ATTEMPTS, download
from npubench.core.errors import StorageError, ToolError, UsageError

CONTENT = bytes(range(256)) * 1200
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """A file on the loopback. ``breaks``: each answer ends after so many bytes; ``ranges``: whether
    it can begin in the middle."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.breaks: int | None = None
        self.ranges = True
        self.asked: list[str | None] = []
        self.status = 200
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wish = self.headers.get("Range")
                server.asked.append(wish)
                if server.status != 200:
                    self.send_error(server.status)
                    return
                begin = int(wish.removeprefix("bytes=").rstrip("-")) if wish else 0
                begin = begin if server.ranges else 0
                body = server.content[begin:]
                self.send_response(206 if begin else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: server.breaks])

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/m.tflite"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.stop()


def fetch(server: Server, path: Path) -> bool:
    return download(server.url, path, sha256=SHA256, size_bytes=len(CONTENT))


def test_a_file_comes_once(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "new" / "m.tflite"
    assert fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert not fetch(server, path)
    assert server.asked == [None]
    path.write_bytes(b"damaged")
    assert fetch(server, path)
    assert path.read_bytes() == CONTENT


def test_a_broken_line_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    server.breaks = len(CONTENT) // 3 + 1
    assert fetch(server, path)
    assert server.asked == [None, "bytes=102401-", "bytes=204802-"]
    assert path.read_bytes() == CONTENT


def test_what_came_is_kept_for_the_next_try(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    server.breaks = 1000
    with pytest.raises(ToolError, match=f"{1000 * ATTEMPTS} of {len(CONTENT)} bytes") as caught:
        fetch(server, path)
    assert "gone on with" in caught.value.hint
    assert not path.exists()
    server.breaks, server.asked = None, []
    assert fetch(server, path)
    assert server.asked == [f"bytes={1000 * ATTEMPTS}-"]


def test_a_server_that_begins_anew_is_understood(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.with_name("m.tflite.part").write_bytes(b"x" * 5000)
    server.ranges = False
    assert fetch(server, path)
    assert path.read_bytes() == CONTENT


def test_another_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(ToolError, match="thrown away"):
        fetch(server, path)
    assert list(tmp_path.iterdir()) == []
    server.content = CONTENT + b"more"
    with pytest.raises(ToolError, match="thrown away"):
        fetch(server, path)
    assert not path.exists()


def test_no_server_no_file_no_encryption_no_disk(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(ToolError, match="404"):
        fetch(server, tmp_path / "m.tflite")
    for url in ("http://example.invalid/m", "http://localhost.invalid/m", "file:///m", "m"):
        with pytest.raises(UsageError, match="only https"):
            download(url, tmp_path / "m", sha256=SHA256, size_bytes=1)
    server.status = 200
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        fetch(server, tmp_path / "file" / "m.tflite")
