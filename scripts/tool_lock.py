"""Make the locks of foreign tools' environments: `tools/<id>.lock` from `tools/<id>.toml`.

Usage: .venv/bin/python scripts/tool_lock.py [ID]... (all if none). Needs uv on PATH.
"""

from __future__ import annotations

import fnmatch
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "host" / "npubench" / "toolenv" / "tools"


def main(names: list[str]) -> None:
    """Write the locks."""
    for path in sorted(FOLDER.glob("*.toml")):
        if names and path.stem not in names:
            continue
        tool = tomllib.loads(path.read_text(encoding="utf-8"))
        blocks = [
            *_compile(tool, tool.get("requirements", []), "--universal"),
            *_compile(tool, tool.get("bare", []), "--no-deps"),
        ]
        unwanted = tool.get("without", [])
        kept = [
            block
            for block in sorted(blocks)
            if not any(fnmatch.fnmatch(block.partition("==")[0], glob) for glob in unwanted)
        ]
        path.with_suffix(".lock").write_text(
            f"# Made by scripts/tool_lock.py {path.stem}\n" + "\n".join(kept) + "\n",
            encoding="utf-8",
        )
        sys.stdout.write(f"{path.stem}: {len(kept)} packages\n")


def _compile(tool: dict[str, Any], requirements: list[str], *options: str) -> list[str]:
    """One block of text for each distribution: its pin, its hashes."""
    if not requirements:
        return []
    oldest = min(tool["python"], key=lambda minor: int(minor.partition(".")[2]))
    argv = ["uv", "pip", "compile", "-", "--quiet", "--python-version", oldest]
    argv += ["--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url"]
    argv += ["--only-binary", ":all:", *options]
    said = subprocess.run(
        argv, input="\n".join(requirements), text=True, capture_output=True, check=False
    )
    if said.returncode:
        sys.exit(f"uv: {said.stderr}")
    blocks: list[str] = []
    for line in said.stdout.splitlines():
        if line.startswith(" "):
            blocks[-1] += f"\n{line}"
        elif "==" in line:
            blocks.append(line)
    return blocks


if __name__ == "__main__":
    main(sys.argv[1:])
