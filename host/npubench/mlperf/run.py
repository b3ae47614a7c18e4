"""From a port's name to a device's result: what is uploaded, what is expected, what came."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from npubench.compiler.importers.load import load_model
from npubench.compiler.tflite.reader import load_tflite
from npubench.connect.board import is_played, open_device
from npubench.core.errors import StorageError, UsageError
from npubench.core.progress import Reporter
from npubench.mlperf.answer import expectation
from npubench.mlperf.dut import DutResult, Upload, measure
from npubench.mlperf.form import generated


def run_dut(
    port: str,
    *,
    baud: int,
    model: str | None,
    inputs: Sequence[Path],
    windows: int,
    iterations: int | None,
    warmups: int,
    seed: int,
    log: Path | None,
    reporter: Reporter,
) -> DutResult:
    """Measure the device at ``port``; see ``measure``. ``model``: the network that it is said to
    run. Raises DeviceError, UsageError, CompileError, ReferenceUnavailable."""
    network = None if model is None else load_tflite(load_model(model).path)
    brought = tuple(_upload(path) for path in inputs)
    with ExitStack() as stack:
        kept = None if log is None else stack.enter_context(_opened(log))
        device = stack.enter_context(open_device(port, baud=baud, log=kept))
        name = device.profile().model
        expected = None if network is None else expectation(network[0], network[1], name)
        uploads = brought or tuple(
            Upload(name=f"seed {number}", data=generated(name, number))
            for number in range(seed, seed + windows)
        )
        return measure(
            device,
            uploads,
            port=port,
            played=is_played(port),
            reporter=reporter,
            windows=windows,
            iterations=iterations,
            warmups=warmups,
            expectation=expected,
        )


def _upload(path: Path) -> Upload:
    try:
        return Upload(name=path.name, data=path.read_bytes())
    except OSError as error:
        raise UsageError(f"the input {path} cannot be read: {error.strerror or error}") from error


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error
