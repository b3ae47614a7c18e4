"""What Vela says that it places on an Ethos-U55 or U65, from its own report.

An operator in the report has conditions beside its element type (shapes, strides, scales); what
does not meet them runs on the CPU.
"""

from __future__ import annotations

import re
import sys
import tempfile
from functools import cache
from pathlib import Path

from npubench.compiler.graph import DType
from npubench.core.errors import ToolError
from npubench.core.tool import run_tool

_SECTION = re.compile(r"^## Ethos-U55 and Ethos-U65 TFLite Summary Table$(.*?)^## ", re.M | re.S)
_ROW = re.compile(r"^\| ([A-Z0-9_]+) \|", re.M)
_GENERIC = re.compile(r"Feature-map dataTypes must be one of \{([^}]*)\}")
_OWN = re.compile(
    r"^### Ethos-U55 and Ethos-U65 TFLite ([A-Z0-9_]+) Constraints$(.*?)(?=^#)", re.M | re.S
)
_MUST = re.compile(
    r"(?:datatypes must match, and must be|^- IFM must be|^- IFM precision must be one of:) \(?"
    r"([A-Za-z0-9, ]+)",
    re.M,
)
_PRODUCT = re.compile(r"^- IF Matmul .*: IFM precision must be ([A-Za-z0-9]+)", re.M)
_NO_32_BITS = "32-bit feature-maps are not supported"
_NO_64_BITS = re.compile(r"64-bit feature-maps are not supported\.\s+- Exceptions: \[([^\]]*)\]")


@cache
def operators() -> dict[str, tuple[DType, ...]]:
    """Element types by operator. Raises ToolError when Vela cannot be asked."""
    with tempfile.TemporaryDirectory(prefix="npubench-vela-") as name:
        run_tool(
            (sys.executable, "-m", "ethosu.vela", "--supported-ops-report"),
            cwd=Path(name),
            timeout_s=120,
        )
        try:
            text = (Path(name) / "SUPPORTED_OPS.md").read_text(encoding="utf-8")
        except OSError as error:
            raise ToolError("Vela wrote no list of its operators", hint="is it 5.2?") from error
    return parse(text)


def parse(text: str) -> dict[str, tuple[DType, ...]]:
    """Vela's report as element types by operator. Raises ToolError."""
    section, generic = _SECTION.search(text), _GENERIC.search(text)
    if section is None or generic is None:
        raise ToolError("Vela's list of operators cannot be read", hint="is it 5.2?")
    everywhere = _types(generic[1])
    long = _NO_64_BITS.search(text)
    long_taken = {name.strip() for name in long[1].split(",")} if long is not None else set()
    own = {match[1]: match[2] for match in _OWN.finditer(text)}
    found: dict[str, tuple[DType, ...]] = {}
    for op in _ROW.findall(section[1]):
        said = own.get(op, "")
        must = _MUST.search(said) or (_PRODUCT.search(said) if op == "BATCH_MATMUL" else None)
        taken = set(_types(must[1]) if must is not None else everywhere)
        if _NO_32_BITS in said:
            taken.discard(DType.INT32)
        if long is not None and op.replace("_", "") not in long_taken:
            taken.discard(DType.INT64)
        found[op] = tuple(dtype for dtype in everywhere if dtype in taken)
    return found


def _types(words: str) -> tuple[DType, ...]:
    named = {word.lower() for word in re.findall(r"[A-Za-z]+\d+", words)}
    return tuple(dtype for dtype in DType if dtype.value in named)
