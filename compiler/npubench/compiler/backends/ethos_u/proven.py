"""Which operators the NPU is known to compute right, as Vela compiles them: by type and core.

``operators.toml`` holds what random networks of one operator gave on the NPU's model against TFLite
Micro, LiteRT's reference kernels and real numbers. What of a network has no such proof is named
before anything is built. ``python -m npubench.compiler.backends.ethos_u.proven`` prints the page.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from npubench.compiler.backends.ethos_u.partition import Partition
from npubench.compiler.findings import NPU_DIFFERS, NPU_UNPROVEN
from npubench.compiler.graph import Graph, Op
from npubench.core.finding import Found

TABLE: Final = Path(__file__).with_name("operators.toml")
RIGHT: Final = ("exact", "true")
DIFFERS: Final = "differs"
CORES: Final = ("default", "legacy")
Counts = Mapping[str, int]


@cache
def table() -> Mapping[str, Mapping[str, Mapping[str, Counts]]]:
    """Operator, element type, core of Vela: how many networks were what."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def open_findings(graph: Graph, split: Partition, *, legacy: bool) -> tuple[Found, ...]:
    """What stays open about the operators that run on the NPU."""
    core = CORES[legacy]
    differing: dict[str, None] = {}
    unproven: dict[str, None] = {}
    for segment in split.segments:
        for index in segment.op_indices:
            op = graph.ops[index]
            if all(graph.tensor(tensor).is_constant for tensor in op.outputs):
                continue  # computed before
            dtype = _dtype(graph, op)
            counts = table().get(op.kind, {}).get(dtype, {}).get(core, {})
            if counts.get(DIFFERS):
                total = sum(counts.get(word, 0) for word in (*RIGHT, DIFFERS))
                differing[f"{op.kind} of {dtype} ({counts[DIFFERS]} of {total} networks)"] = None
            elif not any(counts.get(word) for word in RIGHT):
                unproven[f"{op.kind} of {dtype}"] = None
    found: list[Found] = []
    if differing:
        found.append(NPU_DIFFERS.found(core=core, operators=", ".join(differing)))
    if unproven:
        found.append(NPU_UNPROVEN.found(core=core, operators=", ".join(unproven)))
    return tuple(found)


def _dtype(graph: Graph, op: Op) -> str:
    """The type of the operator's data: of its first input that is not constant."""
    tensors = [graph.tensor(index) for index in op.inputs if index >= 0]
    return str(next((t for t in tensors if not t.is_constant), tensors[0]).dtype)


_HEAD: Final = """\
# The operators on an Ethos-U55 and U65

Made by `python -m npubench.compiler.backends.ethos_u.proven > docs/npu-operators.md` of what
`scripts/npu_operators.py` found; do not edit.

Every operator that Vela 5.2.0 lists for these NPUs (`vela --supported-ops-report`), in random
networks of one operator: shapes, scales, options, all six accelerators by turns, both cores of
Vela. The NPU's model runs what Vela wrote, and its output is compared with TFLite Micro and with
LiteRT's reference kernels, byte by byte.

- **exact**: equals TFLite Micro, or LiteRT where TFLite Micro differs or has no kernel.
- **true**: the references are off or there is none, the NPU is within one step of real numbers
  (NEG: LiteRT forgets the zero point; SUM: TFLite Micro is one step off; PRELU of 16 bits: LiteRT
  overflows; FULLY_CONNECTED of uint8, which TFLite Micro has not: LiteRT rounds once, the NPU
  twice, as TFLite Micro does for int8).
- **on the CPU**: Vela leaves this form of the operator there, or splits it.
- **refused**: by Vela, or by the check of what it wrote; nothing is built.
- **miscompiled, known**: by a pattern that is known before Vela runs. With `ethos-u.core=auto` the
  network goes another way ([npu.md](npu.md#exactness)).
- **no reference**: neither reference takes the operator in this form, and real numbers are no help
  (RSQRT of 16 bits, a table with interpolation: up to some 100 steps off for the smallest inputs).
  On a board it is a remark, `compiler.npu-unproven`.
- **crashed**: Vela ended with a crash. With `ethos-u.core=auto` its other core compiles; else it is
  an error by name.
- **differs**: no reference agrees, and no pattern is known. On a board it is a warning,
  `compiler.npu-differs`.

32-bit inputs of ADD, SUB, MUL and SUM are kept so small that results stay within 32 bits: beyond,
TFLite wraps, and no document says what the NPU does; half of these networks have scales.

| operator | type | Vela's default core | legacy core |
| --- | --- | --- | --- |
"""


def page() -> str:
    """docs/npu-operators.md."""
    rows = []
    for kind, types in table().items():
        for dtype, cores in types.items():
            cells = " | ".join(_cell(cores.get(core, {})) for core in CORES)
            rows.append(f"| `{kind}` | {dtype} | {cells} |")
    return _HEAD + "\n".join(rows) + "\n"


def _cell(counts: Counts) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {word}" for word, count in counts.items())


if __name__ == "__main__":
    sys.stdout.write(page())
