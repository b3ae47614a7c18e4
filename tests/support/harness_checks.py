"""What the harness promises on every target; each check is run natively and on an emulator."""

from __future__ import annotations

import re
import zlib

from npubench.core.seeded import seeded_bytes
from support.firmware_line import FirmwareLine, record


def check_base_commands(line: FirmwareLine) -> None:
    """MLCommons' runner reads these with anchored patterns."""
    assert line.ask("name") == ["m-name-dut-[npubench]"]
    assert line.ask("profile") == [
        "m-profile-[ULPMark for tinyML Firmware V0.0.1]",
        "m-model-[dense]",
    ]
    (lap,) = line.ask("timestamp")
    assert re.fullmatch(r"m-lap-us-\d+", lap)
    assert line.ask("db load 8") == ["m-[Expecting 8 bytes]"]
    assert line.ask("db 00010203040506") == []
    assert line.ask("db ff") == ["m-load-done"]
    assert line.ask("db print") == ["m-buffer-00-01-02-03-04-05-06-ff"]
    answer = line.ask("infer 3 2")
    assert answer[:3] == ["m-warmup-start-2", "m-warmup-done", "m-infer-start-3"]
    laps = [text for text in answer if text.startswith("m-lap-us-")]
    assert len(laps) == 2
    assert re.fullmatch(r"m-results-\[(\d\.\d{3},){11}\d\.\d{3}\]", answer[-1])
    assert answer[-2] == "m-infer-done"
    assert line.ask("results") == [answer[-1]]
    assert line.ask("infer 1")[0] == "m-warmup-start-10"
    assert line.ask("infer 0 0") == ["e-[Inference iterations must be >0]"]
    assert line.ask("nonsense 1") == ["e-[Unknown command: nonsense]"]
    assert line.is_quiet()


FIRMWARE = [
    ("infer", ["m-warmup-start-10", "m-warmup-done", "m-infer-start-1"]),
    ("infer 2", ["m-warmup-start-10", "m-warmup-done", "m-infer-start-2"]),
    ("infer 2 0", ["m-warmup-start-0", "m-warmup-done", "m-infer-start-2"]),
    ("infer 2x +1 9", ["m-warmup-start-1", "m-warmup-done", "m-infer-start-2"]),
    ("infer 1 x", ["m-warmup-start-0", "m-warmup-done", "m-infer-start-1"]),
    ("infer 0", ["e-[Inference iterations must be >0]"]),
    ("infer x 1", ["e-[Inference iterations must be >0]"]),
    ("infer -3 1", ["e-[Inference iterations must be >0]"]),
    ("infer 1 -1", ["e-[Inference warmup must be >=0]"]),
    ("db", ["e-[Command 'db' requires a subcommand]"]),
    ("db load", ["e-[Command 'db load' requires the # of bytes]"]),
    ("db load 0", ["e-[Command 'db load' must be >0 bytes]"]),
    ("db load many", ["e-[Command 'db load' must be >0 bytes]"]),
    ("db load 9", ["Supplied buffer size 9 exceeds maximum of 8"]),
    ("db load -5", ["Supplied buffer size -5 exceeds maximum of 8"]),
    ("db load 8 and more", ["m-[Expecting 8 bytes]"]),
    ("db 0", ["e-[Insufficent number of hex digits]"]),
    ("db 0g1", ["e-[Insufficent number of hex digits]"]),
    ("db 0g", ["e-[Invalid hex digit '0g']"]),
    ("db g0", ["e-[Invalid hex digit 'g0']"]),
    ("db aB", []),
    ("db 010203040506 07", []),
    ("db 08zz", ["m-load-done"]),
    ("db print 3 1", ["m-buffer-ab-01-02-03-04-05-06-08"]),
    ("db load 3", ["m-[Expecting 3 bytes]"]),
    ("infer 1 0", ["Input db has 0 elemented, expected 8", "m-warmup-start-0"]),
    ("db 112233445566", ["m-load-done"]),
    ("db print", ["m-buffer-11-22-33", ""]),
    ("infer 1 0", ["Input db has 3 elemented, expected 8", "m-warmup-start-0"]),
]
"""Base commands and how MLPerf Tiny's reference firmware begins its answers (read in
benchmark/api and reference_submissions of mlcommons/tiny at 1afd2c9)."""


