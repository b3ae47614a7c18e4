"""ADI's ai8x-synthesis, driven as the external program that it is: its C, its known answer, its
estimate of the latency.

The checkout is the user's (``AI8X_SYNTHESIS_DIR``); its Python is that of a virtual environment in
it, or ``AI8X_PYTHON``. Formats: files that the tool writes, as its repository shows them.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from npubench.compiler.backends.max7800x.description import (
    BIAS_FILE,
    NETWORK_FILE,
    SAMPLE_FILE,
    WEIGHTS_FILE,
)
from npubench.compiler.backends.max7800x.scheme import Ints
from npubench.compiler.importers.ai8x import (
    CHECKOUT_VARIABLE,
    CHECKPOINT_PART,
    INSTALL,
    checkout_commit,
    checkout_python,
    lint_words,
)
from npubench.compiler.vendor.tool import VendorTool, locate, own_folder, run_vendor_tool
from npubench.core.errors import ToolError

ENGINE = "the MAX78000's CNN accelerator"
TOOL = VendorTool(
    program="ai8xize.py",
    variable=CHECKOUT_VARIABLE,
    inside="ai8xize.py",
    install=INSTALL,
)
SEED: Final = 1
PREFIX = "npubench"
SOURCES = ("cnn.c", "cnn.h", "weights.h")
_DEFINE = re.compile(r"#define\s+SAMPLE_OUTPUT\s*\{(.*?)\}", re.DOTALL)
_COMMENT = re.compile(r"//[^\n\\]*|/\*.*?\*/", re.DOTALL)
_NUMBER = re.compile(r"0x[0-9A-Fa-f]+|-?\d+")
_TOTAL = re.compile(r"^\s*Total\b[^\d]*([\d,]+)(.*)$", re.MULTILINE)
_LAYER = re.compile(r"^Layer (\d+)[^\d]*\s([\d,]+)( \(est\))?\s*$", re.MULTILINE)
_MASKS = {
    sum(0xFF << 8 * lane for lane in range(4) if set_of & 1 << lane) for set_of in range(1, 16)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What the tool made. ``answer``: the known answer, words by address, what it does not check in
    them zero; ``layer_cycles``: its estimate by layer;
    ``latency_cycles``: its estimate, None when it gives none; ``estimate_is_rough``: it says so
    itself (streaming); ``version``: commit of the checkout; ``log``: its report; ``main`` and
    ``sample_data``: the program around the C, empty where none was made."""

    sources: dict[str, str]
    answer: dict[int, int]
    latency_cycles: int | None
    layer_cycles: tuple[int, ...]
    estimate_is_rough: bool
    version: str
    log: str = ""
    main: str = ""
    sample_data: str = ""


def arguments(
    folder: Path, device: str, checkout: Path, *, checkpoint: bool = False
) -> tuple[str, ...]:
    """ai8xize's words after its name; paths are absolute, it runs in its own checkout.
    ``checkpoint``: weights are in one of ADI's, else in arrays of ours."""
    weights = (
        ("--checkpoint-file", str(folder / CHECKPOINT_PART))
        if checkpoint
        else (
            "--weight-input", str(folder / WEIGHTS_FILE), "--bias-input", str(folder / BIAS_FILE),
        )
    )  # fmt: skip
    return (
        "--test-dir", str(folder / "out"), "--prefix", PREFIX,
        "--config-file", str(folder / NETWORK_FILE), *weights,
        "--sample-input", str(folder / SAMPLE_FILE),
        "--device", device, "--timer", "0", "--verbose", "--no-wfi",
        "--no-version-check", "--overwrite", *lint_words(checkout),
    )  # fmt: skip


def generate(
    files: dict[str, bytes],
    *,
    device: str,
    sample: Ints | None = None,
    words: tuple[str, ...] = (),
) -> Generated:
    """Run the tool on ``files`` (description.describe, or a network of ADI's own with a ``sample``
    of channels first); ``words``: more for its command line.

    Raises ToolMissing without a checkout, ToolError when it fails or writes something else.
    """
    script = locate(TOOL, engine=ENGINE)
    checkout = script.parent
    python = checkout_python(checkout)
    if sample is not None:
        stream = io.BytesIO()
        np.save(stream, np.ascontiguousarray(sample, dtype=np.int64), allow_pickle=False)
        files = files | {SAMPLE_FILE: stream.getvalue()}
    with own_folder("max7800x") as folder:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        own = arguments(folder, device, checkout, checkpoint=CHECKPOINT_PART in files)
        # The checkout is its working folder: it reads assets from there. What it writes is ours.
        run_vendor_tool((python, script, *own, *words), folder=checkout, name=script.name)
        return _read(folder / "out" / PREFIX, checkout)


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
    estimate, _, _ = estimate.partition("SUMMARY OF OPS")
    total = _TOTAL.search(estimate)
    layers = tuple(int(match[2].replace(",", "")) for match in _LAYER.finditer(estimate))
    return Generated(
        sources={name: text(name) for name in SOURCES},
        answer=parse_answer(text("sampleoutput.h")),
        latency_cycles=None if total is None else int(total[1].replace(",", "")),
        layer_cycles=layers,
        estimate_is_rough=total is not None and "est" in total[2],
        version=checkout_commit(checkout),
        log=log,
        **{
            field: text(name) if (folder / name).is_file() else ""
            for field, name in (("main", "main.c"), ("sample_data", "sampledata.h"))
        },
    )


def parse_answer(header: str) -> dict[int, int]:
    """SAMPLE_OUTPUT as words by address. It holds blocks of address, mask, count and so many
    words, sorted by mask, up to address 0. Raises ToolError."""
    match = _DEFINE.search(header)
    numbers = (
        [int(word, 0) for word in _NUMBER.findall(_COMMENT.sub("", match[1]))] if match else []
    )
    words: dict[int, int] = {}
    at = 0
    while at + 2 < len(numbers) and numbers[at] != 0:
        address, mask, count = numbers[at : at + 3]
        if mask not in _MASKS:
            break
        for index, word in enumerate(numbers[at + 3 : at + 3 + count]):
            place = address + 4 * index
            words[place] = words.get(place, 0) | (word & mask)
        at += 3 + count
    if not words or at + 1 != len(numbers) or numbers[at] != 0:
        raise ToolError(
            "ai8xize's known answer cannot be read", hint="is this checkout's version another one?"
        )
    return words
