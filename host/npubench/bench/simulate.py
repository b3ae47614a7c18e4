"""A run without firmware: the network alone, on the simulator of an NPU's vendor.

The vendor's compiler has an arithmetic of its own; what it gives is judged by `scheme`'s rule:
against TFLM where it takes the int8 network as it is, else against the network on real numbers,
saturating where int8 does, which is what it was given; then the int8 network's own nearness to that
stands beside. Nothing is measured here.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from npubench.bench import findings as kinds
from npubench.bench.accuracy import host_records, target_record
from npubench.bench.forms import forms_of, in_real, own_nearness
from npubench.bench.job import Job, Settings
from npubench.bench.labelled import questions_of
from npubench.bench.own_scheme import drawn_weights_hint
from npubench.bench.portions import Pace, answered
from npubench.bench.record import Findings
from npubench.bench.run import Timed
from npubench.bench.scheme import (
    SAMPLES,
    Array,
    Nearness,
    is_classifier,
    nearness,
    sample_codes,
)
from npubench.bench.simulated_record import fill, judgement, scheme_record, simulated_record
from npubench.bench.worst_layer import by_operator, sources_of
from npubench.compiler.compiled import Network
from npubench.core.errors import UsageError
from npubench.core.progress import Reporter, step
from npubench.runs.store import RunWriter, StoredRun, new_run_id


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
    timed = Timed(reporter, job.title, cancelled)
    findings = Findings(found=list(network.findings))
    more: dict[str, Any] = {}
    with RunWriter(runs_dir, new_run_id(job.model.id, job.target)) as writer:
        writer.add_bytes("model.tflite", network.data)
        with timed.whole(findings):
            _execute(job, network, settings, findings, more, writer, timed)
        record = simulated_record(
            job, network, settings, findings, more, writer.run_id, timed.durations_s
        )
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
    forms = forms_of(job, network)
    simulator, network = forms.simulator, forms.network
    graph = network.graph
    codes = sample_codes(graph, count=SAMPLES, calibration=False, seed=settings.seed)
    with step(timed, job.title, "golden"):
        wanted = forms.truth(codes)
        int8 = own_nearness(network, codes)

    def judged(outputs: tuple[Array, ...]) -> Nearness:
        count = len(outputs[0])
        return nearness(
            in_real(graph, tuple(array[:count] for array in wanted)),
            in_real(graph, outputs),
            classifier=is_classifier(graph),
        )

    pace = Pace(timed, job.title, "simulate")
    with step(timed, job.title, "simulate"):
        way = forms.way(pace.heard)
        pace.begin()
        asked = forms.asked(codes, setting=way.setting, heard=pace.heard)
        answers = answered(
            lambda some: simulator.simulate(replace(asked, inputs=forms.told(some))),
            codes,
            None if questions is None else questions.codes,
            is_slow=simulator.is_slow,
            is_enough=lambda outputs: judged(outputs).is_certain,
        )
        simulation = answers.simulation
    if simulation.artifact is not None:
        writer.add_bytes(*simulation.artifact)
    more["simulation"] = simulation
    more["tool"] = simulator.tool
    more["way"] = way
    found = judged(simulation.outputs)
    layers: dict[str, float | None] = {}
    if found.failures:
        search = Pace(timed, job.title, "worst layer")
        with step(timed, job.title, "worst layer"):
            layers = by_operator(forms, way.setting, codes, search)
    more["scheme"] = scheme_record(found, int8, layers, sources_of(graph))
    findings.golden = judgement(found, settings.seed, simulator.form)
    if questions is not None and settings.accuracy is not None:
        record, why = target_record(network, questions, answers.more)
        findings.accuracy = (*host_records(job, settings.accuracy, questions), record)
        findings.notes = (*findings.notes, *([why] if why else []))
    fill(job, network, simulation, findings)
    if found.failures:
        message, hint = _mismatch(job, network, found, int8, more["scheme"].worst_layer)
        findings.spoil("failed", kinds.SCHEME_MISMATCH.found(message=message), hint=hint)


def _mismatch(
    job: Job, network: Network, found: Nearness, int8: Nearness | None, worst: int | None
) -> tuple[str, str]:
    """What is wrong with a network that is below a limit, and what its user can do."""
    message = (
        f"on {found.samples} inputs the vendor's arithmetic is too far from the reference: "
        f"{'; '.join(found.failures)}"
    )
    if worst is not None:
        message += f"; most noise comes in at operator {worst} ({network.graph.ops[worst].kind})"
    hint = "calibrate with ranges of your own data, or keep that layer on the CPU"
    if int8 is not None:
        message += f". The int8 network itself, beside real numbers: {_words(int8)}"
        if int8.failures:
            message += ", which fails as well: eight bits are too few for these weights"
            hint = "bring a network that keeps the limits in int8"
    return message, drawn_weights_hint(job) or hint


def _words(near: Nearness) -> str:
    low = [value for value in near.snr_db if value is not None]
    text = f"{min(low):.1f} dB" if low else "no difference"
    share = near.agreement_ratio
    return text if share is None else f"{text}, the same class for {share:.0%}"
