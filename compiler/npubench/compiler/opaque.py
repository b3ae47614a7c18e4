"""A network that only its vendor's tool reads, as one operator of a .tflite: what the file holds.

The operator is CUSTOM; its options are a heading in JSON (what the network says about itself, and
how long each part is) and the parts themselves, in the order of their names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from npubench.compiler.graph import Op
from npubench.core.errors import ModelFormatError

MAGIC: Final = b"npubench network 1\n"
_LENGTH_BYTES: Final = 4
Plain = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque:
    """``about``: plain values by name, ``macs`` among them where they are known; ``parts``: files
    by name."""

    about: Mapping[str, Plain]
    parts: Mapping[str, bytes]


def packed(network: Opaque) -> bytes:
    """The operator's options; equal networks give equal bytes."""
    sizes = {name: len(network.parts[name]) for name in sorted(network.parts)}
    heading = json.dumps({"about": dict(network.about), "parts": sizes}, sort_keys=True).encode()
    return b"".join(
        (
            MAGIC,
            len(heading).to_bytes(_LENGTH_BYTES, "little"),
            heading,
            *(network.parts[name] for name in sizes),
        )
    )


def is_opaque(op: Op) -> bool:
    """Whether an operator is such a network."""
    return op.kind == "CUSTOM" and op.custom_options.startswith(MAGIC)


def unpacked(op: Op) -> Opaque:
    """What ``packed`` put into the operator. Raises ModelFormatError for bytes that are damaged."""
    data = op.custom_options
    begin = len(MAGIC) + _LENGTH_BYTES
    end = begin + int.from_bytes(data[len(MAGIC) : begin], "little")
    try:
        heading = json.loads(data[begin:end])
        about, sizes = dict(heading["about"]), dict(heading["parts"])
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(op, "its heading cannot be read") from error
    if not data.startswith(MAGIC) or not all(isinstance(v, str | int) for v in about.values()):
        raise _damaged(op, "its heading cannot be read")
    parts: dict[str, bytes] = {}
    for name, size in sizes.items():
        if not isinstance(size, int) or not 0 <= size <= len(data) - end:
            raise _damaged(op, f"its part {name} is not whole")
        parts[name] = data[end : end + size]
        end += size
    if end != len(data):
        raise _damaged(op, f"{len(data) - end} bytes are left over")
    return Opaque(about=about, parts=parts)


def declared_macs(op: Op) -> int:
    """Multiply-accumulates as the vendor's tool counts them; 0 where it does not say."""
    if not is_opaque(op):
        return 0
    value = unpacked(op).about.get("macs", 0)
    return value if isinstance(value, int) and value >= 0 else 0


def _damaged(op: Op, why: str) -> ModelFormatError:
    return ModelFormatError(
        f"operator {op.custom_code or op.kind} (index {op.index}): {why}",
        hint="import the network again from its own files",
    )
