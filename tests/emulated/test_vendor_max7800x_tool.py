"""ADI's real tool: cycles that ADI publishes, its known answers through the model of the
accelerator. Runs where AI8X_SYNTHESIS_DIR names a checkout with its Python (AI8X_PYTHON)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from npubench.bench.job import resolve_jobs
from npubench.bench.prepare import build_image
from npubench.boards import load_board
from npubench.compiler.backends import load_backend
from npubench.compiler.compiled import compile_network, read_network
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.progress import Silent
from npubench.emulators.board_model.in_process import ModelTransport
from npubench.emulators.board_model.machine import BoardModel
from npubench.npu.max7800x.accelerator import Accelerator
from npubench.npu.max7800x.replay import Generated
from npubench.target import Place
from npubench.wire.device import Device
from support.adi_networks import image_net, keyword_net

CHECKOUT = os.environ.get("AI8X_SYNTHESIS_DIR", "")
pytestmark = [
    pytest.mark.long,
    pytest.mark.emulated,
    pytest.mark.skipif(not CHECKOUT, reason="AI8X_SYNTHESIS_DIR names no ai8x-synthesis"),
]


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no Arm compiler")
def test_the_very_image_gives_the_tools_known_answer_through_the_accelerator() -> None:
    pytest.importorskip("unicorn", reason="the extra board-models (Unicorn) is not installed")
    (job,) = resolve_jobs(["digits"], ["max78000fthr"], ["max7800x"], place=Place.MODEL)
    compiled = compile_network(read_network(job.model), job.board, job.backend)
    image = build_image(compiled, job, Silent())
    model = BoardModel(job.board, image.firmware.elf)
    hz = job.board.cpu.hz
    assert hz is not None
    line = Device(ModelTransport(model, hz=hz))
    line.wait_boot()
    line.seed(1)
    answer = compiled.plan.known_answer
    assert answer is not None
    assert line.kat().output == answer.output
    assert model.attached is not None
    assert model.attached.accelerator.runs == 1
    assert len(model.attached.accelerator.layers) == 3


@pytest.mark.parametrize(
    ("name", "cycles"), [("mnist", 70_157), ("cifar-10", 85_265), ("kws20_v3", 71_782)]
)
def test_the_tool_estimates_the_published_cycles_and_answers_as_we_do(
    name: str, cycles: int
) -> None:
    makers = {
        "mnist": lambda: image_net(28, 1),
        "cifar-10": lambda: image_net(32, 3),
        "kws20_v3": keyword_net,
    }
    data = makers[name]()
    plan = load_backend("max7800x").compile(
        read_tflite(data, name=name), data, load_board("max78000fthr")
    )
    details = plan.npu["details"]
    assert isinstance(details, dict)
    assert details["estimated_cycles"] == details["formula_cycles"] == cycles
    assert details["own_model_equals_tool"] == 1


@pytest.mark.parametrize(
    ("name", "checkpoint", "options"),
    [
        ("mnist-chw-ai85", "trained/ai85-mnist-qat8-q", ()),
        ("kws20-v3-hwc", "trained/ai85-kws20_v3-qat8-q", ()),
        ("faceid", "tests/test-faceid-qat8-q", ("--fifo",)),
    ],
)
def test_published_networks_give_their_known_answer(
    tmp_path: Path, name: str, checkpoint: str, options: tuple[str, ...]
) -> None:
    weights = Path(CHECKOUT) / f"{checkpoint}.pth.tar"
    if not weights.is_file():
        pytest.skip(f"the checkout has no {checkpoint}.pth.tar")
    subprocess.run(
        [
            os.environ.get("AI8X_PYTHON", "python3"), "ai8xize.py", "--test-dir", str(tmp_path),
            "--prefix", name, "--config-file", f"networks/{name}.yaml", "--checkpoint-file",
            str(weights), "--device", "MAX78000", "--timer", "0", "--no-version-check",
            "--yamllint", "none", "--no-wfi", *options,
        ],
        cwd=CHECKOUT,
        env=os.environ | {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
        check=True,
        capture_output=True,
    )  # fmt: skip
    played = Generated(tmp_path / name).play(Accelerator("MAX78000"))
    assert played.equal > 0
    assert played.unequal == 0, played.first
