"""Runs on vendors' simulators: the rule that judges them, what is read of the tools, the record."""

from __future__ import annotations

import io
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
from rich.console import Console

from npubench.bench import forms, simulate
from npubench.bench.job import Job, Settings, resolve_jobs
from npubench.bench.matrix import run_matrix
from npubench.bench.portions import Pace, answered
from npubench.bench.scheme import (
    is_classifier,
    lowest_db,
    nearness,
    ranges_of,
    real,
    sample_codes,
    signal_to_noise_db,
)
from npubench.bench.setting import chosen
from npubench.bench.simulate import simulate_job
from npubench.bench.worst_layer import first_looks, sources_of, unseen_before, worst_of
from npubench.compiler.compiled import Network, read_network
from npubench.compiler.vendor import simulation
from npubench.compiler.vendor.simulation import Asked, Simulation, Simulator
from npubench.core.errors import ToolMissing
from npubench.core.progress import Event, Silent
from npubench.golden.many import float_network, many_answers, real_answers
from npubench.report.library import library
from npubench.report.scheme_cost import scheme_rows, scheme_table
from npubench.report.selection import by_network
from npubench.report.speedup import npu_pairs
from npubench.report.views.scheme import of_run
from npubench.runs.store import StoredRun
from npubench.target import Place
from npubench.toolenv import environment
from npubench.zoo import resolve_model

pytest.importorskip("tflite_micro", reason="the reference exists for Linux on x86-64 alone")


def test_signal_to_noise_is_that_of_the_powers() -> None:
    wanted = np.array([3.0, 4.0])
    assert signal_to_noise_db(wanted, wanted) is None
    assert signal_to_noise_db(wanted, np.array([3.0, 4.5])) == 20.0
    assert signal_to_noise_db(wanted, np.array([3.0, np.nan])) == -999.0


@pytest.mark.parametrize(
    ("got", "failures"),
    [
        ([[0.9, 0.1], [0.1, 0.9]], 0),
        ([[0.1, 0.9], [0.9, 0.1]], 2),  # far, and the other class
        ([[0.45, 0.55], [0.1, 0.9]], 2),
    ],
)
def test_what_is_below_a_limit_fails(got: list[list[float]], failures: int) -> None:
    wanted = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert len(nearness([wanted], [np.array(got)], classifier=True).failures) == failures


def test_each_of_tied_best_classes_is_right() -> None:
    wanted = np.array([[5.0, 5.0, 1.0]])
    found = nearness([wanted], [np.array([[5.0, 5.1, 1.0]])], classifier=True)
    assert found.agreement_ratio == 1.0


def test_the_worst_layer_is_the_one_that_adds_most_noise() -> None:
    chain = {index: (index - 1,) for index in range(12)}
    assert worst_of({"0": 50.0, "1": 49.0, "2": 20.0, "3": 30.0}, chain) == 2
    assert worst_of({}, chain) is None
    # 60 dB are lost in the first operator, 18 in the last one: there is the noise.
    assert worst_of({"0": 40.8, "1": 35.9, "8": 23.7, "9": 36.7, "11": 18.3}, chain) == 11


def test_a_branch_is_not_blamed_for_the_noise_beside_it() -> None:
    """Operator 1 is noisy, 2 is a clean branch of 0, 3 joins them: 3 adds nothing of its own."""
    joined = {0: (), 1: (0,), 2: (0,), 3: (2, 1)}
    levels = {"0": 50.0, "1": 20.0, "2": 49.0, "3": 19.99}
    assert worst_of(levels, joined) == 1
    del levels["1"]  # not looked at: whoever takes from it stands for it
    assert worst_of(levels, joined) == 3
    assert unseen_before(3, {0, 2, 3}, joined) == {1}


def test_a_long_network_is_looked_at_in_spans_first() -> None:
    assert first_looks(12) == list(range(12))
    looks = first_looks(40)
    assert len(looks) == 6
    assert looks[-1] == 39
    chain = {index: (index - 1,) if index else () for index in range(40)}
    assert unseen_before(looks[1], set(looks), chain) == set(range(looks[0] + 1, looks[1]))


def test_an_operators_sources_are_the_makers_of_its_inputs(digits: Network) -> None:
    sources = sources_of(digits.graph)
    assert list(sources) == [op.index for op in digits.graph.ops]
    assert sources[0] == ()
    assert all(before < index for index, taken in sources.items() for before in taken)


