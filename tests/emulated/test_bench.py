"""The promise of the bench: one command, real firmware, right answers; and when something is
wrong, it is seen as what it is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
]

BOARDS = ("qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55")
REFERENCE_MODELS = (
    "kws_ref_model.tflite",
    "vww_96_int8.tflite",
    "pretrainedResnet_quant.tflite",
    "ad01_int8.tflite",
)

Bench = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def command(checkout: Path) -> tuple[list[str], dict[str, str]]:
    """The command line as a process of this checkout."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(checkout / root) for root in ("compiler", "host")),
    }
    # A job in the background inherits SIGINT ignored, and Python then leaves it so.
    start = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from npubench.cli.main import main; main()"
    )
    return [sys.executable, "-c", start], environment


@pytest.fixture
def bench(command: tuple[list[str], dict[str, str]], tmp_path: Path) -> Bench:
    """Run `npubench bench ... --json`; its exit code and its document."""

    def run(*words: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        argv, environment = command
        result = subprocess.run(
            [*argv, "bench", *words, "--runs-dir", str(tmp_path / "runs"), "--json"],
            env={**environment, **(env or {})},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return result.returncode, json.loads(result.stdout)

    return run


def _boards(*names: str) -> list[str]:
    return [word for name in names for word in ("--board", name)]


def test_zoo_network_matches_tflm_on_every_emulated_core(bench: Bench, tmp_path: Path) -> None:
    code, document = bench("kws", "digits", *_boards(*BOARDS), "--verify-layers")
    assert code == 0
    assert document["error"] is None
    assert len(document["runs"]) == 2 * len(BOARDS)
    for run in document["runs"]:
        assert run["status"] == "ok"
        assert run["golden"]["status"] == "match"
        assert run["golden"]["tensors"] == run["model"]["ops"]
        assert run["evidence"] == "counted"
        infer = run["stages"]["infer"]
        assert infer["unit"] == "instructions"
        assert isinstance(infer["median"], int)
        assert infer["min"] == infer["max"]
        # SMLAD does two MACs, an instruction of Helium sixteen at most
        most_macs = 16 if run["board"] == "qemu-m55" else 2
        assert infer["median"] > run["model"]["macs"] / most_macs
        assert run["clock"]["selftest_counted"] == run["clock"]["selftest_expected"]
        assert run["clock"]["window_cost"] <= 30
        assert Path(run["run_dir"]).parent == tmp_path / "runs"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted(
        run["run_id"] for run in document["runs"]
    )


def test_reference_models_match_tflm_tensor_by_tensor(bench: Bench, shared_models: Path) -> None:
    models = [str(shared_models / name) for name in REFERENCE_MODELS]
    code, document = bench(*models, *_boards(*BOARDS), "--verify-layers")
    assert code == 0
    assert len(document["runs"]) == len(models) * len(BOARDS)
    for run in document["runs"]:
        assert run["golden"]["status"] == "match", run["board"]
        assert run["golden"]["tensors"] == run["model"]["ops"]


def test_repeated_runs_count_the_same(bench: Bench) -> None:
    medians = [
        bench("digits", "--board", "qemu-m4")[1]["runs"][0]["stages"]["infer"]["median"]
        for _ in range(2)
    ]
    assert medians[0] == medians[1]


def test_harness_keeps_its_budget_on_cortex_m4(bench: Bench) -> None:
    _, document = bench("kws", "--board", "qemu-m4")
    memory = document["runs"][0]["memory"]
    assert memory["harness_flash_bytes"] <= 8 * 1024
    assert memory["harness_ram_bytes"] <= 1536
    assert memory["flash_bytes"] == (
        memory["weights_bytes"] + memory["kernels_bytes"] + memory["harness_flash_bytes"]
    )
    assert memory["ram_bytes"] == (
        memory["arena_bytes"]
        + memory["scratch_bytes"]
        + memory["harness_ram_bytes"]
        + memory["data_bytes"]
        + memory["stack_bytes"]
    )


def test_the_cpu_engine_keeps_its_limits_on_cortex_m4(bench: Bench) -> None:
    _, document = bench("kws", "--board", "qemu-m4")
    run = document["runs"][0]
    memory, stages = run["memory"], run["stages"]
    assert memory["arena_bytes"] <= 16_000  # kws' peak of live activations
    assert memory["ram_bytes"] <= 16_000 + 3 * 1024
    assert memory["kernels_bytes"] + memory["harness_flash_bytes"] <= 20 * 1024
    assert stages["init_cold"]["median"] <= 2_000
    assert all(layer["kernel"] and layer["engine"] in ("cpu", "none") for layer in run["layers"])
    layers = sum(layer["value"] for layer in run["layers"])
    assert abs(layers - stages["infer"]["median"]) <= 0.01 * stages["infer"]["median"]


@pytest.mark.long  # six builds; the choice itself is tested in tests/unit/compiler
@pytest.mark.parametrize("board", ["qemu-m4", "qemu-m55"])
def test_every_goal_of_the_cpu_engine_has_the_same_answers(bench: Bench, board: str) -> None:
    runs = {
        goal: bench("kws", "--board", board, "--verify-layers", "--set", f"cpu.optimise={goal}")[1][
            "runs"
        ][0]
        for goal in ("speed", "size", "ram")
    }
    assert {run["golden"]["status"] for run in runs.values()} == {"match"}
    memory = {goal: run["memory"] for goal, run in runs.items()}
    infer = {goal: run["stages"]["infer"]["median"] for goal, run in runs.items()}
    assert memory["ram"]["arena_bytes"] < memory["speed"]["arena_bytes"]
    assert memory["size"]["flash_bytes"] < memory["speed"]["flash_bytes"]
    assert infer["speed"] < infer["size"]


def test_native_has_answers_but_no_timing(bench: Bench) -> None:
    code, document = bench("digits", "--board", "native", "--verify-layers")
    run = document["runs"][0]
    assert code == 0
    assert run["golden"]["status"] == "match"
    assert run["stages"]["infer"]["evidence"] == "unavailable"
    assert "host process" in run["stages"]["infer"]["reason"]


def test_lost_line_makes_a_partial_run_that_names_it(bench: Bench) -> None:
    code, document = bench("digits", "--board", "qemu-m4", "--line-fault", 'drop:"rep"#2')
    run = document["runs"][0]
    assert code == 1
    assert run["status"] == "partial"
    assert run["error"]["kind"] == "RecordLost"
    assert "rep" in run["error"]["message"]


@pytest.mark.parametrize(
    ("mishap", "kind"),
    [
        ('reset:"window"', "DeviceReset"),
        ('fault:"window"', "DeviceFault"),
        ('vanish:"window"', "DeviceEnded"),
    ],
)
def test_board_that_breaks_in_the_middle_is_named(bench: Bench, mishap: str, kind: str) -> None:
    code, document = bench("digits", "--board", "qemu-m4", "--line-fault", mishap)
    run = document["runs"][0]
    assert code == 1
    assert run["status"] == "failed"
    assert run["error"]["kind"] == kind
    assert run["stages"] == {} or run["stages"]["infer"]["median"] is None


def test_wrong_kernel_is_a_failed_run_not_a_fast_one(
    bench: Bench, checkout: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    for folder in ("boards", "compiler", "firmware", "host", "models"):
        shutil.copytree(
            checkout / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(checkout / "pyproject.toml", copy)
    header = copy / "firmware/include/nb_requant.h"
    text = header.read_text()
    wrong = text.replace("((int64_t)1 << 30)", "((int64_t)1 << 31)")
    assert wrong != text
    header.write_text(wrong)
    code, document = bench(
        "digits",
        "--board",
        "qemu-m4",
        "--verify-layers",
        env={
            "PYTHONPATH": os.pathsep.join(str(copy / root) for root in ("compiler", "host")),
            "NPUBENCH_CACHE": str(tmp_path / "cache"),
        },
    )
    run = document["runs"][0]
    assert code == 1
    assert run["status"] == "failed"
    assert run["error"]["kind"] == "GoldenMismatch"
    assert run["golden"]["status"] == "mismatch"
    assert run["golden"]["first_mismatch"].startswith("operator ")


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [
        int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()
    ]


def _wait_for_emulator(process: subprocess.Popen[str]) -> int:
    """The emulator's pid, as soon as it runs; bounded by the process itself."""
    while process.poll() is None:
        for child in _children(process.pid):
            try:
                name = Path(f"/proc/{child}/comm").read_text()
            except OSError:
                continue
            if name.startswith("qemu"):
                return child
    raise AssertionError("the bench ended before an emulator ran")


def _start_long(command: tuple[list[str], dict[str, str]], runs: Path) -> subprocess.Popen[str]:
    argv, environment = command
    return subprocess.Popen(
        [
            *argv,
            "bench",
            "kws",
            "--board",
            "qemu-m4",
            "-n",
            "5000",
            "--runs-dir",
            str(runs),
            "--json",
        ],
        env=environment,
        cwd=runs.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_killed_emulator_is_seen_as_that(
    command: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    with _start_long(command, tmp_path / "runs") as process:
        os.kill(_wait_for_emulator(process), signal.SIGKILL)
        stdout, _ = process.communicate(timeout=120)
    run = json.loads(stdout)["runs"][0]
    assert process.returncode == 1
    assert run["status"] == "failed"
    assert run["error"]["kind"] == "DeviceEnded"
    assert "SIGKILL" in run["error"]["message"]


def test_ctrl_c_leaves_no_emulator_and_no_half_run(
    command: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    with _start_long(command, tmp_path / "runs") as process:
        emulator = _wait_for_emulator(process)
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode == 130
    assert not Path(f"/proc/{emulator}").exists()
    assert list((tmp_path / "runs").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_stored_run_can_be_collected_and_judged_again(
    bench: Bench, command: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    _, document = bench("digits", "--board", "qemu-m4", "--verify-layers")
    argv, environment = command
    folder = Path(document["runs"][0]["run_dir"])

    def recheck() -> tuple[int, dict[str, Any]]:
        result = subprocess.run(
            [*argv, "runs", "recheck", str(folder), "--json"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return result.returncode, json.loads(result.stdout)

    code, outcome = recheck()
    assert code == 0
    assert outcome["status"] == "ok"
    assert sum(check["what"].startswith("stage ") for check in outcome["checks"]) >= 7

    record = json.loads((folder / "run.json").read_text())
    record["stages"]["infer"]["median"] += 1
    (folder / "run.json").write_text(json.dumps(record))
    code, outcome = recheck()
    assert code == 1
    told = [check["what"] for check in outcome["checks"] if check["status"] == "differs"]
    assert told == ["file run.json", "stage infer: median"]


def test_own_kernels_stand_in_where_tflm_is_missing() -> None:
    from npubench.bench.reference import PortableReference
    from npubench.golden import golden_outputs
    from npubench.zoo import resolve_model

    model = resolve_model("digits")
    data = model.path.read_bytes()
    ours = PortableReference(model).run(data, 7)
    theirs = golden_outputs(data, 7, all_tensors=True)
    assert ours.reference == "portable"
    assert ours.input_crc == theirs.input_crc
    assert ours.output_bytes == theirs.output_bytes
    assert dict(ours.op_crcs) == dict(theirs.op_crcs)
