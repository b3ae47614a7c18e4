"""A run without firmware: the network alone, on the simulator of an NPU's vendor.

The vendor's compiler has an arithmetic of its own; what it gives is judged by `scheme`'s rule:
against TFLM where it takes the int8 network as it is, else against the network on real numbers,
saturating where int8 does, which is what it was given; then the int8 network's own nearness to that
stands beside. Nothing is measured here.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from npubench.bench.accuracy import host_records, target_record
from npubench.bench.job import Job, Settings
from npubench.bench.labelled import questions_of
from npubench.bench.record import Findings, record_without_plan
from npubench.bench.run import Cancelled, Timed
from npubench.bench.scheme import (
    AGREEMENT_LIMIT_RATIO,
    CALIBRATION_SAMPLES,
    DISTRIBUTION,
    SAMPLES,
    SNR_LIMIT_DB,
    Array,
    Nearness,
    is_classifier,
    nearness,
    ranges_of,
    real,
    sample_codes,
    signal_to_noise_db,
)
from npubench.bench.setting import Chosen, chosen
from npubench.compiler.backends import configured_backend, drops_dead_channels
from npubench.compiler.compiled import Network, without_dead_channels
from npubench.compiler.vendor.simulation import Simulation, Simulator
from npubench.core.errors import NpubenchError, UsageError
from npubench.core.evidence import Evidence
from npubench.core.progress import Event, Reporter, step
from npubench.core.stages import Stage
from npubench.golden.many import cut_network, float_network, many_answers, real_answers
from npubench.runs.schema import (
    ErrorRecord,
    GoldenRecord,
    LayerRecord,
    NpuRecord,
    RunRecord,
    SchemeRecord,
    StageRecord,
)
from npubench.runs.store import RunWriter, StoredRun, new_run_id

SEARCH_SAMPLES = 4
"""Inputs that each operator is looked at with, to find the worst one of a failed run."""

Form = Callable[[int | None], bytes]


def simulate_job(
    job: Job,
    network: Network,
    settings: Settings,
    *,
    runs_dir: Any,
    reporter: Reporter,
    cancelled: threading.Event,
) -> StoredRun:
    """Compile, simulate and judge one job, and store what came out, whatever it was.

    As run_job: every NpubenchError becomes a stored run that is ``failed``; Cancelled and
    StorageError come out.
    """
    begin = time.monotonic()
    timed = Timed(reporter, job.title, cancelled)
    with RunWriter(runs_dir, new_run_id(job.model.id, job.target)) as writer:
        timed.event(Event(job=job.title, step="run", state="start"))
        findings = Findings(found=list(network.findings))
        more: dict[str, Any] = {}
        writer.add_bytes("model.tflite", network.data)
        try:
            _execute(job, network, settings, findings, more, writer, timed)
        except NpubenchError as error:
            if cancelled.is_set():
                raise Cancelled from error
            findings.fail(error)
        failed = findings.status != "ok"
        timed.event(
            Event(
                job=job.title,
                step="run",
                state="fail" if failed else "done",
                detail="" if findings.error is None else findings.error.message,
                duration_s=time.monotonic() - begin,
            )
        )
        timed.durations_s["total"] = round(time.monotonic() - begin, 4)
        record = _record(job, network, settings, findings, more, writer.run_id, timed)
        return writer.finish(record, samples={}, events=timed.events)


def _execute(
    job: Job,
    network: Network,
    settings: Settings,
    findings: Findings,
    more: dict[str, Any],
    writer: RunWriter,
    timed: Timed,
) -> None:
    if settings.input_path is not None:
        raise UsageError(
            "a simulator's run is judged on many inputs, so it takes no --input",
            hint="leave it out; --seed gives other inputs",
        )
    questions = None
    if settings.accuracy is not None:
        questions = questions_of(job, settings.accuracy, network.graph)
    simulator: Simulator = getattr(configured_backend(job.backend, job.options), "simulator")  # noqa: B009
    if drops_dead_channels(job.options):
        if simulator.form != "int8":
            raise UsageError(
                "dead channels are dead in int8 arithmetic, and this simulator's compiler takes "
                "the network on real numbers",
                hint=f"leave --set {job.backend}.dead-channels=drop out",
            )
        network = without_dead_channels(network)[0] or network
    graph = network.graph
    codes = sample_codes(graph, count=SAMPLES, calibration=False, seed=settings.seed)
    others = sample_codes(graph, count=CALIBRATION_SAMPLES, calibration=True, seed=settings.seed)

    def standard(last: int | None) -> bytes:
        if simulator.form != "int8":
            return float_network(network.data, last=last)
        return network.data if last is None else cut_network(network.data, last)

    def form(last: int | None) -> bytes:
        if simulator.form == "ranged":
            return float_network(network.data, last=last, saturates=False)
        return standard(last)

    def told(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        if simulator.form == "int8":
            return arrays
        return tuple(
            real(graph.tensor(index), array)
            for index, array in zip(graph.inputs, arrays, strict=True)
        )

    def truth(last: int | None, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        if simulator.form == "int8":
            return many_answers(standard(last), arrays)
        return real_answers(standard(last), told(arrays))

    given = form(None)
    ranges = ranges_of(graph)
    classifier = is_classifier(graph)
    with step(timed, job.title, "golden"):
        wanted = truth(None, codes)
        own = many_answers(network.data, codes) if simulator.form != "int8" else None
    with step(timed, job.title, "simulate"):
        asked = codes
        if questions is not None:  # the labelled samples follow the others
            asked = tuple(map(np.concatenate, zip(codes, questions.codes, strict=True)))
        way = chosen(
            simulator,
            given,
            told=told,
            truth=lambda arrays: truth(None, arrays),
            calibration=others,
            ranges=ranges,
            classifier=classifier,
        )
        simulation = simulator.simulate(
            given,
            inputs=told(asked),
            calibration=told(others),
            ranges=ranges,
            setting=way.setting,
        )
        outputs = tuple(array[SAMPLES:] for array in simulation.outputs)
        simulation = replace(
            simulation, outputs=tuple(array[:SAMPLES] for array in simulation.outputs)
        )
    if simulation.artifact is not None:
        writer.add_bytes(*simulation.artifact)
    more["simulation"] = simulation
    more["tool"] = simulator.tool
    more["way"] = way
    tensors = [graph.tensor(index) for index in graph.outputs]
    reals = [
        [real(tensor, array) for tensor, array in zip(tensors, arrays, strict=True)]
        for arrays in (wanted, simulation.outputs, *(() if own is None else (own,)))
    ]
    found = nearness(reals[0], reals[1], classifier=classifier)
    int8 = None if own is None else nearness(reals[0], reals[2], classifier=classifier)
    layers: dict[str, float | None] = {}
    if found.failures:
        with step(timed, job.title, "worst layer"):
            layers = _by_operator(network, simulator, form, told, truth, codes, others, way)
    more["scheme"] = _scheme_record(found, int8, layers)
    findings.golden = _golden_record(found, settings.seed, simulator.form)
    if questions is not None and settings.accuracy is not None:
        record, why = target_record(network, questions, outputs)
        findings.accuracy = (*host_records(job, settings.accuracy, questions), record)
        findings.notes = (*findings.notes, *([why] if why else []))
    _fill(job, network, simulation, findings)
    if found.failures:
        worst = more["scheme"].worst_layer
        named = "" if worst is None else f"; the worst layer is operator {worst} "
        named += "" if worst is None else f"({graph.ops[worst].kind})"
        findings.status = "failed"
        findings.error = ErrorRecord(
            kind="SchemeMismatch",
            message=f"on {found.samples} inputs the vendor's arithmetic is too far from the "
            f"reference: {'; '.join(found.failures)}{named}{_beside(int8)}",
            hint="calibrate with ranges of your own data, or keep that layer on the CPU",
        )


def _by_operator(
    network: Network,
    simulator: Simulator,
    form: Form,
    told: Callable[[tuple[Array, ...]], tuple[Array, ...]],
    truth: Callable[[int | None, tuple[Array, ...]], tuple[Array, ...]],
    codes: tuple[Array, ...],
    others: tuple[Array, ...],
    way: Chosen,
) -> dict[str, float | None]:
    """Signal to noise after each operator, in dB, on a few inputs: the network up to it is run.
    What cannot be cut there is left out."""
    few = tuple(array[:SEARCH_SAMPLES] for array in codes)
    found: dict[str, float | None] = {}
    for op in network.graph.ops:
        tensor = network.graph.tensor(op.outputs[0])
        try:
            part = form(op.index)
            (wanted,) = truth(op.index, few)
            got = simulator.simulate(
                part,
                inputs=told(few),
                calibration=told(others),
                ranges=ranges_of(network.graph),
                setting=way.setting,
            )
        except NpubenchError:
            continue
        if got.outputs[0].size == wanted.size:
            found[f"{op.index}"] = signal_to_noise_db(
                real(tensor, wanted), real(tensor, got.outputs[0])
            )
    return found


def worst_of(layers: Mapping[str, float | None]) -> int | None:
    """The operator after which signal to noise falls most, from 60 dB at the input (nothing differs
    counts as that, too); None where no operator was looked at."""
    worst, fall, before = None, 0.0, 60.0
    for name, value in layers.items():
        now = 60.0 if value is None else min(value, 60.0)
        if before - now > fall:
            worst, fall = int(name), before - now
        before = now
    return worst


def _beside(int8: Nearness | None) -> str:
    """The int8 network's own nearness, for a message."""
    if int8 is None:
        return ""
    low = [value for value in int8.snr_db if value is not None]
    text = f"{min(low):.1f} dB" if low else "no difference"
    share = int8.agreement_ratio
    return f" (the int8 network itself: {text}{'' if share is None else f', {share:.0%}'})"


