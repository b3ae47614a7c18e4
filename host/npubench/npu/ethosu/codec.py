"""Decodes compressed weight streams, and survives the broken ones."""

from __future__ import annotations

import atexit
import importlib.util
import os
import select
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from npubench.core.errors import ToolMissing
from npubench.core.tool import tool_environment
from npubench.npu.ethosu.codec_process import REFUSED

PROGRAM: Final = Path(__file__).with_name("codec_process.py")
_DEADLINE_S: Final = 20.0


class BrokenStream(Exception):
    """A weight stream that cannot be decoded."""


class Codec:
    """The codec's process: started at the first stream, again after one that ended it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, stream: bytes) -> bytes:
        """The weights of a stream as little-endian int16. Raises BrokenStream, ToolMissing."""
        if importlib.util.find_spec("ethosu") is None:
            raise ToolMissing(
                "decoding the NPU's weights needs Vela, which is not installed",
                hint="pip install 'npubench[ethos-u]'",
            )
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            try:
                process.stdin.write(struct.pack("<I", len(stream)) + stream)
                process.stdin.flush()
                (size,) = struct.unpack("<I", self._read(process, 4))
                if size == REFUSED:
                    raise BrokenStream("the codec refuses it")
                return self._read(process, size)
            except (OSError, EOFError) as error:
                self._end()
                raise BrokenStream("the codec ended on it") from error

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                (sys.executable, "-I", os.fspath(PROGRAM)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=tool_environment(),
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    @staticmethod
    def _read(process: subprocess.Popen[bytes], size: int) -> bytes:
        assert process.stdout is not None
        handle = process.stdout.fileno()
        data = bytearray()
        while len(data) < size:
            ready, _, _ = select.select([handle], [], [], _DEADLINE_S)
            part = os.read(handle, size - len(data)) if ready else b""
            if not part:
                raise EOFError
            data += part
        return bytes(data)


SHARED: Final = Codec()
"""One for the whole program: what it decodes depends on nothing else."""
atexit.register(SHARED.close)
