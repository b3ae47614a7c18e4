"""What the engine takes is not ours to list."""

from __future__ import annotations

from typing import NoReturn

from npubench.core.errors import ToolError


def operators() -> NoReturn:
    """Raises ToolError: who decides."""
    raise ToolError("CMSIS-NN where it has a kernel, else the portable kernels: what the CPU takes")