def _scheme_record(
    found: Nearness, int8: Nearness | None, layers: Mapping[str, float | None]
) -> SchemeRecord:
    return SchemeRecord(
        samples=found.samples,
        distribution=DISTRIBUTION,
        snr_db=found.snr_db,
        agreement_ratio=found.agreement_ratio,
        int8_snr_db=() if int8 is None else int8.snr_db,
        int8_agreement_ratio=None if int8 is None else int8.agreement_ratio,
        snr_limit_db=SNR_LIMIT_DB,
        agreement_limit_ratio=AGREEMENT_LIMIT_RATIO,
        layers_snr_db=dict(layers),
        worst_layer=worst_of(layers),
    )


def _golden_record(found: Nearness, seed: int, form: str) -> GoldenRecord:
    low = [value for value in found.snr_db if value is not None]
    words = f"at least {min(low):.1f} dB of signal to noise" if low else "no difference"
    if found.agreement_ratio is not None:
        words += f", the same class for {found.agreement_ratio:.0%}"
    return GoldenRecord(
        status="mismatch" if found.failures else "match",
        reference="tflm" if form == "int8" else "float",
        tensors=len(found.snr_db),
        mismatches=max(1, sum(value < SNR_LIMIT_DB for value in low)) if found.failures else 0,
        first_mismatch=found.failures[0] if found.failures else None,
        input_seed=seed,
        reason=f"judged by the scheme's rule on {found.samples} inputs: {words}",
    )


