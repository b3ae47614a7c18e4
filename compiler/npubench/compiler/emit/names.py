"""Names and numbers as C sees them: a model's text reaches C through here or not at all."""

from __future__ import annotations

import re
import struct

from npubench.core.errors import CompileError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_CTYPES = frozenset(
    (
        "int8_t",
        "uint8_t",
        "int16_t",
        "uint16_t",
        "int32_t",
        "uint32_t",
        "int64_t",
        "uint64_t",
        "float",
        "void",
    )
)
_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        "auto break case char const continue default do double else enum extern float for goto if "
        "inline int long register restrict return short signed sizeof static struct switch typedef "
        "union unsigned void volatile while",
    )
)
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
MAX_WIRE_NAME = 40


def identifier(text: str) -> str:
    """``text`` itself when it is a C identifier and no keyword.

    Names of kernels and constants are made by backends, so anything else is a backend's mistake:
    raises CompileError.
    """
    if not _IDENTIFIER.fullmatch(text) or text in _KEYWORDS:
        raise CompileError(f"a backend made a name that is no C identifier: {text[:60]!r}")
    return text


def ctype(text: str) -> str:
    """``text`` itself when it is an element type that emitted code may use, else CompileError."""
    if text not in _CTYPES:
        raise CompileError(f"a backend asks for an unknown element type: {text[:60]!r}")
    return text


def file_name(text: str) -> str:
    """``text`` itself when it is a plain file name without a folder, else CompileError."""
    if not _FILE.fullmatch(text):
        raise CompileError(f"a backend made an unusable file name: {text[:60]!r}")
    return text


def wire_name(text: str) -> str:
    """A name that is safe in C strings, in JSON, in MLPerf's brackets and in file names.

    Keeps letters, digits, ``.``, ``_`` and ``-``; at most 40 characters; ``model`` when nothing
    is left.
    """
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:MAX_WIRE_NAME].strip("-.")
    return kept or "model"


def c_string(text: str) -> str:
    """A C string literal of printable ASCII text."""
    if not all(32 <= ord(char) < 127 for char in text):
        raise CompileError(f"text for the firmware is not printable ASCII: {text[:60]!r}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("??", '?""?') + '"'


def c_integer(value: int) -> str:
    """A C integer constant of at most 64 bits, valid at both ends of its range."""
    if not -(2**63) <= value < 2**64:
        raise CompileError(f"a parameter needs more than 64 bits: {value}")
    if value == -(2**63):
        return f"({value + 1} - 1)"
    return f"{value}u" if value >= 2**63 else str(value)


def c_macro_integer(value: int) -> str:
    """An integer for a macro: negative ones in parentheses, large ones unsigned, and hexadecimal
    unless they are round (addresses, as against frequencies)."""
    if value < 0:
        return f"({c_integer(value)})"
    if value <= 0xFFFF:
        return c_integer(value)
    return f"{value}u" if value % 100 == 0 else f"0x{value:X}u"


def c_float(value: float) -> str:
    """A C literal of exactly the float32 nearest to ``value``, which must be finite."""
    (single,) = struct.unpack("<f", struct.pack("<f", value))
    return f"{single.hex()}f"
