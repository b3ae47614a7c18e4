"""A board model inside this process as a transport: its time is the board's, so that a session
is the same however fast the host is."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from npubench.emulators.board_model.powered import PoweredBoard

SLICE_INSTRUCTIONS = 500_000


class ModelTransport:
    """The console of ``model``, whose core runs at ``hz``. Reading lets it run."""

    def __init__(self, model: PoweredBoard, *, hz: int) -> None:
        self.model = model
        self._hz = hz
        self._waited_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def read(self, timeout_s: float) -> bytes:
        begin_s = self.now_s()
        while True:
            self.model.run(SLICE_INSTRUCTIONS)
            sent = self.model.take_sent()
            left_s = begin_s + timeout_s - self.now_s()
            if sent or left_s <= 0:
                return sent
            if self.model.is_idle:
                self._waited_s += left_s
                return b""

    def write(self, data: bytes) -> None:
        self.model.feed(data)

    def set_baud(self, baud: int) -> None:
        del baud

    def now_s(self) -> float:
        return self.model.instructions / self._hz + self._waited_s

    def describe(self) -> str:
        return "board model in this process"