def check_as_the_reference(line: FirmwareLine) -> None:
    """5.2: what MLPerf Tiny's own firmware answers to well-formed and to wrong base commands."""
    assert line.ask("reset")[-1] == "m-init-done"
    assert line.ask("infer 1 0")[0] == "Input db has 0 elemented, expected 8"
    line.ask("seed 1")
    assert line.ask("infer 1 0")[0] == "m-warmup-start-0"
    for command, begin in FIRMWARE:
        answer = line.ask(command)
        assert answer[: len(begin)] == begin, command
        whole = "infer" not in command or begin[0].startswith("e-")
        assert whole == (len(answer) == len(begin)), command
        assert whole or answer[-1].startswith("m-results-["), command
    # MLPerf's firmware writes on behind its buffer here.
    assert line.ask("db 00") == ["e-[E2 out of range]"]
    assert line.is_quiet()


def check_bad_input(line: FirmwareLine) -> None:
    """Whatever comes, each '%' is answered once, and nothing is done by half."""
    raw = bytes(range(100, 108))
    assert line.ask(f"dbc 0 {zlib.crc32(raw):08x} {raw.hex()}") == []
    before = record(line.ask("kat")[0])
    assert before["in"] == f"{zlib.crc32(raw):08x}"
    line.ask("db load 8")
    for command, error in (
        ("db 012", "e-[Insufficent number of hex digits]"),
        ("db 01zz", "e-[Invalid hex digit 'zz']"),
        ("dbc 0 00000000 0011", "e-[E3 crc differs]"),
        (f"dbc 7 {zlib.crc32(bytes(2)):08x} 0000", "e-[E2 out of range]"),
        (f"dbc 4294967295 {zlib.crc32(bytes(2)):08x} 0000", "e-[E2 out of range]"),
        ("seed 4294967296", "e-[E1 bad argument]"),
        ("seed -1", "e-[E1 bad argument]"),
        ("seed", "e-[E1 bad argument]"),
        ("kat all", "e-[E1 bad argument]"),
        ("bench 1", "e-[E1 bad argument]"),
        ("bench 0 0", "e-[E1 bad argument]"),
        ("mode slow", "e-[E1 bad argument]"),
        ("baud 0", "e-[E1 bad argument]"),
        ("", "e-[Unknown command: ]"),
        ("nam", "e-[Unknown command: nam]"),
        ("names", "e-[Unknown command: names]"),
        ("x" * 192, "e-[E4 command too long]"),
        ("name" + " " * 5000, "e-[E4 command too long]"),
    ):
        assert line.ask(command) == [error], command
    assert line.send(b"\x80\xff\x07caps%") == ["e-[Unknown command: ???caps]"]
    assert line.send(b"\0na\r\nme%") == ["m-name-dut-[npubench]"]
    assert line.ask("x" * 191) == [f"e-[Unknown command: {'x' * 191}]"]
    assert record(line.ask("kat")[0]) == before
    assert line.is_quiet()


def check_inputs(line: FirmwareLine) -> None:
    """The seed gives the host's bytes; an upload replaces it."""
    crc = f"{zlib.crc32(seeded_bytes(77, 8)):08x}"
    assert record(line.ask("seed 77")[0]) == {"t": "seed", "seed": 77, "crc": crc}
    seeded = line.ask("kat layers")
    assert [record(text)["t"] for text in seeded] == ["tensor", "tensor", "tensor", "kat", "out"]
    kat, out = record(seeded[3]), record(seeded[4])
    assert kat["in"] == crc
    assert f"{zlib.crc32(bytes.fromhex(out['hex'])):08x}" == kat["out"]
    assert record(seeded[2])["crc"] == kat["out"]
    line.ask("db load 8")
    assert line.ask("db 0001020304050607") == ["m-load-done"]
    assert record(line.ask("kat")[0])["in"] == f"{zlib.crc32(bytes(range(8))):08x}"


def check_restarts(line: FirmwareLine) -> None:
    """The mode outlives a reset and a fault; the input does not."""
    line.ask("seed 5")
    assert line.ask("mode energy") == ["m-mode-[energy]"]
    assert line.ask("timestamp") == []
    assert line.ask("reset") == ["m-timestamp-mode-energy", "m-init-done"]
    assert record(line.ask("kat")[0])["in"] == f"{zlib.crc32(bytes(8)):08x}"
    answer = line.ask("infer 1 0")
    assert not [text for text in answer if text.startswith("m-lap-us")]
    fault, *banner = line.ask("fault")
    assert record(fault)["t"] == "fault"
    assert record(fault)["kind"] == "usage"
    assert record(fault)["pc"] != 0
    assert banner == ["m-timestamp-mode-energy", "m-init-done"]
    assert line.ask("mode performance") == ["m-mode-[performance]"]
    assert line.ask("reset")[0] == "m-timestamp-mode-performance"
    assert line.is_quiet()


def check_stack(line: FirmwareLine) -> None:
    """The paint shows what was used, and less than everything."""
    line.ask("kat")
    memory = record(line.ask("mem")[0])
    assert 0 < memory["stack_used"] < memory["stack_size"]