def _fill(job: Job, network: Network, simulation: Simulation, findings: Findings) -> None:
    """Stages and layers: cycles are the accelerator's, modelled by the vendor's simulator."""
    ops = simulation.ops
    cycles = [op.cycles for op in ops.values() if op.engine == "npu" and op.cycles is not None]
    macs = {layer.index: layer.macs for layer in network.analysis.layers}
    left = [index for index, count in macs.items() if count and not _on_npu(simulation, index)]
    whole = bool(cycles) and not left
    nothing = "the simulator tells no cycles"
    partly = (
        "MAC operators stay on the CPU, whose cycles the simulator does not tell: "
        + ", ".join(f"{index}" for index in left)
    )
    for stage in Stage:
        if stage is not Stage.IDLE:
            findings.stages[stage] = StageRecord(
                unit="cycles",
                evidence=Evidence.UNAVAILABLE,
                reason="no firmware runs on a vendor's simulator",
            )
    findings.stages[Stage.INFER] = StageRecord(
        unit="cycles",
        evidence=Evidence.MODELLED if whole else Evidence.UNAVAILABLE,
        median=sum(cycles) if whole else None,
        min=sum(cycles) if whole else None,
        max=sum(cycles) if whole else None,
        n=1 if whole else 0,
        deterministic=True if whole else None,
        npu_cycles=sum(cycles) if cycles else None,
        reason="the accelerator's cycles alone, by its vendor's simulator"
        if whole
        else partly
        if cycles
        else nothing,
    )
    findings.layers = tuple(
        LayerRecord(
            index=layer.index,
            op=layer.op,
            name=layer.name,
            engine=ops[layer.index].engine if layer.index in ops else "none",
            kernel=job.backend if _on_npu(simulation, layer.index) else "",
            macs=layer.macs,
            weight_bytes=layer.weight_bytes,
            input_bytes=layer.input_bytes,
            output_bytes=layer.output_bytes,
            unit="cycles",
            evidence=Evidence.UNAVAILABLE
            if _cycles(simulation, layer.index) is None
            else Evidence.MODELLED,
            value=_cycles(simulation, layer.index),
            npu_cycles=_cycles(simulation, layer.index),
            reason=ops[layer.index].reason or None
            if layer.index in ops
            else "folded away by the vendor's compiler",
        )
        for layer in network.analysis.layers
    )


