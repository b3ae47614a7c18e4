"""ADI's real tool: cycles that ADI publishes, its known answers through the model of the
accelerator. Runs where AI8X_SYNTHESIS_DIR names a checkout with its Python (AI8X_PYTHON)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from npubench.bench.job import Job, resolve_jobs
from npubench.bench.prepare import build_image
from npubench.boards import load_board
from npubench.compiler.backends import load_backend
from npubench.compiler.backends.max7800x.chain import read_chain
from npubench.compiler.backends.max7800x.description import describe
from npubench.compiler.backends.max7800x.placement import place
from npubench.compiler.backends.max7800x.scheme import (
    quantize_chain,
    sample_input,
    simulate_outputs,
)
from npubench.compiler.backends.max7800x.tool import PREFIX, arguments, parse_answer
from npubench.compiler.backends.max7800x.unload import read_unload
from npubench.compiler.backends.max7800x.weight_bits import parse_bits
from npubench.compiler.backends.max7800x.work import work_of
from npubench.compiler.compiled import compile_network, read_network
from npubench.compiler.importers.ai8x import lint_words
from npubench.compiler.importers.load import load_model
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import CompileError, ConfigError, NpubenchError, UsageError
from npubench.core.progress import Silent
from npubench.emulators.board_model.in_process import ModelTransport
from npubench.emulators.board_model.machine import BoardModel
from npubench.npu.max7800x.accelerator import Accelerator
from npubench.npu.max7800x.device import DEVICES
from npubench.npu.max7800x.replay import Generated as GeneratedCode
from npubench.target import Place
from npubench.wire.device import Device
from support.adi_networks import (
    heads_net,
    image_net,
    keyword_net,
    large_net,
    residual_net,
    separable_net,
    upsampling_net,
)

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
    ("pad: 5", "", CompileError, "does not take net.yaml for the MAX78000"),
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
    elif text.startswith("pad:"):
        text = right.replace("pad: 1", text)
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
    assert details["estimated_cycles"] == details["formula_cycles"] == details["cycles"] == cycles
    assert details["modelled_layer_cycles"] == details["estimated_layer_cycles"]
    assert details["own_model_equals_tool"] == 1


NETWORKS = {
    "residual": residual_net,
    "residual-64": lambda: residual_net(8, 64),
    "heads": heads_net,
    "upsampling": upsampling_net,
    "large": large_net,
    "separable": separable_net,
    "separable-80": lambda: separable_net(2, 80),
    "deep": lambda: separable_net(60, 8),
}


@pytest.mark.parametrize(
    ("name", "part", "bits", "layers"),
    [
        ("residual", "MAX78000", "8", 13),
        ("residual-64", "MAX78000", "8", 13),
        ("residual", "MAX78002", "8", 13),
        ("heads", "MAX78000", "8", 5),
        ("upsampling", "MAX78000", "8", 6),
        ("large", "MAX78000", "8", 5),
        ("large", "MAX78002", "8", 5),
        ("separable", "MAX78002", "8", 8),
        ("separable-80", "MAX78002", "8", 6),
        ("deep", "MAX78002", "8", 122),
        ("residual", "MAX78000", "4", 13),
        ("residual", "MAX78000", "8,0:4,2:2,5:1", 13),
        ("separable", "MAX78002", "4", 8),
    ],
)
def test_tool_accelerator_and_our_integers_agree(
    tmp_path: Path, name: str, part: str, bits: str, layers: int
) -> None:
    """Our description, the tool's known answer, and its C on the model of the accelerator."""
    device = DEVICES[part]
    graph = read_tflite(NETWORKS[name](), name=name)
    quantized = quantize_chain(graph, read_chain(graph, device), parse_bits(bits))
    assert len(quantized.layers) == layers
    sample = sample_input(graph, quantized, 1)
    for file, data in describe(quantized, sample, device).items():
        (tmp_path / file).write_bytes(data)
    streams = place(quantized, device).streaming
    assert (streams > 0) == (name == "large")
    checkout = Path(CHECKOUT)
    words = arguments(tmp_path, part, checkout)
    done = subprocess.run(
        [
            os.environ.get("AI8X_PYTHON", "python3"), "ai8xize.py", *words,
            *(("--fifo",) if streams else ()),
        ],
        cwd=checkout, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-1000:]
    made = tmp_path / "out" / PREFIX
    answer = parse_answer((made / "sampleoutput.h").read_text(encoding="utf-8"))
    unloaded = read_unload((made / "cnn.c").read_text(encoding="utf-8"))
    ours = simulate_outputs(quantized, sample)
    assert len(unloaded) == len(ours) == len(graph.outputs)
    for one, values in zip(unloaded, ours, strict=True):
        assert np.array_equal(one.values(answer), values.reshape(one.shape))
    played = GeneratedCode(made).play(Accelerator(part))
    assert played.unequal == 0, played.first
    assert played.equal > 0
    work = work_of((made / "cnn.c").read_text(encoding="utf-8"), device, layers)
    assert not isinstance(work, str), work
    assert work.low < work.cycles < work.high
    assert work.streams == (streams > 0)


