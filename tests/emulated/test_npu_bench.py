"""The promise of the modelled NPU: one command, CPU and NPU, equal answers; and every way in which
the NPU can fail ends in a decoded error, in time, with nothing left behind."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from npubench.bench.job import Job, Settings, resolve_jobs
from npubench.bench.prepare import build_image
from npubench.bench.session import collect
from npubench.boards import Board
from npubench.compiler.compiled import Compiled, compile_network, identity_of, read_network
from npubench.compiler.emit.project import render_project
from npubench.compiler.plan import Plan
from npubench.connect.board import OpenBoard, open_board
from npubench.core.errors import DeviceError
from npubench.core.progress import Silent
from npubench.emulators.virtual_npu import NpuTransport
from npubench.transport.failure import DeviceEnded
from npubench.wire.failure import EngineFailed
from support.standing import assert_as_told

pytest.importorskip("ethosu.vela", reason="Vela is not installed")
pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
]

BOARD = "qemu-m55-u55"
ZOO = ("ad", "ic", "kws", "vww")
SPLIT = ("sandwich", "branches", "float_end")

Bench = Callable[..., dict[str, Any]]


@pytest.fixture
def bench(checkout: Path, tmp_path: Path) -> Bench:
    """Run `npubench bench ... --board qemu-m55-u55 --json`; its document."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(checkout / root) for root in ("compiler", "host")),
    }

    def run(*words: str) -> dict[str, Any]:
        program = [sys.executable, "-c", "from npubench.cli.main import main; main()"]
        where = ["--board", BOARD, "--runs-dir", str(tmp_path / "runs"), "--json"]
        result = subprocess.run(
            [*program, "bench", *words, *where],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    return run


def test_the_zoo_on_npu_and_cpu_gives_tflms_answers_and_a_range_of_time(bench: Bench) -> None:
    runs = bench(*ZOO, "--backend", "ethos-u", "--backend", "cpu")["runs"]
    assert len(runs) == 2 * len(ZOO)
    infer: dict[tuple[str, str], Any] = {}
    for run in runs:
        assert run["status"] == "ok", run["error"]
        assert run["golden"]["status"] == "match"
        assert run["evidence"] == "modelled"
        assert_as_told(run["run_dir"])
        stages = run["stages"]
        for name in ("init_cold", "init_warm", "load", "infer", "unload", "post", "end_to_end"):
            assert stages[name]["unit"] == "us_modelled"
            assert stages[name]["evidence"] == "modelled"
            assert stages[name]["low"] <= stages[name]["median"] <= stages[name]["high"]
            assert stages[name]["cpu_instructions"] > 0
        assert stages["load"]["npu_cycles"] == 0
        infer[run["model"]["name"], run["backend"]] = stages["infer"]
        if run["backend"] == "cpu":
            assert run["npu"] is None
            assert stages["infer"]["npu_cycles"] == 0
            continue
        assert run["npu"]["macs_share"] == 1.0
        assert 0 < run["npu"]["mac_utilization_ratio"] < 1
        assert len(run["npu"]["config_sha256"]) == 64
        assert stages["infer"]["npu_cycles"] == run["npu"]["details"]["cycles"]
        assert (Path(run["run_dir"]) / "artifact.tflite").is_file()
    # ad reads each weight once: the NPU waits for them, the CPU's count knows no waiting.
    for name in set(ZOO) - {"ad"}:
        assert infer[name, "ethos-u"]["high"] < infer[name, "cpu"]["low"]


def test_repeated_runs_give_equal_instructions_and_equal_cycles(bench: Bench) -> None:
    seen = set()
    for _ in range(2):
        (run,) = bench("digits")["runs"]
        assert run["stages"]["infer"]["deterministic"]
        seen.add(
            tuple(
                (
                    stage,
                    run["stages"][stage]["cpu_instructions"],
                    run["stages"][stage]["npu_cycles"],
                )
                for stage in ("init_warm", "load", "infer", "unload", "post", "end_to_end")
            )
        )
    assert len(seen) == 1


def test_networks_split_between_npu_and_cpu_match_tensor_by_tensor(
    bench: Bench, checkout: Path
) -> None:
    """Also where Vela runs the CPU's operators in another order than the network."""
    models = [str(checkout / "tests" / "data" / "npu" / f"{name}.tflite") for name in SPLIT]
    for run in bench(*models, "--verify-layers")["runs"]:
        assert run["status"] == "ok", run["error"]
        assert run["golden"]["tensors"] > 1
        assert run["npu"]["fallbacks"]
        engines = {layer["engine"] for layer in run["layers"]}
        assert engines == {"cpu", "npu"}
        on_npu = [layer for layer in run["layers"] if layer["engine"] == "npu"]
        assert sum(layer["npu_cycles"] or 0 for layer in on_npu) == pytest.approx(
            run["stages"]["infer"]["npu_cycles"], rel=0.01
        )


# --- what can go wrong ---------------------------------------------------------------------------


@pytest.mark.long
def test_the_npu_gets_the_network_without_its_dead_channels(
    bench: Bench, shared_models: Path
) -> None:
    words = (
        str(shared_models / "vww_96_int8.tflite"), "--backend", "ethos-u", "--backend",
        "cpu", "--verify-layers",
    )  # fmt: skip
    drop = [f"--set={backend}.dead-channels=drop" for backend in ("ethos-u", "cpu")]
    plain, narrow = (
        {run["backend"]: run for run in bench(*words, *more)["runs"]} for more in ((), drop)
    )
    for backend in ("ethos-u", "cpu"):
        for run in (plain[backend], narrow[backend]):
            assert run["status"] == "ok"
            assert run["golden"]["status"] == "match"
            assert run["golden"]["reference"] == "tflm"
        assert narrow[backend]["model"]["macs"] == 7_489_664
        assert narrow[backend]["model"]["executed_macs"] == 3_766_476
        assert plain[backend]["model"]["executed_macs"] is None
        hashes = [runs[backend]["model"]["network_sha256"] for runs in (plain, narrow)]
        assert hashes[0] == hashes[1]
    # Every operator's output that is there, and that the others are constants.
    assert narrow["cpu"]["golden"]["tensors"] == plain["cpu"]["model"]["ops"]
    cycles = [runs["ethos-u"]["npu"]["details"]["cycles"] for runs in (plain, narrow)]
    assert cycles[1] < 0.8 * cycles[0]


def board_with(board: Board, **changes: str | float) -> Board:
    """The board with other entries in its NPU's table."""
    assert board.npu is not None
    npu = board.npu.model_copy(update={"config": {**board.npu.config, **changes}})
    return board.model_copy(update={"npu": npu})


@pytest.fixture(scope="module")
def digits() -> tuple[Job, Compiled]:
    (job,) = resolve_jobs(["digits"], [BOARD])
    return job, compile_network(read_network(job.model), job.board, job.backend)


def run_on(job: Job, compiled: Compiled, board: Board) -> None:
    """Build for the job's board and run on ``board``, as the bench does."""
    prepared = build_image(compiled, job, Silent())
    collect(
        Job(model=job.model, board=board, backend=job.backend), prepared, Settings(),
        log=io.BytesIO(), sent_log=io.StringIO(), reporter=Silent(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "deadline_s"), [("die@2", 20.0), ("hang@2", 0.5), ("die@0", 20.0), ("hang@0", 0.5)]
)
def test_a_model_that_dies_or_hangs_is_a_decoded_error(
    digits: tuple[Job, Compiled], fault: str, deadline_s: float
) -> None:
    job, compiled = digits
    board = board_with(job.board, fault=fault, deadline_s=deadline_s)
    with pytest.raises(EngineFailed, match="does not answer") as caught:
        run_on(job, compiled, board)
    assert caught.value.code == -1
    assert "died or did not answer in time" in caught.value.message


def test_a_supervisor_that_dies_ends_the_conversation(digits: tuple[Job, Compiled]) -> None:
    job, compiled = digits
    with pytest.raises(DeviceEnded, match="ended with exit code 9; the emulator was ended"):
        run_on(job, compiled, board_with(job.board, fault="supervisor@2"))


def test_a_supervisor_that_dies_is_named_however_late_that_is_seen(
    digits: tuple[Job, Compiled], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guest does not see the end first and call it a fault of the NPU."""
    job, compiled = digits
    watch = NpuTransport._watch

    def late(transport: NpuTransport) -> None:
        transport._npu.wait()
        time.sleep(0.5)
        watch(transport)

    monkeypatch.setattr(NpuTransport, "_watch", late)
    with pytest.raises(DeviceEnded, match="ended with exit code 9; the emulator was ended"):
        run_on(job, compiled, board_with(job.board, fault="supervisor@2"))


def ask_until_it_fails(target: OpenBoard) -> None:
    while True:
        target.device.mem()


def test_a_supervisor_that_is_killed_takes_the_emulator_with_it(
    digits: tuple[Job, Compiled],
) -> None:
    job, compiled = digits
    prepared = build_image(compiled, job, Silent())
    with open_board(
        job.board, prepared.firmware.elf, port=None, reporter=Silent(), job="test"
    ) as target:
        target.device.caps()
        assert target.npu_pid is not None
        os.kill(target.npu_pid, signal.SIGKILL)
        with pytest.raises(DeviceError, match="SIGKILL"):
            ask_until_it_fails(target)


def members_of(group: int) -> list[int]:
    """Processes of a process group, by Linux's /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux's pidfd_open")
def test_nothing_is_left_behind(digits: tuple[Job, Compiled]) -> None:
    """Supervisor, model and codec end with the target."""
    job, compiled = digits
    prepared = build_image(compiled, job, Silent())
    with ExitStack() as stack:
        with open_board(
            job.board, prepared.firmware.elf, port=None, reporter=Silent(), job="test"
        ) as target:
            target.device.bench(1, 0)
            assert target.npu_pid is not None
            handles = [os.pidfd_open(pid) for pid in members_of(os.getpgid(target.npu_pid))]
            for handle in handles:
                stack.callback(os.close, handle)
        assert len(handles) == 3
        for handle in handles:
            assert select.select([handle], [], [], 30.0)[0], "a process of the NPU still runs"


def test_a_stream_for_another_accelerator_is_refused_by_the_driver(
    digits: tuple[Job, Compiled],
) -> None:
    job, compiled = digits
    with pytest.raises(EngineFailed, match="another configuration") as caught:
        run_on(job, compiled, board_with(job.board, accelerator="ethos-u55-256"))
    assert caught.value.code == -5


def changed(compiled: Compiled, board: Board, plan: Plan) -> Compiled:
    """The same network with another plan."""
    network = compiled.network
    project = render_project(
        network.graph, plan, board, identity_of(network.resolved, network.graph)
    )
    return dataclasses.replace(compiled, plan=plan, project=project)


def test_a_corrupt_stream_is_a_parse_error(digits: tuple[Job, Compiled]) -> None:
    job, compiled = digits
    stream, *rest = compiled.plan.constants
    damaged = bytearray(stream.data)
    damaged[-4:] = (0x3FF).to_bytes(4, "little")
    plan = dataclasses.replace(
        compiled.plan, constants=(dataclasses.replace(stream, data=bytes(damaged)), *rest)
    )
    with pytest.raises(EngineFailed, match="cannot parse") as caught:
        run_on(job, changed(compiled, job.board, plan), job.board)
    assert caught.value.code == -9


def test_a_region_out_of_range_is_a_bus_fault(digits: tuple[Job, Compiled]) -> None:
    job, compiled = digits
    files = {
        path: text.replace(".constants = nb_npu_1", ".constants = (const uint8_t *)0x20000000")
        for path, text in compiled.plan.extra_files.items()
    }
    assert files != compiled.plan.extra_files
    plan = dataclasses.replace(compiled.plan, extra_files=files)
    with pytest.raises(EngineFailed, match="bus fault") as caught:
        run_on(job, changed(compiled, job.board, plan), job.board)
    assert caught.value.code == -8


def test_an_input_file_goes_through_the_npu_too(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "input.bin"
    path.write_bytes(bytes(range(64)))
    (run,) = bench("digits", "--input", str(path))["runs"]
    assert run["status"] == "ok"
    assert run["golden"]["status"] == "match"