def _on_npu(simulation: Simulation, index: int) -> bool:
    return index in simulation.ops and simulation.ops[index].engine == "npu"


def _cycles(simulation: Simulation, index: int) -> int | None:
    return simulation.ops[index].cycles if index in simulation.ops else None


def _npu_record(
    job: Job, network: Network, simulation: Simulation, tool: str, way: Chosen
) -> NpuRecord:
    total = sum(layer.macs for layer in network.analysis.layers)
    there = sum(layer.macs for layer in network.analysis.layers if _on_npu(simulation, layer.index))
    said = repr((tool, simulation.version, sorted(job.options), CALIBRATION_SAMPLES, way.setting))
    details: dict[str, int | float | str] = dict(simulation.figures)
    details["simulator"] = f"{tool} {simulation.version}"
    if way.setting:
        details["setting"] = way.words
    details["operators_on_npu"] = sum(op.engine == "npu" for op in simulation.ops.values())
    npu = job.board.npu
    return NpuRecord(
        accelerator=job.backend if npu is None else npu.name,
        config_sha256=hashlib.sha256(said.encode()).hexdigest(),
        macs_share=round(there / total, 6) if total else 0.0,
        fallbacks=tuple(
            f"{index} {network.graph.ops[index].kind}: {op.reason or 'on the CPU'}"
            for index, op in sorted(simulation.ops.items())
            if op.engine == "cpu"
        ),
        details=details,
    )


def _record(
    job: Job,
    network: Network,
    settings: Settings,
    findings: Findings,
    more: Mapping[str, Any],
    run_id: str,
    timed: Timed,
) -> RunRecord:
    record = record_without_plan(job, network, findings, run_id, settings.worker)
    fields: dict[str, Any] = {
        "stages": findings.stages,
        "layers": findings.layers,
        "accuracy": findings.accuracy,
        "settings": {
            "warmups": 0,
            "repetitions": 1,
            "seed": settings.seed,
            "layers": True,
            "verify_layers": False,
        },
        "command": settings.command,
        "timings_s": dict(timed.durations_s),
    }
    simulation: Simulation | None = more.get("simulation")
    if simulation is not None:
        fields["scheme"] = more.get("scheme")
        fields["npu"] = _npu_record(job, network, simulation, more["tool"], more["way"])
        environment = record.environment.model_dump()
        environment["tools"] = {more["tool"]: simulation.version}
        fields["environment"] = environment
        if simulation.artifact is not None:
            digest = hashlib.sha256(simulation.artifact[1]).hexdigest()
            fields["model"] = record.model.model_copy(update={"artifact_sha256": digest})
        infer = findings.stages.get(Stage.INFER)
        if infer is not None:
            fields["evidence"] = infer.evidence
    return RunRecord.model_validate({**record.model_dump(), **fields})
