"""What this backend maps to the MAX78000's accelerator, in int8 and as a chain of layers."""

from __future__ import annotations

from npubench.compiler.backends.max7800x.chain import MAPPED
from npubench.compiler.graph import DType


def operators() -> dict[str, tuple[DType, ...]]:
    """Element types by operator."""
    return dict.fromkeys(MAPPED, (DType.INT8,))
