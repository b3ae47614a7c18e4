"""The promises of a sweep: every point a stored run, a failed one with its reason, nothing done
twice, nothing lost on Ctrl-C; no step where growth is smooth, each real one with its layer."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from npubench import api
from npubench.core.errors import UsageError
from npubench.runs.reader import list_runs
from npubench.runs.sweeps import load_sweeps

needs_arm = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None,
    reason="the Arm compiler or QEMU is not installed",
)
pytestmark = [pytest.mark.emulated, needs_arm]

BUILDER = """
from npubench.compiler.synthetic import NetworkBuilder

def build(channels=4, side=6):
    if channels == 3:
        raise ValueError("three is not wanted")
    net = NetworkBuilder("mine")
    return net.finish(net.conv(net.input((1, side, side, 2)), channels))
"""


def test_points_are_runs_and_none_is_made_twice(tmp_path: Path) -> None:
    def sweep(*vary: str) -> api.SweepOutcome:
        return api.sweep("convs", vary=vary, boards=["qemu-m4"], runs_dir=tmp_path / "runs")

    first = sweep("channels=1", "input=4,1600")
    assert first.fresh == 2
    good, bad = first.sweep.points
    assert good.run_id is not None
    assert (good.status, good.unit, good.evidence) == ("ok", "instructions", "counted")
    assert good.macs == 9 * 16 * 2
    assert good.cost is not None
    assert good.utilization_ratio is not None
    assert (bad.status, bad.cost) == ("failed", None)
    assert bad.reason is not None
    assert "bytes are free" in bad.reason
    runs = list_runs(tmp_path / "runs").runs
    assert {run.record.run_id for run in runs} == {good.run_id, bad.run_id}
    sweeps = {run.record.run_id: run.record.sweep for run in runs}
    assert sweeps[good.run_id]["vary.input"] == 4
    assert sweeps[good.run_id]["weights"] == "seeded"
    again = sweep("channels=1", "input=4,1600,5")
    assert again.fresh == 1
    assert again.sweep.points[0].run_id == good.run_id
    assert {sweep.id for sweep in load_sweeps(tmp_path / "runs")} == {
        first.sweep.id, again.sweep.id,
    }  # fmt: skip
    (limit,) = api.where_it_breaks(
        "convs",
        vary=["channels=1", "input=4,5,1600"],
        boards=["qemu-m4"],
        runs_dir=tmp_path / "runs",
    )
    assert (limit.holds, limit.breaks) == (5, 1600)
    assert limit.reason is not None
    assert "bytes are free" in limit.reason
    (limit,) = api.where_it_breaks(
        "convs",
        vary=["channels=1", "input=4,5,1600"],
        budgets={"latency": f"{int(good.cost) + 1}instr"},
        boards=["qemu-m4"],
        runs_dir=tmp_path / "runs",
    )
    assert (limit.holds, limit.breaks) == (4, 5)
    assert "above" in str(limit.reason)
    assert len(list_runs(tmp_path / "runs").runs) == 3
    with pytest.raises(UsageError, match="gives instructions"):
        api.where_it_breaks(
            "convs",
            vary=["channels=1", "input=4,5"],
            budgets={"latency": "5ms"},
            boards=["qemu-m4"],
            runs_dir=tmp_path / "runs",
        )


@pytest.mark.long  # a dozen builds
@pytest.mark.timeout(900)
def test_a_builder_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(BUILDER)
    outcome = api.sweep(
        f"{file}:build", vary=["channels=2:8"], boards=["qemu-m4"], runs_dir=tmp_path / "runs"
    )
    status = [point.status for point in outcome.sweep.points]
    assert status == ["ok", "failed", "ok", "ok", "ok", "ok", "ok"]
    assert outcome.sweep.points[1].reason == (
        "CompileError: mine(channels=3) failed: ValueError: three is not wanted"
    )
    assert outcome.sweep.weights == "own"
    assert outcome.sweep.laws[0].metric == "infer"
    with pytest.raises(UsageError, match="no parameter 'depth'"):
        api.sweep(f"{file}:build", vary=["depth=1,2"], boards=["qemu-m4"])


@pytest.mark.long  # thirty points
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("family", "vary"),
    [
        ("mlp", "width=64:304:16"),
        ("convs", "input=8:24"),
        ("dscnn", "channels=16:128:8"),
        ("sequence", "length=32:128:8"),
    ],
    ids=["mlp", "convs", "dscnn", "sequence"],
)
def test_smooth_families_raise_no_alarm(family: str, vary: str, tmp_path: Path) -> None:
    outcome = api.sweep(family, vary=[vary], boards=["qemu-m4"], runs_dir=tmp_path / "runs")
    assert outcome.sweep.complete
    assert outcome.sweep.steps == ()
    law = outcome.sweep.laws[0]
    assert law.metric == "infer"
    assert law.error_pct < 3


@pytest.mark.long  # Vela and the NPU's model for each point
@pytest.mark.timeout(900)
def test_a_step_by_the_arena_cache_is_found_with_its_layer(tmp_path: Path) -> None:
    pytest.importorskip("ethosu.vela", reason="Vela is not installed")
    outcome = api.sweep(
        "convs",
        vary=["input=32", "channels=32", "depth=3", "ethos-u.arena_cache=16384:131072:16384"],
        boards=["qemu-m55-u55"],
        runs_dir=tmp_path / "runs",
    )
    assert outcome.sweep.complete
    steps = [step for step in outcome.sweep.steps if step.axis == "ethos-u.arena_cache"]
    assert steps, [point.cost for point in outcome.sweep.points]
    worst = max(steps, key=lambda step: abs(step.change_ratio))
    assert worst.layer_op == "CONV_2D"
    assert worst.cause is not None
    assert "port" in worst.cause or "operations" in worst.cause


@pytest.mark.long  # a sweep, interrupted and gone on with
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupted_sweep_goes_on_where_it_was(checkout: Path, tmp_path: Path) -> None:
    words = [
        *(sys.executable, "-c", "from npubench.cli.main import main; main()"),
        *("sweep", "convs", "--vary", "input=4:11", "--board", "qemu-m4", "--workers", "2"),
        *("--runs-dir", str(tmp_path / "runs"), "--json"),
    ]
    roots = os.pathsep.join(str(checkout / root) for root in ("compiler", "host"))
    process = subprocess.Popen(
        words,
        env={**os.environ, "PYTHONPATH": roots},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "2 of 8" in line:
            process.send_signal(signal.SIGINT)
            break
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    kept = json.loads(stdout)
    assert not kept["complete"]
    assert 2 <= len(kept["points"]) < 8
    assert "the same command goes on from there" in stderr
    left = [path for path in tmp_path.iterdir() if path.name.startswith(".runs")]
    assert left == [], "a half-written run"
    before = {run.record.run_id for run in list_runs(tmp_path / "runs").runs}
    again = subprocess.run(
        words, env={**os.environ, "PYTHONPATH": roots}, cwd=tmp_path, capture_output=True,
        text=True, check=True, timeout=280,
    )  # fmt: skip
    document = json.loads(again.stdout)
    assert document["complete"]
    assert document["id"] == kept["id"]
    assert before < {run.record.run_id for run in list_runs(tmp_path / "runs").runs}
    assert len(list_runs(tmp_path / "runs").runs) == 8
