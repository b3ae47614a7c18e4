"""What this backend maps to the accelerator of the MAX78000 or the MAX78002, in int8."""

from __future__ import annotations

from npubench.compiler.backends.max7800x.chain import MAPPED
from npubench.compiler.graph import DType


def operators() -> dict[str, tuple[DType, ...]]:
    """Element types by operator."""
    return dict.fromkeys(MAPPED, (DType.INT8,))
