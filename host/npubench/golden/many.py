"""TensorFlow Lite Micro's answers to many inputs, and a network's form on real numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import CompileError
from npubench.golden.answer import ReferenceUnavailable
from npubench.golden.tflm import run_worker

Array = NDArray[Any]


def many_answers(model: bytes, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """What a network computes, by TFLM: for each output an array (samples, ...) of its own codes.

    ``inputs``: for each input an array (samples, ...) of codes. Raises ReferenceUnavailable.
    """
    return _answers("many", model, inputs)


def real_answers(network: bytes, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """What a float network computes, by LiteRT: arrays as many_answers has them, of real numbers.

    Raises ReferenceUnavailable.
    """
    return _answers("real", network, inputs)


def cut_network(model: bytes, last: int) -> bytes:
    """The part of a network up to operator ``last``. Raises ReferenceUnavailable."""
    with tempfile.TemporaryDirectory(prefix="npubench-golden-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        _ask("cut", folder, "-", f"{last}")
        return (folder / "cut.tflite").read_bytes()


def float_network(model: bytes, *, last: int | None = None, saturates: bool = True) -> bytes:
    """A quantized network on float32, see `surgery.Network.float_network`.

    Raises CompileError where an operator has no such form.
    """
    with tempfile.TemporaryDirectory(prefix="npubench-golden-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        answer, _, _ = run_worker(
            "float",
            folder,
            "-" if last is None else f"{last}",
            "saturates" if saturates else "plain",
        )
        if "error" in answer:
            raise CompileError(
                f"the network has no form on real numbers: {answer['error']}",
                hint="this NPU's compiler takes float networks alone: run it on the CPU",
            )
        return (folder / "float.tflite").read_bytes()


def _answers(verb: str, model: bytes, inputs: Sequence[Array]) -> tuple[Array, ...]:
    with tempfile.TemporaryDirectory(prefix="npubench-golden-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        named: dict[str, Any] = {f"{index}": array for index, array in enumerate(inputs)}
        np.savez(folder / "inputs.npz", **named)
        _ask(verb, folder)
        with np.load(folder / "outputs.npz") as arrays:
            return tuple(arrays[f"{index}"] for index in range(len(arrays.files)))


def _ask(verb: str, folder: Path, *words: str) -> None:
    answer, code, stderr = run_worker(verb, folder, *words)
    if "error" in answer:
        raise ReferenceUnavailable(
            f"the reference does not run this network: {answer['error']}",
            code=code,
            tail=stderr[-2000:],
        )