def test_ranges_are_those_of_the_codes(digits: Network) -> None:
    graph = digits.graph
    found = ranges_of(graph)
    tensor = graph.tensor(graph.outputs[0])
    low, high = real(tensor, np.array([-128, 127], dtype=np.int8))
    assert found[f"npubench_op{graph.ops[-1].index}"] == (low, high)
    assert graph.tensor(graph.inputs[0]).name in found


@pytest.fixture(scope="module")
def digits() -> Network:
    return read_network(resolve_model("digits"))


def test_the_float_form_of_a_network_is_near_its_int8_answers(digits: Network) -> None:
    graph = digits.graph
    codes = sample_codes(graph, count=20, calibration=False, seed=1)
    wanted = real_answers(
        float_network(digits.data), [real(graph.tensor(graph.inputs[0]), codes[0])]
    )
    own = real(graph.tensor(graph.outputs[0]), many_answers(digits.data, codes)[0])
    assert is_classifier(graph)
    found = signal_to_noise_db(wanted[0], own)
    assert found is not None
    assert found > 15.0


def test_the_float_form_saturates_where_int8_does(digits: Network) -> None:
    """Inputs far beyond the calibration's: without the ends of its ranges it is another network."""
    graph = digits.graph
    wild = np.full((2, *graph.tensor(graph.inputs[0]).shape[1:]), 1.0e6, dtype=np.float32)
    wild[1] = -wild[1]
    last = graph.ops[0].outputs[0]
    answers = real_answers(float_network(digits.data, last=0), [wild])[0]
    ends = real(graph.tensor(last), np.array([-128, 127], dtype=np.int8))
    assert answers.min() >= ends[0] - 1e-5
    assert answers.max() == pytest.approx(ends[1])


