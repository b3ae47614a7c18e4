"""The golden answer: what TensorFlow Lite Micro computes, bit by bit, for one input.

It comes from the ``tflite-micro`` package, which is native code that may print, abort or crash on a
network it does not like: it runs as a process of its own (``worker``), and its answers are kept on
disk by content. Where the package does not exist (it is made for Linux on x86-64), another
Reference may stand in; the one who calls binds it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from npubench.core.paths import cache_root
from npubench.core.tool import own_python, run_tool
from npubench.golden.answer import Golden, Reference, ReferenceUnavailable, golden_of
from npubench.golden.served import current

log = logging.getLogger(__name__)

PACKAGE = "tflite-micro"
CACHE_VERSION = 2
RUN_TIMEOUT_S = 300.0
WORKER = "npubench.golden.worker"


def golden_outputs(
    model: bytes,
    stimulus: int | bytes,
    *,
    all_tensors: bool = False,
    kept: Mapping[int, Mapping[str, object]] | None = None,
    inferences: int = 1,
    stand_in: Reference | None = None,
) -> Golden:
    """The golden answer of a .tflite, from the cache when it is known.

    ``stimulus``: an int is the seed of the generated input (docs/wire-protocol.md), bytes are the
    raw input, of all inputs in the network's order. ``inferences``: that many in a row from the
    first state on, the last one's answer. ``kept``: by operator, the ``channels`` that
    another form of the network keeps and the ``constants`` that it does not compute; the operators'
    CRCs are then of the kept channels, and none equals where a constant varies. ``stand_in``
    answers where TensorFlow Lite Micro's package is not installed. Raises ReferenceUnavailable when
    nothing can answer.
    """
    version = tflm_version()
    if version is None and stand_in is None:
        raise ReferenceUnavailable(
            f"the package {PACKAGE} is not installed and nothing stands in for it",
            hint="it exists for Linux on x86-64: pip install tflite-micro",
        )
    name = "tflm" if version is not None or stand_in is None else stand_in.name
    label = version if version is not None or stand_in is None else stand_in.version
    told = json.dumps(kept, sort_keys=True) if kept else ""
    path = _cache_path(model, stimulus, f"{name} {label}{told}", inferences)
    golden = _read_cache(path)
    if golden is None:
        if version is None and stand_in is not None:
            golden = stand_in.run(model, stimulus)
            if kept:  # it gives CRCs of whole tensors only
                crcs = {op: crc for op, crc in golden.op_crcs.items() if op not in kept}
                golden = Golden(**{**_fields(golden), "op_crcs": crcs})
        else:
            golden = _run_tflm(
                model, stimulus, version=str(version), inferences=inferences, kept=told
            )
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


def run_worker(verb: str, folder: Path, *words: str) -> tuple[dict[str, Any], int, str]:
    """Ask the worker process: its answer (with ``error`` when it gave none), exit code, stderr."""
    argv, environment = own_python(WORKER)
    result = run_tool(
        (*argv, verb, folder, *words),
        env=environment,
        timeout_s=RUN_TIMEOUT_S,
        check=False,
    )
    try:
        answer = json.loads((folder / "answer.json").read_bytes())
    except (OSError, ValueError):
        answer = {"error": f"its process ended with {result.code}"}
    return answer, result.code, result.stderr


def _run_tflm(
    model: bytes, stimulus: int | bytes, *, version: str, inferences: int, kept: str = ""
) -> Golden:
    """Ask the worker, and turn its every way of failing into ReferenceUnavailable."""
    with tempfile.TemporaryDirectory(prefix="npubench-golden-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        if isinstance(stimulus, bytes):
            (folder / "input.bin").write_bytes(stimulus)
        if kept:
            (folder / "kept.json").write_text(kept)
        seed = str(stimulus) if isinstance(stimulus, int) else "-"
        served = _ask_server(folder, seed, str(inferences))
        answer, code, stderr = served or run_worker("tflm", folder, seed, str(inferences))
    if "error" in answer:
        said = " | ".join(line for line in stderr.splitlines() if line.strip())[-500:]
        raise ReferenceUnavailable(
            f"TensorFlow Lite Micro does not run this network: {answer['error']}"
            + (f" ({said})" if said else ""),
            code=code,
            tail=stderr[-2000:],
        )
    return golden_of({**answer, "reference": "tflm", "version": version})


def _ask_server(folder: Path, *words: str) -> tuple[dict[str, Any], int, str] | None:
    """The answer of this context's server; None without one, or where it gave no good answer: the
    process of its own that is asked then can say why."""
    server = current()
    if server is None or server.ask(("tflm", str(folder), *words), RUN_TIMEOUT_S) != 0:
        return None
    try:
        answer = json.loads((folder / "answer.json").read_bytes())
    except (OSError, ValueError):
        return None
    return None if "error" in answer else (answer, 0, "")


def _cache_path(model: bytes, stimulus: int | bytes, reference: str, inferences: int) -> Path:
    key = hashlib.sha256()
    what = str(stimulus).encode() if isinstance(stimulus, int) else b"=" + stimulus
    if inferences != 1:
        what += f" x{inferences}".encode()
    for part in (str(CACHE_VERSION).encode(), reference.encode(), model, what):
        key.update(len(part).to_bytes(8, "little") + part)
    return cache_root() / "golden" / f"{key.hexdigest()}.json"


def _read_cache(path: Path) -> Golden | None:
    try:
        return golden_of(json.loads(path.read_bytes()))
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
