"""A board that exists only as a table of answers: it speaks the whole protocol, and computes
nothing. For trying the collector, and whatever stands on it, without firmware."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from npubench.core.seeded import seeded_bytes
from npubench.transport.interface import Transport
from npubench.wire.protocol import COMMAND_BYTES, DBC_BYTES, OUT_BYTES, error_number, error_text
from npubench.wire.record import format_record

STEP_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedNetwork:
    """What the simulated board says of itself and answers. Counts are per stage and per operator.

    ``caps`` overrides or adds fields of the caps record.
    """

    board: str = "simulated"
    model: str = "echo"
    artifact: str = "0" * 64
    build: str = "0" * 16
    input_bytes: int = 16
    output_bytes: int = 4
    op_counts: tuple[int, ...] = (700, 200, 100)
    stages: Mapping[str, int] = field(
        default_factory=lambda: {
            "init": 50,
            "load": 20,
            "infer": 1000,
            "unload": 10,
            "post": 5,
            "outer": 1041,
        }
    )
    hz: int = 25_000_000
    extended: bool = True
    timing: bool = True
    max_baud: int = 1_000_000
    caps: Mapping[str, object] = field(default_factory=dict)


class SimulatedBoard:
    """The device's side of the wire: bytes in, bytes out. Deterministic."""

    def __init__(self, network: SimulatedNetwork | None = None) -> None:
        self.network = network if network is not None else SimulatedNetwork()
        self.mode = "performance"
        self._command = bytearray()
        self._upload_left = 0
        self._input = bytearray(self.network.input_bytes)
        self._counter = 0

    def boot(self) -> bytes:
        """The banner that start-up prints."""
        self._command.clear()
        lines = [f"m-timestamp-mode-{self.mode}"]
        if self.mode == "performance":
            lines.append(f"m-lap-us-{self._time_us()}")
        return _lines(*lines, "m-init-done", "m-ready")

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the host and return what the board sends back."""
        out = b""
        for byte in data:
            if byte == ord("%"):
                out += self._execute(self._command.decode("ascii"))
                self._command.clear()
            elif byte not in b"\r\n\0":
                self._command.append(byte if 0x20 <= byte <= 0x7E else ord("?"))
        return out

    def tick(self, seconds: float) -> None:
        """Let the board's counter run."""
        self._counter += round(seconds * self.network.hz)

    def output(self) -> bytes:
        """The network's output: it depends on every byte of the input."""
        return seeded_bytes(zlib.crc32(self._input), self.network.output_bytes)

    def _execute(self, command: str) -> bytes:
        if len(command) >= COMMAND_BYTES:
            return _error("too-long")
        words = command.split(" ")
        verb = words[0]
        if verb in ("reset", "fault") and self.network.extended:
            fault = {
                "t": "fault",
                "kind": "usage",
                "pc": 256,
                "lr": 257,
                "psr": 1 << 24,
                "cfsr": 1 << 16,
                "hfsr": 0,
                "addr": 0,
            }
            return (_records(fault) if verb == "fault" else _lines("m-ready")) + self.boot()
        try:
            answer = self._base(verb, words[1:])
            if answer is None and self.network.extended:
                answer = self._extension(verb, words[1:])
        except (ValueError, IndexError):
            return _error("bad-argument")
        if answer is None:
            answer = _lines(f"e-[Unknown command: {verb}]")
        return answer + _lines("m-ready")

    def _base(self, verb: str, words: list[str]) -> bytes | None:
        if verb == "name":
            return _lines("m-name-dut-[npubench]")
        if verb == "profile":
            return _lines(
                "m-profile-[ULPMark for tinyML Firmware V0.0.1]", f"m-model-[{self.network.model}]"
            )
        if verb == "timestamp":
            return self._timestamp()
        if verb == "db":
            return self._db(words)
        if verb == "results":
            return self._results()
        if verb == "infer":
            count = int(words[0]) if words else 1
            warmups = int(words[1]) if len(words) > 1 else 10
            if count < 1:
                return _lines("e-[Inference iterations must be >0]")
            begin = self._timestamp()
            self._counter += count * (self.network.stages["load"] + self.network.stages["infer"])
            return (
                _lines(f"m-warmup-start-{warmups}", "m-warmup-done", f"m-infer-start-{count}")
                + begin
                + self._timestamp()
                + _lines("m-infer-done")
                + self._results()
            )
        return None

    def _db(self, words: list[str]) -> bytes:
        if words[0] == "load":
            if int(words[1]) > self.network.input_bytes:
                return _lines(
                    f"Supplied buffer size {words[1]} exceeds maximum of {self.network.input_bytes}"
                )
            self._upload_left = int(words[1])
            return _lines(f"m-[Expecting {self._upload_left} bytes]")
        if words[0] == "print":
            rows = (self._input[at : at + 8] for at in range(0, len(self._input), 8))
            return _lines(*(f"m-buffer-{row.hex('-')}" for row in rows))
        data = bytes.fromhex(words[0])[: self._upload_left]
        offset = self.network.input_bytes - self._upload_left
        self._input[offset : offset + len(data)] = data
        self._upload_left -= len(data)
        return b"" if self._upload_left else _lines("m-load-done")

    def _extension(self, verb: str, words: list[str]) -> bytes | None:
        if verb in ("bench", "layers") and not self.network.timing:
            return _error("no-timing", ready=False)
        if verb == "caps":
            return _records(self._caps())
        if verb == "seed":
            self._input[:] = seeded_bytes(int(words[0]), len(self._input))
            return _records(
                {"t": "seed", "seed": int(words[0]), "crc": f"{zlib.crc32(self._input):08x}"}
            )
        if verb == "dbc":
            return self._dbc(int(words[0]), int(words[1], 16), bytes.fromhex(words[2]))
        if verb == "bench":
            return _records(*self._bench(int(words[0])))
        if verb == "layers":
            return _records(
                *(
                    {"t": "op", "r": rep, "i": op, "c": count}
                    for rep in range(int(words[0]))
                    for op, count in enumerate(self.network.op_counts)
                )
            )
        if verb == "burst" and self.network.timing:
            return _records(self._burst(int(words[0]), int(words[1]), int(words[2])))
        if verb == "kat":
            return _records(*self._kat(words == ["layers"]))
        if verb == "mem":
            return _records({"t": "mem", "stack_used": 400, "stack_size": 4096, "arena": 2048})
        if verb == "clock":
            return _records({"t": "clock", "c": self._counter})
        if verb == "mode":
            if words[0] not in ("energy", "performance"):
                return _error("bad-argument", ready=False)
            self.mode = words[0]
            return _lines(f"m-mode-[{self.mode}]")
        if verb == "baud":
            if int(words[0]) > self.network.max_baud:
                return _error("not-supported", ready=False)
            return _lines(f"m-baud-[{int(words[0])}]")
        return None

    def _dbc(self, offset: int, crc: int, data: bytes) -> bytes:
        if len(data) > DBC_BYTES or offset < 0 or offset + len(data) > len(self._input):
            return _error("out-of-range", ready=False)
        if zlib.crc32(data) != crc:
            return _error("bad-crc", ready=False)
        self._input[offset : offset + len(data)] = data
        return b""

    def _caps(self) -> dict[str, object]:
        network = self.network
        return {
            "t": "caps",
            "proto": 1,
            "firmware": "npubench simulated",
            "board": network.board,
            "backend": "none",
            "model": network.model,
            "artifact": network.artifact,
            "build": network.build,
            "unit": "ticks" if network.timing else "none",
            "hz": network.hz,
            "bits": 32,
            "ops": len(network.op_counts),
            "in": network.input_bytes,
            "out": network.output_bytes,
            "arena": 2048,
            "post": "argmax",
            "markers": 0,
            **network.caps,
        }

    def _bench(self, repetitions: int) -> Iterator[dict[str, object]]:
        yield {"t": "selftest", "n": [1000, 3000], "c": [2010, 6010]}
        yield {"t": "window", "c": [3] * 8}
        yield {"t": "init", "cold": 60}
        for index in range(repetitions):
            yield {"t": "rep", "i": index, **self.network.stages}
        output = self.output()
        yield {"t": "answer", "index": output.index(max(output)), "milli": 1000}

    def _burst(self, code: int, repeats: int, hold_us: int) -> dict[str, object]:
        stages, hz = self.network.stages, self.network.hz
        work = {
            1: stages["init"],
            2: stages["load"],
            3: stages["load"] + stages["infer"],
            4: stages["unload"],
            5: stages["post"],
            6: hz // 1000,
            7: hz // 10_000,
        }[code]
        times = [self._counter]
        for count in (hold_us * hz // 1_000_000, repeats * work, 0):
            times.append(times[-1] + count)
        self._counter = times[-1] + hold_us * hz // 1_000_000
        names = ("up", "begin", "end", "down")
        return {
            "t": "burst",
            "code": code,
            "n": repeats,
            "slept": 0,
            **dict(zip(names, times, strict=True)),
        }

    def _kat(self, tensors: bool) -> Iterator[dict[str, object]]:
        output = self.output()
        if tensors:
            for op in range(len(self.network.op_counts)):
                data = seeded_bytes(zlib.crc32(self._input) + op, 8)
                yield {"t": "tensor", "i": op, "bytes": 8, "crc": f"{zlib.crc32(data):08x}"}
        yield {
            "t": "kat",
            "in": f"{zlib.crc32(self._input):08x}",
            "out": f"{zlib.crc32(output):08x}",
        }
        for at in range(0, len(output), OUT_BYTES):
            yield {"t": "out", "o": at, "hex": output[at : at + OUT_BYTES].hex()}

    def _timestamp(self) -> bytes:
        return _lines(f"m-lap-us-{self._time_us()}") if self.mode == "performance" else b""

    def _time_us(self) -> int:
        return self._counter * 1_000_000 // self.network.hz % (1 << 32)

    def _results(self) -> bytes:
        values = ",".join(f"{byte // 256}.{byte * 1000 // 256:03d}" for byte in self.output())
        return _lines(f"m-results-[{values}]")


class SimulatedTransport:
    """A SimulatedBoard as a transport, in memory; time passes only when somebody waits."""

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board
        self._out = bytearray()
        self._now_s = 0.0
        self.baud = 0

    def __enter__(self) -> Self:
        self._out += self._board.boot()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._out.clear()

    def read(self, timeout_s: float) -> bytes:
        self._pass_time(min(timeout_s, STEP_S) if self._out else timeout_s)
        data = bytes(self._out)
        self._out.clear()
        return data

    def write(self, data: bytes) -> None:
        self._out += self._board.feed(data)

    def set_baud(self, baud: int) -> None:
        self.baud = baud

    def now_s(self) -> float:
        return self._now_s

    def describe(self) -> str:
        return f"simulated board {self._board.network.board}"

    def _pass_time(self, seconds: float) -> None:
        self._now_s += seconds
        self._board.tick(seconds)


def serve(board: SimulatedBoard, transport: Transport, *, poll_s: float = 0.05) -> None:
    """Answer over an open transport, until the other side is gone (DeviceEnded is let through)."""
    transport.write(board.boot())
    while True:
        data = transport.read(poll_s)
        if data:
            transport.write(board.feed(data))


def _lines(*texts: str) -> bytes:
    return b"".join(text.encode("ascii") + b"\r\n" for text in texts)


def _records(*records: Mapping[str, object]) -> bytes:
    return b"".join(format_record(record) + b"\r\n" for record in records)


def _error(name: str, *, ready: bool = True) -> bytes:
    line = f"e-[E{error_number(name)} {error_text(name)}]"
    return _lines(line, "m-ready") if ready else _lines(line)
