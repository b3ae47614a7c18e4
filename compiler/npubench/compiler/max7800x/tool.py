"""ADI's ai8x-synthesis, driven as the external program that it is: its C, its known answer, its
estimate of the latency.

The checkout is the user's (``AI8X_SYNTHESIS_DIR``); its Python is that of a virtual environment in
it, or ``AI8X_PYTHON``. Formats: files that the tool writes, as its repository shows them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from npubench.compiler.max7800x.description import (
    BIAS_FILE,
    NETWORK_FILE,
    SAMPLE_FILE,
    WEIGHTS_FILE,
)
from npubench.compiler.vendor import VendorTool, locate, own_folder, run_vendor_tool
from npubench.core.errors import ToolError

ENGINE = "the MAX78000's CNN accelerator"
TOOL = VendorTool(
    program="ai8xize.py",
    variable="AI8X_SYNTHESIS_DIR",
    inside="ai8xize.py",
    install="clone analogdevicesinc/ai8x-synthesis, set up its Python environment, and set "
    "AI8X_SYNTHESIS_DIR to it",
)
PREFIX = "npubench"
SOURCES = ("cnn.c", "cnn.h", "weights.h")
_ENVIRONMENTS = ("venv/bin/python", ".venv/bin/python")
_DEFINE = re.compile(r"#define\s+SAMPLE_OUTPUT\s*\{(.*?)\}", re.DOTALL)
_COMMENT = re.compile(r"//[^\n\\]*|/\*.*?\*/", re.DOTALL)
_NUMBER = re.compile(r"0x[0-9A-Fa-f]+|-?\d+")
_TOTAL = re.compile(r"^\s*Total\b[^\d]*([\d,]+)(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What the tool made. ``answer``: words of the known answer, in memory's order;
    ``latency_cycles``: its estimate, None when it gives none; ``estimate_is_rough``: it says so
    itself (streaming); ``version``: commit of the checkout."""

    sources: dict[str, str]
    answer: tuple[int, ...]
    latency_cycles: int | None
    estimate_is_rough: bool
    version: str


def arguments(folder: Path, device: str) -> tuple[str, ...]:
    """ai8xize's words after its name; paths are absolute, it runs in its own checkout."""
    return (
        "--test-dir", str(folder / "out"), "--prefix", PREFIX,
        "--config-file", str(folder / NETWORK_FILE),
        "--weight-input", str(folder / WEIGHTS_FILE), "--bias-input", str(folder / BIAS_FILE),
        "--sample-input", str(folder / SAMPLE_FILE),
        "--device", device, "--timer", "0", "--verbose", "--no-wfi",
        "--no-version-check", "--yamllint", "none", "--overwrite",
    )  # fmt: skip


def generate(files: dict[str, bytes], *, device: str) -> Generated:
    """Run the tool on ``files`` (description.describe).

    Raises ToolMissing without a checkout, ToolError when it fails or writes something else.
    """
    script = locate(TOOL, engine=ENGINE)
    with own_folder("max7800x") as folder:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        # The checkout is its working folder: it reads assets from there. What it writes is ours.
        run_vendor_tool(
            (_python(script.parent), script, *arguments(folder, device)), folder=script.parent
        )
        return _read(folder / "out" / PREFIX, script.parent)


def _python(checkout: Path) -> str:
    named = os.environ.get("AI8X_PYTHON", "")
    if named:
        return named
    for place in _ENVIRONMENTS:
        if (checkout / place).is_file():
            return str(checkout / place)
    return sys.executable


def _read(folder: Path, checkout: Path) -> Generated:
    def text(name: str) -> str:
        try:
            return (folder / name).read_text(encoding="utf-8")
        except OSError as error:
            raise ToolError(
                f"ai8xize made no {name}", hint="is this checkout's version another one?"
            ) from error

    log = text("log.txt")
    _, _, estimate = log.partition("ESTIMATED LATENCY")
    total = _TOTAL.search(estimate)
    return Generated(
        sources={name: text(name) for name in SOURCES},
        answer=parse_answer(text("sampleoutput.h")),
        latency_cycles=None if total is None else int(total[1].replace(",", "")),
        estimate_is_rough=total is not None and "est" in total[2],
        version=_commit(checkout),
    )


def parse_answer(header: str) -> tuple[int, ...]:
    """The words of SAMPLE_OUTPUT: address, count, words, ... up to address 0. Raises ToolError."""
    match = _DEFINE.search(header)
    numbers = (
        [int(word, 0) for word in _NUMBER.findall(_COMMENT.sub("", match[1]))] if match else []
    )
    words: list[int] = []
    at = 0
    while at + 1 < len(numbers) and numbers[at] != 0:
        count = numbers[at + 1]
        words += numbers[at + 2 : at + 2 + count]
        at += 2 + count
    if not words or at >= len(numbers) or numbers[at] != 0:
        raise ToolError(
            "ai8xize's known answer cannot be read", hint="is this checkout's version another one?"
        )
    return tuple(words)


def _commit(checkout: Path) -> str:
    try:
        result = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=checkout, capture_output=True,
            text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return result.stdout.strip() or "unknown"
