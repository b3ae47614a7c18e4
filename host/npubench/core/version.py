"""The version of npubench, and of the checkout it runs from."""

from __future__ import annotations

import subprocess
from functools import cache

from npubench.core.paths import checkout_root
from npubench.core.tool import tool_environment

VERSION = "0.1.0"


@cache
def git_state() -> str | None:
    """Short commit of the checkout, with ``-dirty`` when files differ; None without git."""
    root = checkout_root()
    if root is None or not (root / ".git").exists():
        return None
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            env=tool_environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
