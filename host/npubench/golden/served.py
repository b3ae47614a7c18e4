"""One process that answers many networks: each in a fork, so that starting Python is paid once."""

from __future__ import annotations

import atexit
import contextlib
import json
import select
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path

from npubench.core.tool import own_python, tool_environment

_END_S = 5.0


class Server:
    """The worker's ``serve``, started with the first request and again after it died."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: subprocess.Popen[str] | None = None

    def ask(self, words: Sequence[str], timeout_s: float) -> int | None:
        """The exit code of a request; None when the server gave none in time, and is ended."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(list(words)) + "\n")
            process.stdin.flush()
            if select.select([process.stdout], [], [], timeout_s)[0]:
                return int(process.stdout.readline())
        except (OSError, ValueError):
            pass
        self.end()
        return None

    def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def _start(self) -> subprocess.Popen[str]:
        argv, environment = own_python(self._module)
        self._process = subprocess.Popen(
            [*argv, "serve"],
            env=tool_environment(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(tempfile.gettempdir()),
            start_new_session=True,
        )
        return self._process


_server: ContextVar[Server | None] = ContextVar("npubench_golden_server", default=None)


def current() -> Server | None:
    """The server of this context, if there is one."""
    return _server.get()


@contextlib.contextmanager
def serving(module: str) -> Iterator[None]:
    """Golden answers within come from one server, which ends with the context."""
    server = Server(module)
    token = _server.set(server)
    try:
        yield
    finally:
        _server.reset(token)
        server.end()


_lasting: dict[str, Server] = {}


@contextlib.contextmanager
def served(module: str) -> Iterator[None]:
    """As ``serving``, but the server stays for the next time, until this process ends."""
    server = _lasting.get(module)
    if server is None:
        server = _lasting[module] = Server(module)
        atexit.register(server.end)
    token = _server.set(server)
    try:
        yield
    finally:
        _server.reset(token)
