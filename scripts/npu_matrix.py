"""The whole matrix of the NPU model: every operator and network, every accelerator, against TFLM.

Run from the root: ``.venv/bin/python scripts/npu_matrix.py [PART OF A NAME ...]``. Takes about a
minute; ends with exit code 1 when something differs that docs/npu.md does not list.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "compiler"), str(ROOT / "host"), str(ROOT / "tests")]

from support.vela_in_process import differing  # noqa: E402

ACCELERATORS = (
    "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256",
    "ethos-u65-256", "ethos-u65-512",
)  # fmt: skip
MODES = ("Shared_Sram", "Sram_Only", "Dedicated_Sram")
EXCEPTIONS = {"conv_huge_multiplier"}


def main(parts: list[str]) -> int:
    """Compare everything, print what differs and a count."""
    networks = [
        *sorted((ROOT / "tests" / "data" / "ops").glob("*.tflite")),
        *sorted((ROOT / "models").glob("*/*.tflite")),
    ]
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for network in networks:
            if parts and not any(part in network.stem for part in parts):
                continue
            for accelerator in ACCELERATORS:
                for mode in MODES if network.parent.parent.name == "models" else MODES[:1]:
                    wrong = differing(
                        network, Path(folder), accelerator=accelerator, mode=mode, seeds=3
                    )
                    outcome = "on the CPU" if wrong is None else "exact" if not wrong else "differs"
                    if wrong and network.stem in EXCEPTIONS:
                        outcome = "differs as documented"
                    elif wrong:
                        sys.stderr.write(f"{network.stem} {accelerator} {mode}: {wrong} bytes\n")
                    counts[outcome] += 1
    sys.stderr.write(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) + "\n")
    return 1 if counts["differs"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
