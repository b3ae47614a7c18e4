"""Second opinions: TFLM, LiteRT and the float truth about operators, on the board's own inputs.

TensorFlow Lite Micro is the golden answer because it runs on microcontrollers; it is not always
right. The float truth is the operator on real numbers, from the scales of its tensors.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from npubench.golden.answer import ReferenceUnavailable
from npubench.golden.tflm import run_worker

Status = Literal[
    "equal", "tflm-off", "board-off", "both-off", "rounding", "unjudged", "unknown", "assumed"
]
"""See ``walk``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What was said of one operator. ``error_steps``: largest distance from the float truth, in
    steps of the output's scale, of ``tflm``, ``litert`` and (where its answer is known) ``board``;
    None without a truth. ``agrees``: who gives exactly what the board has. ``failed``: who did not
    answer, and why."""

    op: int
    kind: str
    dtype: str
    status: Status
    tolerance_steps: float
    error_steps: Mapping[str, float | None]
    agrees: tuple[str, ...]
    failed: Mapping[str, str]

    @property
    def tflm_is_off(self) -> bool:
        """Whether TFLM's own answer is further from the truth than any rounding explains."""
        error = self.error_steps.get("tflm")
        return error is not None and error > self.tolerance_steps

    def distances(self) -> str:
        """In words: how far everybody is from the truth."""
        names = {"board": "the board", "tflm": "TFLM", "litert": "LiteRT"}
        return ", ".join(
            f"{title} {_steps(self.error_steps[name])}"
            for name, title in names.items()
            if self.error_steps.get(name) is not None
        )


def ask(
    model: bytes,
    raw: bytes,
    *,
    outputs: bytes,
    crcs: Mapping[int, int] | None = None,
    values: Mapping[int, bytes] | None = None,
    inputs_of: int | None = None,
) -> tuple[tuple[Opinion, ...], bytes]:
    """Every operator's opinions, and the bytes that operator ``inputs_of`` read.

    ``raw``: the network's inputs; ``outputs``: what the board answered; ``crcs``: of the first
    output of operators; ``values``: first outputs of operators, in full. Raises
    ReferenceUnavailable, with the reason, when nobody can be asked.
    """
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise ReferenceUnavailable(
            "LiteRT is not installed, so there is no second opinion",
            hint="pip install ai-edge-litert",
        )
    board = {
        "outputs": outputs.hex(),
        "crcs": dict(crcs or {}),
        "values": {op: value.hex() for op, value in (values or {}).items()},
        "inputs_of": inputs_of,
    }
    with tempfile.TemporaryDirectory(prefix="npubench-opinion-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        (folder / "input.bin").write_bytes(raw)
        (folder / "board.json").write_text(json.dumps(board))
        answer = _answered("walk", folder)
    rows = tuple(_opinion(row) for row in answer["operators"])
    return rows, bytes.fromhex(answer["inputs"])


def cut_network(model: bytes, *, first: int | None, last: int) -> bytes:
    """Operators ``first`` to ``last`` as a network; ``first`` None: from the network's inputs to
    operator ``last``'s first output. Raises ReferenceUnavailable."""
    with tempfile.TemporaryDirectory(prefix="npubench-cut-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        _answered("cut", folder, "-" if first is None else str(first), str(last))
        return (folder / "cut.tflite").read_bytes()


def _answered(verb: str, folder: Path, *words: str) -> dict[str, Any]:
    answer, code, stderr = run_worker(verb, folder, *words)
    if "error" in answer:
        raise ReferenceUnavailable(
            f"there is no second opinion: {answer['error']}", code=code, tail=stderr[-2000:]
        )
    return answer


def _opinion(row: dict[str, Any]) -> Opinion:
    return Opinion(
        op=row["op"],
        kind=row["kind"],
        dtype=row["dtype"],
        status=row["status"],
        tolerance_steps=row["tolerance_steps"],
        error_steps=row["error_steps"],
        agrees=tuple(row.get("agrees", ())),
        failed=row["failed"],
    )


def _steps(error: float | None) -> str:
    if error is None:
        return "unknown"
    return f"{error:.3g} steps" if error != 1 else "1 step"
