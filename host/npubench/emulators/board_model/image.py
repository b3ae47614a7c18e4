"""Firmware images as somebody else left them: raw, Intel HEX or ELF, as bytes at addresses."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from npubench.core.errors import UsageError

LIMIT_BYTES = 64 << 20
HEX_DATA, HEX_END, HEX_SEGMENT, HEX_START_SEGMENT, HEX_LINEAR, HEX_START_LINEAR = range(6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Bytes and where they lie; ``address`` None where the file does not say it."""

    address: int | None
    data: bytes


def read_image(path: Path) -> tuple[Segment, ...]:
    """The segments of an image. Raises UsageError when it is none or cannot be read."""
    try:
        size = path.stat().st_size
        if size > LIMIT_BYTES:
            raise UsageError(f"{path.name} has {size} bytes: no image of a microcontroller")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    if data.startswith(b"\x7fELF"):
        return _elf(path, data)
    if data.startswith(b":") or path.suffix.lower() in (".hex", ".ihex"):
        return _hex(path, data)
    if len(data) < 64:
        raise UsageError(f"{path.name} has {len(data)} bytes: no vector table fits into them")
    return (Segment(address=None, data=data),)


def _elf(path: Path, data: bytes) -> tuple[Segment, ...]:
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        elf = ELFFile(BytesIO(data))
        if elf["e_machine"] != "EM_ARM":
            raise UsageError(f"{path.name} is an ELF for {elf['e_machine']}, not for Arm")
        return tuple(
            Segment(address=segment["p_paddr"], data=segment.data())
            for segment in elf.iter_segments("PT_LOAD")
            if segment["p_filesz"]
        )
    except (ELFError, ValueError, KeyError) as error:
        raise UsageError(f"{path.name} is not an ELF that can be read: {error}") from error


def _hex(path: Path, data: bytes) -> tuple[Segment, ...]:
    """Intel HEX. Source: Intel Hexadecimal Object File Format Specification, revision A."""
    base = 0
    found: list[tuple[int, bytearray]] = []
    for number, line in enumerate(data.split(), start=1):
        try:
            if not line.startswith(b":"):
                raise ValueError("no colon")
            record = bytes.fromhex(line[1:].decode("ascii"))
            if len(record) < 5 or len(record) != record[0] + 5 or sum(record) & 0xFF:
                raise ValueError("wrong length or checksum")
        except ValueError as error:
            raise UsageError(f"{path.name}: line {number} is not Intel HEX: {error}") from error
        offset, kind, payload = int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        if kind == HEX_END:
            break
        if kind == HEX_SEGMENT:
            base = int.from_bytes(payload, "big") << 4
        elif kind == HEX_LINEAR:
            base = int.from_bytes(payload, "big") << 16
        elif kind == HEX_DATA:
            address = base + offset
            if found and found[-1][0] + len(found[-1][1]) == address:
                found[-1][1].extend(payload)
            else:
                found.append((address, bytearray(payload)))
    if not found:
        raise UsageError(f"{path.name} holds no data")
    return tuple(Segment(address=address, data=bytes(part)) for address, part in found)
