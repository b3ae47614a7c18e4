"""The harness as a host process over a pty: protocol, inputs, faults, restarts."""

from __future__ import annotations

import dataclasses
import os
import struct
import zlib
from collections.abc import Callable, Iterator

import pytest

from support.emitted import IDENTITY
from support.firmware_line import FirmwareLine, build_small, record, run_firmware
from support.harness_checks import (
    check_as_the_reference,
    check_bad_input,
    check_base_commands,
    check_inputs,
    check_restarts,
    check_stack,
)

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(os.name != "posix", reason="the native board is a POSIX process"),
]


@pytest.fixture
def line() -> Iterator[FirmwareLine]:
    with run_firmware("native", build_small("native").elf) as console:
        assert console.answer()[-1] == "m-init-done"
        yield console


@pytest.mark.parametrize(
    "check",
    [
        check_base_commands,
        check_as_the_reference,
        check_bad_input,
        check_inputs,
        check_restarts,
        check_stack,
    ],
)
def test_harness_keeps_its_promises_on_the_host(
    line: FirmwareLine, check: Callable[[FirmwareLine], None]
) -> None:
    check(line)


def test_a_host_process_gives_no_timing(line: FirmwareLine) -> None:
    for command in ("bench 1 0", "layers 1", "clock"):
        assert line.ask(command) == ["e-[E5 this target has no timing]"]


def test_pixels_become_signed() -> None:
    identity = dataclasses.replace(IDENTITY, model_id="dense-u8", mlperf_input="u8")
    with run_firmware("native", build_small("native", identity).elf) as console:
        console.answer()
        console.ask("db load 8")
        assert console.ask("db 00017f80818ffeff") == ["m-load-done"]
        uploaded = record(console.ask("kat")[0])
        console.ask("db load 8")
        assert console.ask("db print") == ["m-buffer-00-01-7f-80-81-8f-fe-ff"]
        assert uploaded["in"] == crc_of_signed(b"\x00\x01\x7f\x80\x81\x8f\xfe\xff")


def test_floats_are_quantized_and_kept_for_the_error_of_reconstruction() -> None:
    """Scale 0.5, zero point -1: to nearest, half away from zero, saturated."""
    identity = dataclasses.replace(IDENTITY, model_id="dense-f32", mlperf_input="f32le")
    values = (0.0, 0.25, -0.25, 0.24, 1e30, -1e30, float("nan"), 3.5)
    expected = struct.pack("<8b", -1, 0, -2, -1, 127, -128, -1, 6)
    with run_firmware("native", build_small("native", identity).elf) as console:
        console.answer()
        console.ask("db load 32")
        data = struct.pack("<8f", *values)
        assert console.ask("db " + data.hex()) == ["m-load-done"]
        assert record(console.ask("kat")[0])["in"] == crc(expected)


def crc(data: bytes) -> str:
    return f"{zlib.crc32(data):08x}"


def crc_of_signed(pixels: bytes) -> str:
    """CRC of pixels moved from 0..255 to -128..127."""
    return crc(struct.pack(f"<{len(pixels)}b", *(pixel - 128 for pixel in pixels)))
