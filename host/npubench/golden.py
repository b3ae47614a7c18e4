"""The right answer of a network: what TensorFlow Lite Micro computes, bit by bit, for one input.

It comes from the ``tflite-micro`` package, which is native code that may print, abort or crash on a
network it does not like: it runs as a process of its own (``python -m npubench.golden``), and its
answers are kept on disk by content. Where the package does not exist (it is made for Linux on
x86-64), another Reference may stand in; the one who calls binds it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import sys
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from npubench.core.errors import ToolError
from npubench.core.paths import cache_root
from npubench.core.seeded import seeded_bytes
from npubench.core.tool import run_tool

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

PACKAGE = "tflite-micro"
CACHE_VERSION = 1
RUN_TIMEOUT_S = 300.0
ARENA_FLOOR_BYTES = 1 << 20
ARENA_LIMIT_BYTES = 1 << 30


class ReferenceUnavailable(ToolError):
    """No golden answer can be had for this network here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """The golden answer for one input.

    ``output_bytes``: all outputs, little-endian, in the network's order; ``output_item_bytes``:
    size of an element of the first, ``output_count``: number of output tensors. ``op_crcs``: CRC-32
    of the (first) output of each operator; empty unless all tensors were asked for.
    """

    reference: Literal["tflm", "portable", "vendor"]
    version: str
    input_crc: int
    output_bytes: bytes
    output_item_bytes: int
    output_count: int
    op_crcs: Mapping[int, int]


class Reference(Protocol):
    """Another way to the right answer, such as a native build of the portable kernels.

    ``name`` goes into the run's record; ``version`` changes whenever the answers may.
    """

    name: Literal["portable", "vendor"]
    version: str

    def run(self, model: bytes, stimulus: int | bytes) -> Golden:
        """The answer with every operator's CRC. ``model`` is a .tflite, ``stimulus`` the seed of
        the generated input or the raw input bytes. Raises ReferenceUnavailable."""


def golden_outputs(
    model: bytes,
    stimulus: int | bytes,
    *,
    all_tensors: bool = False,
    stand_in: Reference | None = None,
) -> Golden:
    """The golden answer of a .tflite, from the cache when it is known.

    ``stimulus``: an int is the seed of the generated input (docs/wire-protocol.md), bytes are the
    raw input, of all inputs in the network's order. ``stand_in`` answers where TensorFlow Lite
    Micro's package is not installed. Raises ReferenceUnavailable when nothing can answer.
    """
    version = tflm_version()
    if version is None and stand_in is None:
        raise ReferenceUnavailable(
            f"the package {PACKAGE} is not installed and nothing stands in for it",
            hint="it exists for Linux on x86-64: pip install tflite-micro",
        )
    name = "tflm" if version is not None or stand_in is None else stand_in.name
    label = version if version is not None or stand_in is None else stand_in.version
    path = _cache_path(model, stimulus, f"{name} {label}")
    golden = _read_cache(path)
    if golden is None:
        if version is None and stand_in is not None:
            golden = stand_in.run(model, stimulus)
        else:
            golden = _run_tflm(model, stimulus, version=str(version))
        _write_cache(path, golden)
    if all_tensors:
        return golden
    return Golden(**{**_fields(golden), "op_crcs": {}})


