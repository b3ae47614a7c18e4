"""What the engine takes is not ours to list."""

from __future__ import annotations

from typing import NoReturn

from npubench.core.errors import ToolError


def operators() -> NoReturn:
    """Raises ToolError: who decides."""
    raise ToolError("the user's own tree decides: whatever its interpreter has a kernel for")