def test_samples_are_equal_for_one_seed_and_others_for_the_calibration(digits: Network) -> None:
    first = sample_codes(digits.graph, count=3, calibration=False, seed=1)
    again = sample_codes(digits.graph, count=3, calibration=False, seed=1)
    other = sample_codes(digits.graph, count=3, calibration=True, seed=1)
    assert (first[0] == again[0]).all()
    assert (first[0] != other[0]).any()


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A simulator that answers as the float network does, with noise of a share of the values."""

    noise: float
    tool: str = "nncase"
    form: Literal["int8", "float", "ranged"] = "float"

    tells_cycles: bool = False
    is_slow: bool = False
    settings: tuple[str, ...] = ("coarse", "fine")

    def check(self) -> None:
        """It needs no tool."""

    def simulate(self, asked: Asked) -> Simulation:
        assert len(asked.calibration[0])
        assert asked.ranges
        assert asked.heard is not None
        for done in range(len(asked.inputs[0])):
            asked.heard(done, len(asked.inputs[0]), "")
        outputs = real_answers(asked.model, asked.inputs)
        sign = np.where(np.arange(outputs[0].size) % 2, 1.0, -1.0).reshape(outputs[0].shape)
        noise = self.noise * (20.0 if asked.setting == "coarse" else 1.0)
        return Simulation(version="1", outputs=tuple(out * (1.0 + noise * sign) for out in outputs))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedBackend:
    simulator: Played


def run_played(
    network: Network, noise: float, folder: Path, patch: pytest.MonkeyPatch, *, slow: bool = False
) -> StoredRun:
    backend = PlayedBackend(simulator=Played(noise=noise, is_slow=slow))
    patch.setattr(forms, "configured_backend", lambda *_: backend)
    return simulate_job(
        simulated_job("digits"),
        network,
        Settings(),
        runs_dir=folder,
        reporter=Silent(),
        cancelled=threading.Event(),
    )


def simulated_job(model: str) -> Job:
    (job,) = resolve_jobs([model], ["k210-maix"], place=Place.SIMULATOR)
    return job


@dataclass(frozen=True, slots=True, kw_only=True)
class Lettered:
    """A simulator that answers by its setting: ``one`` flips a sample far from its class boundary,
    ``two`` flips two that are near it."""

    settings: tuple[str, ...] = ("one", "two")

    def simulate(self, asked: Asked) -> Simulation:
        scores = np.array([[1.0, 0.0], [0.51, 0.49], [0.49, 0.51], [0.0, 1.0]])
        if asked.setting == "one":
            scores[0] = scores[0][::-1]
        else:
            scores[1:3] = scores[1:3, ::-1]
        return Simulation(version="1", outputs=(scores,))


def test_where_no_setting_passes_the_class_is_asked_before_the_noise() -> None:
    truth = np.array([[1.0, 0.0], [0.51, 0.49], [0.49, 0.51], [0.0, 1.0]])
    asked = Asked(model=b"", inputs=(), calibration=(), ranges={})
    for classifier, taken in ((True, "one"), (False, "two")):
        found = chosen(
            cast(Simulator, Lettered()),
            asked,
            truth=lambda: (truth,),
            real=lambda outputs: outputs,
            classifier=classifier,
        )
        assert found.setting == taken
        assert found.snr_db["one"] < found.snr_db["two"]


def test_without_its_tool_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(tool: str) -> None:
        raise ToolMissing(f"{tool} is not set up", argv=(tool,), hint=f"tools setup {tool}")

    monkeypatch.setattr(simulation, "environment", missing)
    jobs = [simulated_job("digits")]
    with pytest.raises(ToolMissing, match="nncase is not set up"):
        run_matrix(jobs, Settings(), runs_dir=tmp_path, reporter=Silent())
    assert not list(tmp_path.iterdir())


def test_a_near_scheme_is_ok_and_tells_no_time(
    digits: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = run_played(digits, 0.01, tmp_path, monkeypatch).record
    assert (record.status, record.golden.status) == ("ok", "match")
    assert record.golden.reference == "float"
    assert record.target == "k210-maix:nncase@simulator"
    assert record.evidence == "unavailable"
    assert record.scheme is not None
    assert record.scheme.samples == 100
    assert record.scheme.snr_db == (40.0,)
    assert record.npu is not None
    assert record.npu.details["setting"] == (
        "fine (on 32 calibration samples: coarse 14.0 dB, fine 40.0 dB)"
    )
    assert all(stage.median is None and stage.reason for stage in record.stages.values())
    told = dict(scheme_rows(record))
    assert told["signal to noise"] == (
        "40.0 dB against the network on real numbers (of all inputs at least 40.0 dB)"
    )
    assert told["setting"].startswith("fine (")


def test_a_slow_simulator_is_asked_until_the_verdict_is_certain(
    digits: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = run_played(digits, 0.01, tmp_path, monkeypatch, slow=True).record
    assert near.scheme is not None
    assert near.golden.status == "match"
    assert near.scheme.samples == 59
    assert near.scheme.agreement_low_ratio is not None
    assert near.scheme.agreement_low_ratio >= 0.95


@pytest.mark.parametrize("slow", [False, True], ids=["quick", "slow"])
@pytest.mark.parametrize("enough", [False, True], ids=["open", "certain"])
@pytest.mark.parametrize("further", [None, 7], ids=["alone", "labelled"])
def test_in_portions_every_answer_is_its_inputs(
    slow: bool, enough: bool, further: int | None
) -> None:
    codes = (np.arange(100.0)[:, None],)
    counts: list[int] = []
    more = None if further is None else (np.arange(1000.0, 1000.0 + further)[:, None],)

    def ask(some: tuple[Any, ...]) -> Simulation:
        counts.append(len(some[0]))
        return Simulation(version="1", outputs=(some[0] * 2,))

    found = answered(ask, codes, more, is_slow=slow, is_enough=lambda _: enough)
    samples = 59 if slow and enough else 100
    assert found.samples == samples
    assert (found.simulation.outputs[0] == codes[0][:samples] * 2).all()
    assert sum(counts) == samples + (further or 0)
    if more is not None:
        assert (found.more[0] == more[0] * 2).all()


def test_weights_that_int8_cannot_hold_are_not_the_compilers_fault(digits: Network) -> None:
    wanted = np.tile([[0.4, 0.5], [0.5, 0.4]], (50, 1))
    far = nearness([wanted], [wanted[:, ::-1]], classifier=True)
    message, hint = simulate._mismatch(simulated_job("kws"), digits, far, far, 2)
    assert "which fails as well: eight bits are too few for these weights" in message
    assert f"operator 2 ({digits.graph.ops[2].kind})" in message
    assert "npubench models fetch kws" in hint


def test_what_cannot_pass_any_more_ends_early() -> None:
    wanted = np.eye(2)[np.zeros(59, dtype=int)]
    for wrong, certain in ((0, True), (1, False), (5, False), (6, True)):
        got = wanted.copy()
        got[:wrong] = got[:wrong, ::-1]
        found = nearness([wanted], [got], classifier=True)
        assert found.is_certain == certain
        assert bool(found.failures) == bool(wrong)


def test_signal_to_noise_at_least_is_below_and_nearer_with_more_samples() -> None:
    random = np.random.default_rng(1)
    wanted = random.normal(size=(400, 10))
    got = wanted + random.normal(size=wanted.shape) * random.uniform(0.05, 0.2, size=(400, 1))
    lows = [lowest_db(wanted[:count], got[:count]) for count in (20, 100, 400)]
    truth = signal_to_noise_db(wanted, got)
    assert truth is not None
    assert all(low is not None and low < truth for low in lows)
    assert lows[2] is not None
    assert lows[0] is not None
    assert truth - lows[2] < truth - lows[0]
    assert lowest_db(wanted, wanted) is None


def test_how_far_a_simulator_is_is_told_with_the_time_to_go() -> None:
    now = [0.0]
    seen: list[str] = []

    class Ear:
        def event(self, event: Event) -> None:
            seen.append(event.detail)

    pace = Pace(Ear(), "kws", "simulate", clock=lambda: now[0])
    for done in range(5):
        now[0] = 6.0 * done
        pace.heard(done, 100, "")
    pace.begin("operator 3 of 13: ")
    now[0] = 50.0
    pace.heard(0, 4, "layer 2 of the first one")
    now[0] = 90.0
    pace.heard(0, 4, "loading")
    now[0] = 101.0
    pace.heard(1, 4, "")
    assert seen == [
        "2 of 100 inputs, about 10 min to go",
        "4 of 100 inputs, about 10 min to go",
        "operator 3 of 13: 0 of 4 inputs, layer 2 of the first one",
        "operator 3 of 13: 0 of 4 inputs, loading",
        "operator 3 of 13: 1 of 4 inputs, about 33 s to go",
    ]


def test_a_far_scheme_is_failed_with_its_worst_layer(
    digits: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = run_played(digits, 0.4, tmp_path, monkeypatch)
    record = stored.record
    assert (record.status, record.golden.status) == ("failed", "mismatch")
    assert record.error is not None
    assert record.error.kind == "SchemeMismatch"
    assert (
        "The int8 network itself, beside real numbers: 33.1 dB, the same class for 98%"
        in record.error.message
    )
    assert "which fails as well" not in record.error.message
    assert record.scheme is not None
    assert record.scheme.worst_layer == 0  # every cut has the same noise: it enters with the first
    assert not record.valid
    shown = Console(file=io.StringIO(), width=200)
    table = scheme_table([stored])
    assert table is not None
    shown.print(table)
    assert isinstance(shown.file, io.StringIO)
    (noise,) = record.scheme.snr_db
    assert f" {noise:.1f} dB " in shown.file.getvalue()
    assert "Failed below 20 dB of signal to noise or 95%" in shown.file.getvalue()
    view = of_run(stored, library([stored]))
    assert view is not None
    assert view.figures[0].words.startswith("0 CONV_2D: ")  # how the noise grows, by operator
    assert npu_pairs(by_network([stored])) == ()  # no CPU ever runs beside a simulator


@pytest.mark.parametrize(
    ("tool", "model", "board"),
    [
        ("nncase", "digits", "k210-maix"),
        pytest.param("mltk", "digits", "xg24-dk2601b", marks=pytest.mark.long),
        pytest.param("cvitek", "digits", "milkv-duo", marks=pytest.mark.long),
        pytest.param("axon", "digits", "nrf54lm20b", marks=pytest.mark.long),
        pytest.param("esp-ppq", "digits", "esp32-s3-devkitc", marks=pytest.mark.long),
    ],
    ids=["nncase", "mltk", "cvitek", "axon", "esp-ppq"],
)
def test_the_real_simulator_gives_a_judged_run(
    tool: str, model: str, board: str, tmp_path: Path
) -> None:
    try:
        environment.environment(tool)
    except ToolMissing as missing:
        pytest.skip(f"{missing.message}; {missing.hint}")
    if tool == "axon" and not os.environ.get("AXON_COMPILER_DIR"):
        pytest.skip("AXON_COMPILER_DIR names no compiler of sdk-edge-ai")
    backends = ["esp-dl"] if tool == "esp-ppq" else []
    (job,) = resolve_jobs([model], [board], backends, place=Place.SIMULATOR)
    record = simulate_job(
        job,
        read_network(resolve_model(model)),
        Settings(),
        runs_dir=tmp_path,
        reporter=Silent(),
        cancelled=threading.Event(),
    ).record
    assert record.scheme is not None
    assert record.golden.status in ("match", "mismatch")
    assert (record.status == "ok") == (record.golden.status == "match")
    assert record.npu is not None
    assert record.npu.macs_share > 0
