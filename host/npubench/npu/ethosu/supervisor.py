"""Between the guest and the model: answers every doorbell, whatever becomes of the model.

Runs as a process of its own (``python -m npubench.npu.ethosu.supervisor CONFIGURATION``, JSON). The
model is a child: when it dies or takes too long, the register page is made to read as a bus without
a device, the doorbell is answered, and the next one meets a fresh child. Needs no numpy itself.
"""

from __future__ import annotations

import contextlib
import json
import logging
import mmap
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

log = logging.getLogger(__name__)

REQUEST_FIFO: Final = "npu-request"
ANSWER_FIFO: Final = "npu-answer"
READY: Final = b"."
GONE_PAGE_BYTES: Final = 0x1000
_START_S: Final = 30.0
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the model is told.

    ``memory_fd``: the guest's shared memory, whose first byte the guest sees at ``memory_base``;
    the NPU reaches ``window_bytes`` of it. ``registers``: the guest's address of the register page.
    ``fault``: for tests and demonstrations, ``die@N``, ``hang@N`` or ``supervisor@N``: what happens
    at doorbell N (from 0); empty for none.
    """

    memory_fd: int
    memory_base: int
    memory_bytes: int
    window_bytes: int
    registers: int
    accelerator: str
    config_file: str
    system_config: str
    memory_mode: str
    deadline_s: float = 20.0
    fault: str = ""

    def text(self) -> str:
        """As one argument of a command line."""
        return json.dumps(asdict(self))


class _Child:
    """The model in a process; ``ring`` gives False when it died or is late."""

    def __init__(self, configuration: Configuration) -> None:
        self._line, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            self._line.close()
            _child_main(configuration, theirs)
        theirs.close()
        self._started = False

    def ring(self, reason: int, deadline_s: float) -> bool:
        """Pass a doorbell on and wait for the answer."""
        if not self._started and not self._wait(_START_S):
            return False
        self._started = True
        try:
            self._line.sendall(bytes([reason]))
        except OSError:
            return False
        return self._wait(deadline_s)

    def _wait(self, deadline_s: float) -> bool:
        ready, _, _ = select.select([self._line], [], [], deadline_s)
        try:
            return bool(ready) and self._line.recv(1) == READY
        except OSError:
            return False

    def end(self) -> None:
        """Kill and reap it."""
        self._line.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _child_main(configuration: Configuration, line: socket.socket) -> None:
    """The child: build the device, say so, then apply doorbells. Never returns."""
    code = 1
    try:
        _die_with_parent()
        ring = _device(configuration)
        line.sendall(READY)
        while True:
            reason = line.recv(1)
            if not reason:
                code = 0
                break
            ring(reason[0])
            line.sendall(READY)
    except BaseException:
        log.exception("the model of the NPU failed")
    finally:
        sys.stderr.flush()
        os._exit(code)


def _device(configuration: Configuration) -> Callable[[int], None]:
    """What a doorbell does."""
    from pathlib import Path

    import numpy as np

    from npubench.npu.ethosu.config import accelerator
    from npubench.npu.ethosu.device import Device, Window
    from npubench.npu.ethosu.memory_system import read_memory_system
    from npubench.npu.ethosu.registers import PAGE_BYTES

    memory = mmap.mmap(configuration.memory_fd, configuration.memory_bytes)
    page = configuration.registers - configuration.memory_base
    part = accelerator(configuration.accelerator)
    device = Device(
        part,
        read_memory_system(
            Path(configuration.config_file),
            system_config=configuration.system_config,
            memory_mode=configuration.memory_mode,
            axi_bytes=part.axi_bytes,
        ),
        page=memoryview(memory)[page : page + PAGE_BYTES],
        window=Window(
            base=configuration.memory_base,
            data=np.frombuffer(memory, dtype=np.uint8, count=configuration.window_bytes),
        ),
    )
    kind, _, number = configuration.fault.partition("@")
    rings = 0

    def ring(reason: int) -> None:
        nonlocal rings
        if kind in ("die", "hang") and rings == int(number):
            if kind == "die":
                os._exit(7)
            time.sleep(3600)
        rings += 1
        device.ring(reason)

    return ring


def _die_with_parent() -> None:
    """On Linux: be killed when the supervisor is."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        os._exit(0)


def supervise(configuration: Configuration) -> None:
    """Answer doorbells until killed. The FIFOs are in the working directory."""
    page = mmap.mmap(
        configuration.memory_fd,
        GONE_PAGE_BYTES,
        offset=configuration.registers - configuration.memory_base,
    )
    # Both ends of each, so that opening never waits for the guest.
    request = os.open(REQUEST_FIFO, os.O_RDWR)
    answer = os.open(ANSWER_FIFO, os.O_RDWR)
    child: _Child | None = _Child(configuration)
    kind, _, number = configuration.fault.partition("@")
    rings = 0
    while True:
        reason = os.read(request, 1)
        if kind == "supervisor" and rings == int(number):
            os._exit(9)
        rings += 1
        if child is None:
            child = _Child(configuration)
        if not child.ring(reason[0], configuration.deadline_s):
            child.end()
            child = None
            log.error("the model of the NPU died or did not answer in time")
            page[:] = b"\xff" * GONE_PAGE_BYTES
        os.write(answer, READY)


def main() -> None:
    """Entry point of the process."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    supervise(Configuration(**json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
