"""Networks of ADI's own flow, a YAML and a quantized checkpoint: carried whole to the backend
``max7800x``, whose tool reads them. No other engine does.

They become a .tflite of one operator: input and outputs as the tool says that they are, the files
inside (compiler/opaque).
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from npubench.compiler.graph import DType, Graph, Op, Quantization, Tensor
from npubench.compiler.importers.foreign_run import SCRIPTS, answered
from npubench.compiler.importers.interface import Carried, Source
from npubench.compiler.importers.wishes import Wishes
from npubench.compiler.opaque import Opaque, packed
from npubench.compiler.tflite.writer import write_tflite
from npubench.core.errors import ToolError, ToolMissing, UsageError
from npubench.core.tool import run_tool

CODE: Final = "ai8x-network"
NETWORK_PART, CHECKPOINT_PART = "network.yaml", "checkpoint.pth.tar"
CHECKOUT_VARIABLE, PYTHON_VARIABLE = "AI8X_SYNTHESIS_DIR", "AI8X_PYTHON"
INSTALL: Final = (
    "clone analogdevicesinc/ai8x-synthesis, set up its Python environment, and set "
    "AI8X_SYNTHESIS_DIR to it (and AI8X_PYTHON to its Python, where that is not in its venv)"
)
_ENVIRONMENTS = ("venv/bin/python", ".venv/bin/python")
_HEAD_BYTES = 1 << 16
_TIMEOUT_S = 3000.0
INPUT_SCALE: Final = 1 / 128
WIDE_BITS: Final = 32
OUTPUT_SCALE: Final = {8: 1 / 128, WIDE_BITS: 1 / 64}
"""Of a step of the output tensor: eight bits are fractions of 128; the 32 bits of a wide output
have 14 bits after the point (ADI's softmax_q17p14), of which the tensor's 16 keep six."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ai8xImporter:
    """See ``Carrier``."""

    title: str = "ADI ai8x"
    sources: str = ".yaml of ai8x-synthesis with --weights checkpoint.pth.tar"

    def takes(self, path: Path, member: str) -> bool:
        if member or not path.is_file() or path.suffix.lower() not in (".yaml", ".yml"):
            return False
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
        return b"\nlayers:" in b"\n" + head and b"arch:" in head

    def tool_version(self) -> str:
        checkout = find_checkout()
        checkout_python(checkout)
        return f"ai8x-synthesis {checkout_commit(checkout)}"

    def carry(self, source: Source, wishes: Wishes, folder: Path) -> Carried:
        if wishes.weights is None:
            raise UsageError(
                f"{source.title} is a network of ADI's without its weights",
                hint="name the quantized checkpoint: --weights NAME-q.pth.tar",
            )
        if not wishes.weights.is_file():
            raise UsageError(f"there is no checkpoint {wishes.weights}")
        shapes = dict(wishes.shapes)
        if len(shapes) > 1 or not shapes.keys() <= {"input"}:
            raise UsageError(
                f"{source.title} has one input, input; shapes were said for "
                f"{', '.join(sorted(shapes))}",
                hint="--shape input=1,28,28,1",
            )
        checkout = find_checkout()
        files = {name: folder / name for name in (NETWORK_PART, CHECKPOINT_PART, "weights.npy")}
        shutil.copyfile(source.path, files[NETWORK_PART])
        answer, said = _looked_at(
            {
                "model": str(source.path.absolute()),
                "checkpoint": str(wishes.weights.absolute()),
                "checkout": str(checkout),
                "shape": list(shapes["input"]) if shapes else None,
                "lint": list(lint_words(checkout)),
                "clean": str(files[CHECKPOINT_PART]),
                "weights": str(files["weights.npy"]),
            },
            checkout,
            folder,
        )
        return Carried(
            data=write_tflite(_graph(source.path.stem, answer, files)),
            tool="ai8x-synthesis",
            version=checkout_commit(checkout),
            details={
                "framework": f"ADI ai8x, architecture {answer['arch']}",
                "dataset": answer["dataset"],
                "layers": answer["layers"],
                "taken_for": answer["part"],
                "words": answer["words"],
            },
            dependencies=(wishes.weights.absolute(),),
            log=said,
        )


def find_checkout() -> Path:
    """The user's checkout. Raises ToolMissing."""
    named = os.environ.get(CHECKOUT_VARIABLE, "")
    if not named or not (Path(named) / "ai8xize.py").is_file():
        why = "is not set" if not named else f"is {named}, but there is no ai8xize.py in it"
        raise ToolMissing(
            f"a network of ADI's needs ADI's tool: {CHECKOUT_VARIABLE} {why}",
            argv=("ai8xize.py",),
            hint=INSTALL,
        )
    return Path(named).resolve()


def checkout_python(checkout: Path) -> str:
    """The interpreter with the tool's packages. Raises ToolMissing: ours has them not."""
    named = os.environ.get(PYTHON_VARIABLE, "")
    if named:
        if shutil.which(named) is None:
            raise ToolMissing(
                f"{PYTHON_VARIABLE} is {named}, which is no program",
                argv=(named,),
                hint=f"set {PYTHON_VARIABLE} to the Python of ai8x-synthesis's environment",
            )
        return named
    for place in _ENVIRONMENTS:
        if (checkout / place).is_file():
            return str(checkout / place)
    raise ToolMissing(
        f"ai8x-synthesis has no Python environment: there is no "
        f"{' and no '.join(_ENVIRONMENTS)} in {checkout}",
        argv=("python",),
        hint=f"set up its environment there (its README), or set {PYTHON_VARIABLE} to a Python "
        "that has its packages (PyTorch among them); or run on the CPU: --backend cpu",
    )


def checkout_commit(checkout: Path) -> str:
    """Twelve digits of the commit, or ``unknown``."""
    try:
        result = run_tool(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=checkout, timeout_s=10, check=False
        )
    except ToolError:
        return "unknown"
    return result.stdout.strip() or "unknown"


def lint_words(checkout: Path) -> tuple[str, ...]:
    """The tool calls yamllint from some version on: its own parser says whether it can be told not
    to."""
    try:
        source = (checkout / "izer/commandline.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        source = ""
    return ("--yamllint", "none") if "--yamllint" in source else ()


def _looked_at(job: dict[str, Any], checkout: Path, folder: Path) -> tuple[dict[str, Any], str]:
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    place = folder / "scratch"
    place.mkdir(exist_ok=True)
    result = run_tool(
        [
            checkout_python(checkout), SCRIPTS / "ai8x_network.py",
            folder / "job.json", folder / "answer.json",
        ],
        cwd=place, timeout_s=_TIMEOUT_S, check=False,
        env={"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    said = result.stdout + result.stderr
    answer: dict[str, Any] = answered(
        folder / "answer.json", said, result.code, title="ai8x-synthesis", model=job["model"]
    )
    return answer, said


def _graph(name: str, answer: dict[str, Any], files: dict[str, Path]) -> Graph:
    import numpy as np

    weights = np.load(files["weights.npy"], allow_pickle=False)
    tensors = [
        _tensor(0, "input", tuple(answer["shape"]), DType.INT8, INPUT_SCALE),
        _tensor(1, "weights", weights.shape, DType.INT8, 1 / 128, weights.tobytes()),
    ]
    for number, (bits, channels, high, wide) in enumerate(answer["outputs"]):
        shape = (1, channels) if high * wide == 1 else (1, high, wide, channels)
        kind = DType.INT16 if bits == WIDE_BITS else DType.INT8
        tensors.append(
            _tensor(len(tensors), f"output{number or ''}", shape, kind, OUTPUT_SCALE[bits])
        )
    outputs = tuple(range(2, len(tensors)))
    about = {
        "macs": answer["macs"],
        "words": answer["words"],
        "arch": answer["arch"],
        "layers": answer["layers"],
    }
    parts = {part: files[part].read_bytes() for part in (NETWORK_PART, CHECKPOINT_PART)}
    op = Op(
        index=0, kind="CUSTOM", inputs=(0, 1), outputs=outputs, options={}, custom_code=CODE,
        custom_options=packed(Opaque(about=about, parts=parts)),
    )  # fmt: skip
    return Graph(
        name=name, sha256="", tensors=tuple(tensors), ops=(op,), inputs=(0,), outputs=outputs
    )


def _tensor(
    index: int,
    name: str,
    shape: tuple[int, ...],
    kind: DType,
    scale: float,
    data: bytes | None = None,
) -> Tensor:
    return Tensor(
        index=index, name=name, shape=tuple(int(side) for side in shape), dtype=kind, data=data,
        quantization=Quantization(scales=(scale,), zero_points=(0,)),
    )  # fmt: skip


IMPORTER = Ai8xImporter()
