"""Which golden answer a run is held against: TFLM where its package exists, else our own kernels.

Elsewhere than on Linux x86-64 the board `native` runs the portable kernels, which the tests hold
equal to TFLM; the record says which of the two it was.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from npubench.bench.job import Job, Settings
from npubench.bench.prepare import build_image, compile_job
from npubench.boards import load_board
from npubench.compiler.backends import other_compiler
from npubench.compiler.compiled import Network, read_bytes
from npubench.compiler.plan import Kept, KnownAnswer
from npubench.connect.board import open_board
from npubench.core.errors import NpubenchError, ToolError
from npubench.core.progress import Reporter, Silent, step
from npubench.core.seeded import seeded_bytes
from npubench.core.version import VERSION
from npubench.golden import Golden, ReferenceUnavailable, golden_outputs
from npubench.zoo import ResolvedModel

STAND_IN_BOARD = "native"


class PortableReference:
    """The portable kernels as a host process, under the same firmware as every board."""

    name: Literal["portable", "vendor"] = "portable"
    version = VERSION

    def __init__(self, resolved: ResolvedModel) -> None:
        self._resolved = resolved

    def run(self, model: bytes, stimulus: int | bytes) -> Golden:
        """The answer of the native build, with every operator's CRC."""
        board = load_board(STAND_IN_BOARD)
        job = Job(model=self._resolved, board=board, backend="cpu")
        silent = Silent()
        try:
            network = read_bytes(self._resolved, model)
            prepared = build_image(compile_job(job, network), job, silent)
            with open_board(
                board, prepared.firmware.elf, port=None, reporter=silent, job=job.title
            ) as target:
                if isinstance(stimulus, bytes):
                    target.device.upload(stimulus)
                else:
                    target.device.seed(stimulus)
                kat = target.device.kat(tensors=True)
        except NpubenchError as error:
            raise ReferenceUnavailable(
                f"the native build does not answer: {error.message}", hint=error.hint
            ) from error
        graph = network.graph
        return Golden(
            reference="portable",
            version=self.version,
            input_crc=kat.input_crc,
            output_bytes=kat.output,
            output_item_bytes=graph.tensor(graph.outputs[0]).dtype.size_bytes,
            output_count=len(graph.outputs),
            op_crcs={tensor.op: tensor.crc for tensor in kat.tensors},
        )


class SameBoard:
    """The board of a job, with its backend, for other networks than the job's own."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._other = other_compiler(job.backend, job.options)

    @property
    def other_way(self) -> str:
        """How the vendor's other compiler is asked for; empty where there is none."""
        if self._other is None:
            return ""
        (named,) = set(self._other) - set(self._job.options)
        return f"--set {self._job.backend}.{named[0]}={named[1]}"

    def run(self, model: bytes, raw: bytes, *, other_way: bool = False) -> bytes:
        """All outputs of a network for raw inputs. ``other_way``: compiled by the vendor's other
        compiler. Raises NpubenchError, also when that gives what the first one gives."""
        job, silent = self._job, Silent()
        resolved = ResolvedModel(id="cut", path=job.model.path, entry=None)
        network = read_bytes(resolved, model)
        compiled = compile_job(job, network)
        if other_way:
            first, job = compiled, replace(job, options=self._other or ())
            compiled = compile_job(job, network)
            if self._other is None or compiled.plan.artifact == first.plan.artifact:
                raise ToolError("there is no second compiler that does it another way")
        prepared = build_image(compiled, job, silent)
        with open_board(
            job.board, prepared.firmware.elf, port=None, reporter=silent, job=job.title
        ) as target:
            target.device.upload(raw)
            return target.device.kat(tensors=False).output


def reference_answer(
    network: Network,
    input_bytes: bytes | None,
    settings: Settings,
    *,
    job: Job,
    reporter: Reporter,
    known: KnownAnswer | None = None,
    kept: Mapping[int, Kept] | None = None,
) -> tuple[Golden | None, str | None]:
    """The golden answer, or None and the reason why there is none. ``known``: the vendor's own
    answer, where what runs is not the network as brought. ``kept``: what is left of operators'
    outputs where the network runs without its dead channels."""
    if known is not None:
        return _vendor_answer(network, known, None if input_bytes else settings.seed)
    try:
        with step(reporter, job.title, "golden"):
            golden = golden_outputs(
                network.data,
                settings.seed if input_bytes is None else input_bytes,
                all_tensors=settings.verify_layers,
                kept=_told(kept) if settings.verify_layers else None,
                inferences=network.graph.inferences,
                stand_in=PortableReference(network.resolved),
            )
    except ReferenceUnavailable as error:
        return None, error.message
    return golden, None


def _told(kept: Mapping[int, Kept] | None) -> dict[int, dict[str, object]]:
    """JSON values for the reference's process."""
    return {
        op: {"channels": list(part.channels), "constants": part.constants}
        for op, part in (kept or {}).items()
    }


def _vendor_answer(
    network: Network, known: KnownAnswer, seed: int | None
) -> tuple[Golden | None, str | None]:
    if seed != known.seed:
        return None, f"the vendor's known answer is for the input from seed {known.seed} alone"
    graph = network.graph
    size = sum(graph.tensor(index).size_bytes for index in graph.inputs)
    return Golden(
        reference="vendor",
        version=known.version,
        input_crc=zlib.crc32(seeded_bytes(known.seed, size)),
        output_bytes=known.output,
        output_item_bytes=graph.tensor(graph.outputs[0]).dtype.size_bytes,
        output_count=len(graph.outputs),
        op_crcs={},
    ), None
