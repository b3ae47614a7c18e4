"""Format the C and C++ sources, or only say which are not: `.clang-format` describes them.

Usage: .venv/bin/python scripts/format_c.py [--check]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Written before the description; each goes when its folder is formatted.
LATER = ("firmware/npu/ethosu/",)


def sources() -> list[str]:
    """The C and C++ files of the firmware that are held to the description."""
    listed = subprocess.run(
        ["git", "ls-files", "firmware/*.c", "firmware/*.cpp", "firmware/*.h"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [name for name in listed if not name.startswith(LATER)]


def main(words: list[str]) -> int:
    """Exit code 1 when a file is not as described."""
    how = ["--dry-run", "-Werror"] if "--check" in words else ["-i"]
    tool = Path(sys.executable).parent / "clang-format"
    return subprocess.run([tool, *how, *sources()], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
