"""Each operator that Vela places on an Ethos-U, in random networks: exact, or who is off.

Run from the root: ``.venv/bin/python scripts/npu_operators.py [OPERATOR ...]``. Writes
``compiler/npubench/compiler/backends/ethos_u/operators.toml`` (all operators: about ten minutes),
of which docs/npu-operators.md is made.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "compiler"), str(ROOT / "host"), str(ROOT / "tests")]

from npubench.compiler.backends.ethos_u.proven import TABLE  # noqa: E402
from support.npu_operator_verdict import CRASHED, operator_verdict  # noqa: E402
from support.npu_operators import OPERATORS  # noqa: E402

ACCELERATORS = (
    "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256",
    "ethos-u65-256", "ethos-u65-512",
)  # fmt: skip
NETWORKS = {"int8": 12, "int16": 6, "uint8": 4, "int32": 4}
FURTHER = {"REDUCE_MAX": (129, 215), "REDUCE_MIN": (129, 215)}
"""Seeds that were found to differ among more networks than the table has."""
HEAD = """\
# Random networks of one operator, by element type and core of Vela 5.2.0: how many were what.
# Written by scripts/npu_operators.py; do not edit.
"""


def outcomes(kind: str, dtype: str) -> tuple[str, str, dict[str, Counter[str]]]:
    """Verdicts of one operator in one type, by core. A reference may end the process on a form that
    it has not: then each verdict comes from a process of its own."""
    # Imported before the forks, which would each take a second for it.
    for module in ("ai_edge_litert.interpreter", "ethosu.vela.vela", "tflite_micro"):
        importlib.import_module(module)
    seeds = [*range(NETWORKS[dtype]), *(FURTHER.get(kind, ()) if dtype == "int8" else ())]
    cases = [(seed, legacy) for seed in seeds for legacy in (False, True)]
    words = in_child(kind, dtype, cases)
    if len(words) != len(cases):
        words = [(in_child(kind, dtype, [case]) or [CRASHED])[0] for case in cases]
    found: dict[str, Counter[str]] = {"default": Counter(), "legacy": Counter()}
    for (_, legacy), word in zip(cases, words, strict=True):
        found["legacy" if legacy else "default"][word] += 1
    return kind, dtype, found


def in_child(kind: str, dtype: str, cases: list[tuple[int, bool]]) -> list[str]:
    """Verdicts from a forked process, as many as it lived for."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with tempfile.TemporaryDirectory() as name:
            for seed, legacy in cases:
                part = ACCELERATORS[seed % len(ACCELERATORS)]
                word = operator_verdict(
                    kind, dtype, seed, Path(name), accelerator=part, legacy=legacy
                )
                os.write(writing, f"{word}\n".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        words = pipe.read().splitlines()
    os.waitpid(child, 0)
    return words


def main(wanted: list[str]) -> int:
    """Run all and write the table, or print those named."""
    kinds = [kind for kind in OPERATORS if not wanted or kind in wanted]
    with ProcessPoolExecutor(2) as pool:
        jobs = [pool.submit(outcomes, kind, dtype) for kind in kinds for dtype in NETWORKS]
        results = []
        for job in jobs:
            results.append(job.result())
            sys.stdout.write(f"{results[-1]}\n")
            sys.stdout.flush()
    lines = [HEAD]
    for kind, dtype, found in results:
        lines.append(f"[{kind}.{dtype}]")
        for core, counts in found.items():
            inner = ", ".join(f'"{word}" = {count}' for word, count in sorted(counts.items()))
            lines.append(f"{core} = {{ {inner} }}")
        lines.append("")
    if wanted:
        sys.stdout.write("\n".join(lines))
    else:
        TABLE.write_text("\n".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
