"""ADI's real tool: cycles that ADI publishes, its known answers through the model of the
accelerator. Runs where AI8X_SYNTHESIS_DIR names a checkout with its Python (AI8X_PYTHON)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from npubench.bench.job import Job, resolve_jobs
from npubench.bench.prepare import build_image
from npubench.boards import load_board
from npubench.compiler.backends import load_backend
from npubench.compiler.compiled import compile_network, read_network
from npubench.compiler.importers.load import load_model
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import CompileError, ConfigError, NpubenchError, UsageError
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


needs_image = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="no Arm compiler"
)


def check_image(job: Job, *, layers: int) -> None:
    """The very image, booted on the board's model, answers as the tool says."""
    pytest.importorskip("unicorn", reason="the extra board-models (Unicorn) is not installed")
    compiled = compile_network(read_network(job.model), job.board, job.backend, job.options)
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
    assert len(model.attached.accelerator.layers) == layers


@needs_image
def test_the_very_image_gives_the_tools_known_answer_through_the_accelerator() -> None:
    (job,) = resolve_jobs(["digits"], ["max78000fthr"], ["max7800x"], place=Place.MODEL)
    check_image(job, layers=3)


def checkpoint_of(name: str) -> Path:
    path = Path(CHECKOUT) / f"{name}.pth.tar"
    if not path.is_file():
        pytest.skip(f"the checkout has no {name}.pth.tar")
    return path


@needs_image
@pytest.mark.parametrize(
    ("name", "weights", "board", "layers"),
    [
        ("mnist-chw-ai85", "trained/ai85-mnist-qat8-q", "max78000fthr", 5),
        ("kws20-v3-hwc", "trained/ai85-kws20_v3-qat8-q", "max78000fthr", 9),
        ("faceid", "tests/test-faceid-qat8-q", "max78000fthr", 9),
        ("ai87-kws20-v3-hwc", "trained/ai87-kws20_v3-qat8-q", "max78002evkit", 9),
    ],
    ids=["planar", "wide", "fifo", "max78002"],
)
def test_a_network_of_adis_own_flow_answers_as_the_tool_says(
    name: str, weights: str, board: str, layers: int
) -> None:
    (job,) = resolve_jobs(
        [f"{CHECKOUT}/networks/{name}.yaml"], [board], ["max7800x"], place=Place.MODEL,
        said={"weights": checkpoint_of(weights)},
    )  # fmt: skip
    assert job.model.brought is not None
    check_image(job, layers=layers)


WRONG: list[tuple[str, str, type[NpubenchError], str]] = [
    ("layers: [", "", ConfigError, "is no YAML"),
    ("arch: a\nlayers:\n  - pad: 1\n", "", ConfigError, "has no dataset"),
    ("arch: a\ndataset: b\nlayers:\n", "", ConfigError, "layers is no list"),
    ("", "torn", ConfigError, "is no checkpoint of PyTorch"),
    ("", "trained/ai85-kws20_v3-qat8-q", ConfigError, "architecture ai85net5, .* is of ai85kws20"),
    ("", "float", ConfigError, "is not quantized: conv1.op.weight has fractions"),
    ("dataset: nobody", "", UsageError, "the checkout has no sample of nobody"),
    ("kernel_size: 5x5", "", CompileError, "does not take net.yaml for the MAX78000"),
]


@pytest.mark.parametrize(
    ("text", "weights", "kind", "why"), WRONG, ids=[one[3][:12].strip() for one in WRONG]
)
def test_what_is_wrong_with_a_network_of_adis_is_told(
    tmp_path: Path, text: str, weights: str, kind: type[NpubenchError], why: str
) -> None:
    right = (Path(CHECKOUT) / "networks/mnist-chw-ai85.yaml").read_text(encoding="utf-8")
    network = tmp_path / "net.yaml"
    if text.startswith("dataset:"):
        text = right.replace("dataset: MNIST", text)
    elif text.startswith("kernel_size"):
        text = right.replace("kernel_size: 3x3", text)
    network.write_text("arch: x\n" * (text[:6] == "layers") + (text or right))
    given = checkpoint_of("trained/ai85-mnist-qat8-q")
    if weights in ("torn", "float"):
        broken = tmp_path / "w.pth.tar"
        if weights == "torn":
            broken.write_bytes(given.read_bytes()[:1000])
        else:
            script = (
                "import sys, torch; torch.save({'arch': 'ai85net5', 'epoch': 0, 'state_dict':"
                " {'conv1.op.weight': torch.full((1, 1, 3, 3), 0.5)}}, sys.argv[1])"
            )
            python = os.environ.get("AI8X_PYTHON", "python3")
            subprocess.run([python, "-c", script, str(broken)], check=True, capture_output=True)
        given = broken
    elif weights:
        given = checkpoint_of(weights)
    with pytest.raises(kind, match=why):
        load_model(str(network), {"weights": given})


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
