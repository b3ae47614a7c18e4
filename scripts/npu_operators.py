"""Each operator that Vela places on an Ethos-U, in random networks: exact, or who is off.

Run from the root: ``.venv/bin/python scripts/npu_operators.py [OPERATOR ...]``. Writes
``compiler/npubench/compiler/backends/ethos_u/operators.toml`` (all operators: about ten minutes),
of which docs/npu-operators.md is made. ``--seeds 100:160`` tries other networks and only prints:
each that is not exact with its seed, to find what has no name yet.
"""

from __future__ import annotations

import argparse
import importlib
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "compiler"), str(ROOT / "host"), str(ROOT / "tests")]

from npubench.compiler.backends.ethos_u.proven import TABLE  # noqa: E402
from support.npu_operator_verdict import CRASHED, EXACT, ON_CPU, operator_verdict  # noqa: E402
from support.npu_operators import OPERATORS  # noqa: E402

ACCELERATORS = (
    "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256",
    "ethos-u65-256", "ethos-u65-512",
)  # fmt: skip
NETWORKS = {"int8": 12, "int16": 6, "uint8": 4, "int32": 4}
FURTHER = {
    ("REDUCE_MAX", "int8"): (129, 215),
    ("REDUCE_MIN", "int8"): (129, 215),
    ("EXP", "int8"): (20,),
    ("FULLY_CONNECTED", "int16"): (11,),
    ("FULLY_CONNECTED", "uint8"): (16,),
}
"""Seeds that were found to differ among more networks than the table has."""
HEAD = """\
# Random networks of one operator, by element type and core of Vela 5.2.0: how many were what.
# Written by scripts/npu_operators.py; do not edit.
"""


CASE_LIMIT_S = 120.0
"""How long one network may take; the slowest takes a few seconds."""
HUNG = "hung"
FAILED = "failed"
"""The verdict itself ended with an exception: a fault of ours, which the table must not hide."""
Case = tuple[int, bool]
"""A seed, and whether Vela's legacy core compiles."""


def outcomes(kind: str, dtype: str, seeds: Sequence[int]) -> tuple[str, str, dict[Case, str]]:
    """Verdicts of one operator in one type. What ends its process (a reference does on a form that
    it has not, Vela may) or hangs costs its own verdict alone."""
    # Imported before the forks, which would each take a second for it.
    for module in ("ai_edge_litert.interpreter", "ethosu.vela.vela", "tflite_micro"):
        importlib.import_module(module)
    waiting = [(seed, legacy) for seed in seeds for legacy in (False, True)]
    found: dict[Case, str] = {}
    while waiting:
        words, end = in_child(kind, dtype, waiting)
        for word in words:
            found[waiting.pop(0)] = word
        if waiting:
            found[waiting.pop(0)] = end
    return kind, dtype, found


def in_child(kind: str, dtype: str, cases: list[Case]) -> tuple[list[str], str]:
    """Verdicts from a forked process, as many as it lived for, and what ended it.

    The child never returns into this program: with an exception it would go on as a second worker
    of the pool and hold the pipe open for ever.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            with tempfile.TemporaryDirectory() as name:
                for seed, legacy in cases:
                    part = ACCELERATORS[seed % len(ACCELERATORS)]
                    word = operator_verdict(
                        kind, dtype, seed, Path(name), accelerator=part, legacy=legacy
                    )
                    os.write(writing, f"{word}\n".encode())
            code = 0
        except BaseException:
            sys.stderr.write(f"{kind} {dtype} {seed} legacy={legacy}\n{traceback.format_exc()}\n")
            sys.stderr.flush()
            code = 2
        finally:
            os._exit(code)
    os.close(writing)
    said = b""
    deadline = time.monotonic() + CASE_LIMIT_S
    late = False
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            late = True
            os.kill(child, signal.SIGKILL)
            break
        more = os.read(reading, 4096)
        if not more:
            break
        said += more
        deadline = time.monotonic() + CASE_LIMIT_S
    os.close(reading)
    _, status = os.waitpid(child, 0)
    end = CRASHED
    if late:
        end = HUNG
    elif os.WIFEXITED(status) and os.WEXITSTATUS(status) == 2:
        end = FAILED
    return said.decode().splitlines(), end


def counts_of(found: dict[Case, str]) -> dict[str, Counter[str]]:
    """How many networks were what, by core."""
    counts: dict[str, Counter[str]] = {"default": Counter(), "legacy": Counter()}
    for (_, legacy), word in found.items():
        counts["legacy" if legacy else "default"][word] += 1
    return counts


def main(arguments: Sequence[str]) -> int:
    """Run all and write the table, or print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operators", nargs="*")
    parser.add_argument("--seeds", help="FIRST:END, other seeds than the table's")
    chosen = parser.parse_args(arguments)
    kinds = [kind for kind in OPERATORS if not chosen.operators or kind in chosen.operators]
    with ProcessPoolExecutor(2) as pool:
        jobs = [
            pool.submit(outcomes, kind, dtype, _seeds(kind, dtype, chosen.seeds))
            for kind in kinds
            for dtype in NETWORKS
        ]
        results = []
        for job in jobs:
            kind, dtype, found = job.result()
            results.append((kind, dtype, counts_of(found)))
            sys.stdout.write(f"{results[-1]}\n")
            for (seed, legacy), word in found.items():
                if word not in (EXACT, ON_CPU):
                    sys.stdout.write(f"  {kind} {dtype} seed {seed} legacy={legacy}: {word}\n")
            sys.stdout.flush()
    lines = [HEAD]
    for kind, dtype, counts in results:
        lines.append(f"[{kind}.{dtype}]")
        for core, words in counts.items():
            inner = ", ".join(f'"{word}" = {count}' for word, count in sorted(words.items()))
            lines.append(f"{core} = {{ {inner} }}")
        lines.append("")
    if not chosen.operators and not chosen.seeds:
        TABLE.write_text("\n".join(lines), encoding="utf-8")
    return int(any({HUNG, FAILED} & set(words) for *_, by in results for words in by.values()))


def _seeds(kind: str, dtype: str, wanted: str | None) -> list[int]:
    if wanted:
        first, end = (int(word) for word in wanted.split(":"))
        return list(range(first, end))
    return [*range(NETWORKS[dtype]), *FURTHER.get((kind, dtype), ())]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
