"""A golden answer: what it holds, who may give it, and that none can be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from npubench.core.errors import ToolError


class ReferenceUnavailable(ToolError):
    """No golden answer can be had for this network here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """The golden answer for one input.

    ``output_bytes``: all outputs, little-endian, in the network's order; ``output_item_bytes``:
    size of an element of the first, ``output_count``: number of output tensors. ``op_crcs``: CRC-32
    of the (first) output of each operator; empty unless all tensors were asked for.
    """

    reference: Literal["tflm", "portable", "vendor"]
    version: str
    input_crc: int
    output_bytes: bytes
    output_item_bytes: int
    output_count: int
    op_crcs: Mapping[int, int]


class Reference(Protocol):
    """Another way to the right answer, such as a native build of the portable kernels.

    ``name`` goes into the run's record; ``version`` changes whenever the answers may.
    """

    name: Literal["portable", "vendor"]
    version: str

    def run(self, model: bytes, stimulus: int | bytes) -> Golden:
        """The answer with every operator's CRC. ``model`` is a .tflite, ``stimulus`` the seed of
        the generated input or the raw input bytes. Raises ReferenceUnavailable."""


def golden_of(document: dict[str, Any]) -> Golden:
    """A golden answer from JSON values."""
    return Golden(
        reference=document["reference"],
        version=document["version"],
        input_crc=int(document["input_crc"]),
        output_bytes=bytes.fromhex(document["output_bytes"]),
        output_item_bytes=int(document["output_item_bytes"]),
        output_count=int(document["output_count"]),
        op_crcs={int(op): int(crc) for op, crc in document["op_crcs"].items()},
    )
