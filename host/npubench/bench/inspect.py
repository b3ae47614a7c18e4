"""What a network needs and what of it runs: read, compiled where a board is named, never run.

A network that no engine takes, or only a part of, is looked at all the same: whoever brings it
wants every reason at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from npubench.bench.evaluate import kernels_of
from npubench.bench.job import Job
from npubench.bench.option_costs import OptionCost, option_costs
from npubench.bench.prepare import compile_job
from npubench.compiler.analyze import analyze
from npubench.compiler.compiled import Compiled, Network, read_network
from npubench.compiler.coverage.network import Use, uses
from npubench.compiler.importers.load import load_model
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import (
    CompileError,
    ConfigError,
    ModelFormatError,
    NpubenchError,
    ToolMissing,
    UnsupportedOp,
)
from npubench.zoo import ResolvedModel, resolve_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """``network`` may be one that is not int8; ``compiled`` is None without a board, or where it
    does not compile. ``costs``: of each option of the NPU's compiler, where asked. ``engines``:
    where each operator runs on the board. ``error``: why it cannot run here, or on the board."""

    name: str
    uses: tuple[Use, ...]
    network: Network
    compiled: Compiled | None
    engines: dict[int, str] | None
    error: NpubenchError | None
    costs: tuple[OptionCost, ...] = ()

    @property
    def missing(self) -> tuple[Use, ...]:
        """What keeps it from running: of the operators that the CPU does not take, those that the
        board's NPU does not run either."""
        taken = self.engines or {}
        return tuple(use for use in self.uses if any(index not in taken for index in use.refused))

    def error_document(self) -> dict[str, str] | None:
        """The error as JSON values."""
        error = self.error
        if error is None:
            return None
        return {"kind": error.kind, "message": error.message, "hint": error.hint}

    def tell(self, stream: TextIO) -> None:
        """Say why it does not run, if it does not."""
        if self.error is not None:
            stream.write(f"npubench: {self.error.message}\n")
            if self.error.hint:
                stream.write(f"  hint: {self.error.hint}\n")


def inspect_model(model: str, job: Job | None, *, costs: bool = False) -> Inspection:
    """Look at a MODEL, on the target of ``job`` where there is one; with ``costs`` also at what the
    options of its compiler cost. Raises UsageError, and ModelFormatError for what is no network at
    all."""
    try:
        resolved = load_model(model) if job is None else job.model
    except (CompileError, ToolMissing) as error:
        return inspect_brought(model, error)
    try:
        network = read_network(resolved)
    except ModelFormatError as error:
        return _of_another_type(resolved, error)
    found = uses(network.graph)
    if job is None:
        return Inspection(
            name=resolved.id,
            uses=found,
            network=network,
            compiled=None,
            engines=None,
            error=_nowhere(found),
        )
    compiled: Compiled | None = None
    why: NpubenchError | None = None
    try:
        compiled = compile_job(job, network)
    except (CompileError, ConfigError) as error:
        why = error
    engines = None
    if compiled is not None:
        engines = {
            op: "nothing to do" if who == "none" else who
            for op, (who, _) in kernels_of(compiled).items()
        }
    return Inspection(
        name=resolved.id,
        uses=found,
        network=network,
        compiled=compiled,
        engines=engines,
        error=why,
        costs=option_costs(job, network, compiled) if costs and compiled is not None else (),
    )


def inspect_brought(model: str, error: NpubenchError) -> Inspection:
    """A float .tflite that cannot be quantized, as it was brought: every operator, and ``error``.
    Raises ``error`` for a file of another kind."""
    if Path(model).suffix != ".tflite":
        raise error from None
    return _of_another_type(resolve_model(model), error)


def _of_another_type(resolved: ResolvedModel, error: NpubenchError) -> Inspection:
    """A float or hybrid network: its operators, and the reader's refusal."""
    try:
        data = resolved.path.read_bytes()
        graph = read_tflite(data, name=resolved.id, floats=True)
    except (ModelFormatError, OSError):
        raise error from None
    network = Network(resolved=resolved, data=data, graph=graph, analysis=analyze(graph))
    return Inspection(
        name=resolved.id,
        uses=uses(graph),
        network=network,
        compiled=None,
        engines=None,
        error=error,
    )


def _nowhere(found: tuple[Use, ...]) -> NpubenchError | None:
    """Why a network runs on no engine here, whatever the board."""
    nowhere = [use for use in found if use.refused and not use.listed]
    if not nowhere:
        return None
    first = nowhere[0]
    more = f", and {len(nowhere) - 1} more" if len(nowhere) > 1 else ""
    return UnsupportedOp(
        op=first.op,
        index=first.refused[0],
        reason=f"{first.reason}; no engine here takes it{more} (all are listed)",
        hint=first.hint,
    )
