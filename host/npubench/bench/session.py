"""One session with a board: every raw count, CRC and byte that a run is made of.

Nothing is judged here; ``evaluate`` turns a Session into stages, layers and a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TextIO

from npubench.bench.energy import PowerSession, measure_power
from npubench.bench.flashing import ready_board
from npubench.bench.job import Job, Settings
from npubench.bench.labelled import Array, Questions, ask
from npubench.bench.prepare import Prepared
from npubench.compiler.compiled import Compiled
from npubench.compiler.stimulus import read_stimulus
from npubench.connect.board import open_board
from npubench.core.progress import Reporter, step
from npubench.npu.ethosu.driver_errors import describe_driver_error
from npubench.wire.clock import ClockFit, measure_clock
from npubench.wire.device import (
    BenchResult,
    Caps,
    Device,
    KatResult,
    LayersResult,
    MemResult,
    expect_firmware,
)
from npubench.wire.failure import EngineFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the board said. ``bench`` and ``layers`` are None where the board has no timing,
    ``clock`` where it has no clock to measure. ``input_bytes`` is None for a generated input,
    ``port`` for a board that was booted here. ``answers``: the bytes of all outputs for each
    labelled sample, (samples, bytes)."""

    caps: Caps
    bench: BenchResult | None
    layers: LayersResult | None
    kat: KatResult
    mem: MemResult
    clock: ClockFit | None
    input_bytes: bytes | None
    transport: str
    port: str | None = None
    power: PowerSession | None = None
    answers: Array | None = None

    @property
    def lost(self) -> tuple[str, ...]:
        """Records that did not arrive whole."""
        return (() if self.bench is None else self.bench.lost) + (
            () if self.layers is None else self.layers.lost
        )


def collect(
    job: Job,
    prepared: Prepared,
    settings: Settings,
    *,
    log: BinaryIO,
    sent_log: TextIO,
    reporter: Reporter,
    power_folder: Path | None = None,
    windows: Path | None = None,
    questions: Questions | None = None,
) -> Session:
    """Bring the image to the board and collect everything. Raises DeviceError.

    ``log`` gets every received byte, ``sent_log`` what was sent: the collector can be run again on
    the two. With ``settings.power`` its capture goes into ``power_folder``. A board model
    writes into ``windows`` what each window executed. ``questions``: labelled samples to answer.
    """
    graph = prepared.compiled.network.graph
    path = settings.input_path
    input_bytes = None if path is None else read_stimulus(path, graph)
    port = settings.port
    if job.board.kind == "physical" or settings.desk is not None:
        port = ready_board(job, prepared, settings, reporter)
    with open_board(
        job.board,
        prepared.firmware.elf,
        port=port,
        reporter=reporter,
        job=job.title,
        log=log,
        sent_log=sent_log,
        mishaps=settings.mishaps,
        windows=windows,
    ) as target:
        try:
            session = converse(
                job, prepared.compiled, settings, target.device, input_bytes, reporter
            )
            if questions is not None:
                answers = ask(target.device, questions, reporter, job.title)
                session = replace(session, answers=answers)
        except EngineFailed as error:
            raise explain_engine(error, prepared.compiled, target.npu_remarks) from error
        clock = None
        if job.board.kind == "physical":
            with step(reporter, job.title, "clock"):
                clock = measure_clock(target.device, seconds=settings.clock_seconds)
        power = None
        if settings.power is not None and power_folder is not None and session.bench is not None:
            power = measure_power(
                target.device,
                job,
                settings,
                session.bench,
                clock,
                folder=power_folder,
                reporter=reporter,
                npu=prepared.compiled.plan.npu,
            )
    return replace(session, port=port, clock=clock, power=power)


def explain_engine(error: EngineFailed, compiled: Compiled, remarks: str = "") -> EngineFailed:
    """An engine's failure with the meaning of its number, and what the NPU's model said."""
    if compiled.plan.driver != "ethosu":
        return error
    meaning = describe_driver_error(error.code) or "an error that its driver's table does not have"
    return EngineFailed(
        f"{error.message}: {meaning}" + (f" ({remarks})" if remarks else ""),
        number=error.number or 0,
        code=error.code,
        hint="docs/npu.md lists the driver's errors and what to do",
    )


def converse(
    job: Job,
    compiled: Compiled,
    settings: Settings,
    device: Device,
    input_bytes: bytes | None,
    reporter: Reporter,
) -> Session:
    """Ask a board for everything but its clock. The same words each time, so that a stored
    session can be collected again."""
    with step(reporter, job.title, "identify"):
        caps = device.caps()
        expect_firmware(caps, artifact_sha256=compiled.plan.artifact_sha256)
    with step(reporter, job.title, "input"):
        _set_input(device, settings.seed, input_bytes)
    bench = layers = None
    if caps.unit != "none":
        with step(reporter, job.title, "bench"):
            bench = device.bench(settings.repetitions_on(job.board), settings.warmups)
        if settings.layers:
            with step(reporter, job.title, "layers"):
                layers = device.layers(1)
    with step(reporter, job.title, "known answer"):
        kat = device.kat(tensors=settings.verify_layers)
        mem = device.mem()
    session = Session(
        caps=caps,
        bench=bench,
        layers=layers,
        kat=kat,
        mem=mem,
        clock=None,
        input_bytes=input_bytes,
        transport=device.describe(),
    )
    return session if compiled.plan.in_order else _in_network_order(session, compiled.plan.turns)


def _in_network_order(session: Session, turns: Mapping[int, int]) -> Session:
    """A session of a plan that runs operators in another order than the network's: what the board
    reports by turn, by operator."""
    kat, layers = session.kat, session.layers
    tensors = tuple(replace(tensor, op=turns.get(tensor.op, tensor.op)) for tensor in kat.tensors)
    if layers is not None:
        counts = tuple(replace(count, op=turns.get(count.op, count.op)) for count in layers.counts)
        layers = replace(layers, counts=counts)
    return replace(session, kat=replace(kat, tensors=tensors), layers=layers)


def _set_input(device: Device, seed: int, input_bytes: bytes | None) -> None:
    if input_bytes is None:
        device.seed(seed)
    else:
        device.upload(input_bytes)