@needs_image
@pytest.mark.parametrize(
    ("name", "board", "options", "layers"),
    [
        ("heads", "max78000fthr", (), 5),
        ("large", "max78000fthr", (), 5),
        ("residual", "max78002evkit", (("weight-bits", "4"),), 14),  # the tool adds one
    ],
    ids=["heads", "streaming", "residual-4-bits"],
)
def test_the_image_answers_as_the_tool_says(
    tmp_path: Path, name: str, board: str, options: tuple[tuple[str, str], ...], layers: int
) -> None:
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(NETWORKS[name]())
    (job,) = resolve_jobs(
        [str(path)], [board], ["max7800x"], place=Place.MODEL, settings={"max7800x": options}
    )
    check_image(job, layers=layers)


@pytest.mark.parametrize("words", ["stride: 2", "kernel_size: 5x5"])
def test_the_tool_refuses_what_keeps_the_zoo_out(tmp_path: Path, words: str) -> None:
    """The reasons for which kws, vww and ic of the zoo are refused are limits of the parts."""
    network = tmp_path / "net.yaml"
    kernel = "" if words.startswith("kernel") else "    kernel_size: 3x3\n"
    network.write_text(
        "---\narch: test\ndataset: npubench\n\nlayers:\n  - processors: 0x7\n"
        "    out_offset: 0x2000\n    operation: conv2d\n    data_format: HWC\n"
        f"{kernel}    pad: 1\n    activate: ReLU\n    output_shift: 0\n    {words}\n"
    )
    side = 5 if words.startswith("kernel") else 3
    for file, shape in (("w", (4, 3, side, side)), ("b", (4,)), ("s", (3, 8, 8))):
        np.save(tmp_path / f"{file}.npy", np.ones((1, *shape) if file == "w" else shape, np.int64))
    done = subprocess.run(
        [
            os.environ.get("AI8X_PYTHON", "python3"), "ai8xize.py", "--test-dir", str(tmp_path),
            "--prefix", "p", "--config-file", str(network), "--weight-input",
            str(tmp_path / "w.npy"), "--bias-input", str(tmp_path / "b.npy"), "--sample-input",
            str(tmp_path / "s.npy"), "--device", "MAX78002", "--no-version-check",
            *lint_words(Path(CHECKOUT)),
        ],
        cwd=CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    said = done.stdout + done.stderr
    wanted = {"stride: 2": "does not support stride other than 1"}
    assert wanted.get(words, "Unsupported value `5x5` for `kernel_size`") in said


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
    played = GeneratedCode(tmp_path / name).play(Accelerator("MAX78000"))
    assert played.equal > 0
    assert played.unequal == 0, played.first