def tflm_version() -> str | None:
    """The version of the installed ``tflite-micro``, or None."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None


def network_input(shape: tuple[int, ...], dtype: np.dtype[Any], seed: int) -> np.ndarray[Any, Any]:
    """The generated input as an array: raw bytes for integers; for float32, each byte, taken as
    int8, divided by 128."""
    import numpy as np

    count = prod(shape)
    if dtype == np.dtype(np.float32):
        steps = np.frombuffer(seeded_bytes(seed, count), np.int8)
        return (steps.astype(np.float32) / np.float32(128)).reshape(shape)
    return np.frombuffer(seeded_bytes(seed, count * dtype.itemsize), dtype).reshape(shape)


def _run_tflm(model: bytes, stimulus: int | bytes, *, version: str) -> Golden:
    """Ask the worker process, and turn its every way of failing into ReferenceUnavailable."""
    with tempfile.TemporaryDirectory(prefix="npubench-golden-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        if isinstance(stimulus, bytes):
            (folder / "input.bin").write_bytes(stimulus)
        seed = str(stimulus) if isinstance(stimulus, int) else "-"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        result = run_tool(
            (sys.executable, "-P", "-m", "npubench.golden", folder, seed),
            env=environment,
            timeout_s=RUN_TIMEOUT_S,
            check=False,
        )
        try:
            answer = json.loads((folder / "answer.json").read_bytes())
        except (OSError, ValueError):
            answer = {"error": f"its process ended with {result.code}"}
    if "error" in answer:
        said = " | ".join(line for line in result.stderr.splitlines() if line.strip())[-500:]
        raise ReferenceUnavailable(
            f"TensorFlow Lite Micro does not run this network: {answer['error']}"
            + (f" ({said})" if said else ""),
            code=result.code,
            tail=result.stderr[-2000:],
        )
    return _golden_of({**answer, "reference": "tflm", "version": version})


def _cache_path(model: bytes, stimulus: int | bytes, reference: str) -> Path:
    key = hashlib.sha256()
    what = str(stimulus).encode() if isinstance(stimulus, int) else b"=" + stimulus
    for part in (str(CACHE_VERSION).encode(), reference.encode(), model, what):
        key.update(len(part).to_bytes(8, "little") + part)
    return cache_root() / "golden" / f"{key.hexdigest()}.json"


def _read_cache(path: Path) -> Golden | None:
    try:
        return _golden_of(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s is not a golden answer and is made again: %s", path, error)
        return None


def _write_cache(path: Path, golden: Golden) -> None:
    """Keep an answer; a cache that cannot be written costs time, nothing else."""
    document = {**_fields(golden), "output_bytes": golden.output_bytes.hex()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}-{os.urandom(4).hex()}")
        fresh.write_text(json.dumps(document))
        fresh.replace(path)
    except OSError as error:
        log.warning("the golden answer cannot be kept: %s", error)


def _fields(golden: Golden) -> dict[str, Any]:
    return asdict(golden)


def _golden_of(document: dict[str, Any]) -> Golden:
    return Golden(
        reference=document["reference"],
        version=document["version"],
        input_crc=int(document["input_crc"]),
        output_bytes=bytes.fromhex(document["output_bytes"]),
        output_item_bytes=int(document["output_item_bytes"]),
        output_count=int(document["output_count"]),
        op_crcs={int(op): int(crc) for op, crc in document["op_crcs"].items()},
    )


# --- the worker process --------------------------------------------------------------------------


def _work(folder: Path, seed: int | None) -> dict[str, object]:
    """Run the network in ``folder`` through TensorFlow Lite Micro; the answer as JSON values."""
    from tflite_micro.python.tflite_micro import runtime

    model = (folder / "model.tflite").read_bytes()
    graph = runtime.schema_fb.Model.GetRootAsModel(model, 0).Subgraphs(0)
    interpreter = _interpreter(runtime, model)
    raw = None if seed is not None else (folder / "input.bin").read_bytes()
    crc = _set_inputs(interpreter, graph.InputsLength(), seed=seed, raw=raw)
    interpreter.invoke()
    outputs = [interpreter.get_output(index) for index in range(graph.OutputsLength())]
    op_crcs = {}
    for index in range(graph.OperatorsLength()):
        op = graph.Operators(index)
        if op.OutputsLength():
            tensor = interpreter.GetTensor(op.Outputs(0), 0)["tensor_data"]
            op_crcs[index] = zlib.crc32(tensor.tobytes())
    return {
        "input_crc": crc,
        "output_bytes": b"".join(output.tobytes() for output in outputs).hex(),
        "output_item_bytes": outputs[0].dtype.itemsize,
        "output_count": len(outputs),
        "op_crcs": op_crcs,
    }


def _set_inputs(interpreter: Any, count: int, *, seed: int | None, raw: bytes | None) -> int:
    """Fill every input; the CRC-32 of the raw bytes of all."""
    import numpy as np

    details = [interpreter.get_input_details(index) for index in range(count)]
    shapes = [tuple(int(size) for size in detail["shape"]) for detail in details]
    dtypes = [np.dtype(detail["dtype"]) for detail in details]
    wanted = sum(prod(shape) * dtype.itemsize for shape, dtype in zip(shapes, dtypes, strict=True))
    if raw is not None and len(raw) != wanted:
        raise ValueError(f"the input has {len(raw)} bytes, the network takes {wanted}")
    crc = at = 0
    for index, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True)):
        size = prod(shape) * dtype.itemsize
        if raw is not None:
            data = np.frombuffer(raw[at : at + size], dtype).reshape(shape)
        else:
            data = network_input(shape, dtype, seed or 0)
        interpreter.set_input(data, index)
        crc = zlib.crc32(data.tobytes(), crc)
        at += size
    return crc


def _interpreter(runtime: Any, model: bytes) -> Any:
    """An interpreter that keeps every tensor. The package's own arena, ten times the model, is too
    small for small networks with large activations; a far too small one makes it crash."""
    arena_bytes = max(ARENA_FLOOR_BYTES, 10 * len(model))
    while True:
        try:
            return runtime.Interpreter.from_bytes(
                model,
                arena_size=arena_bytes,
                intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
            )
        except RuntimeError as error:
            if "allocate" not in str(error) or arena_bytes * 8 > ARENA_LIMIT_BYTES:
                raise
            arena_bytes *= 8


def _worker_main(argv: list[str]) -> int:
    """Entry of the worker: FOLDER SEED; ``-`` as seed takes ``input.bin``."""
    folder = Path(argv[0])
    try:
        answer = _work(folder, None if argv[1] == "-" else int(argv[1]))
    except Exception as error:  # whatever it is, the caller is told
        answer = {"error": f"{type(error).__name__}: {error}"}
    (folder / "answer.json").write_text(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(_worker_main(sys.argv[1:]))
