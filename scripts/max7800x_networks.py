"""ADI's published networks through ADI's tool and the model of the accelerator.

    AI8X_SYNTHESIS_DIR=~/ai8x-synthesis AI8X_PYTHON=... python scripts/max7800x_networks.py \
        [--folder FOLDER] [--write docs/max7800x-networks.md] [NAME...]

For each network of the checkout's networks/: the tool generates its C, and the C is played on the
model (registers, weights, biases, the sample input); what is in the data memories then is held
against the tool's known answer. Where the checkout has the trained checkpoint that is taken. Where
it has none, weights are drawn, with the network's own layers: the arithmetic is tried as well.
What is in the folder already is not generated again.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from max7800x_shapes import WEIGHTLESS, operation_of, shapes
from numpy.typing import NDArray

from npubench.core.errors import NpubenchError
from npubench.npu.max7800x.accelerator import Accelerator
from npubench.npu.max7800x.replay import Generated

Ints = NDArray[np.int64]
CHECKPOINTS = {
    "ai85-dotprod": "trained/ai85-dot_emb_112_checkpoint-q",
    "ai85-bayer2rgb": "trained/ai85-bayer2rgb-qat8-q",
    "ai85-autoencoder": "trained/ai85-autoencoder-samplemotordatalimerick-qat-q",
    "ai85-facedet-tinierssd": "trained/ai85-facedet-tinierssd-qat8-q",
    "ai87-dotprod": "trained/ai87-dot_emb_112_checkpoint-q",
    "ai87-face-tinierssd-startat74": "trained/ai87-facedet-tinierssd-qat8-q",
    "ai87-facedet-tinierssd": "trained/ai87-facedet-tinierssd-qat8-q",
    "ai87-kws20-v3-hwc": "trained/ai87-kws20_v3-qat8-q",
    "aisegment-unet-large-fakept": "trained/ai85-aisegment-unet-large-fakept-q",
    "camvid-unet-large-fakept": "trained/ai85-camvid-unet-large-fakept-q",
    "camvid-unet-large": "trained/ai85-camvid-unet-large-q",
    "cats-dogs-hwc-no-fifo": "trained/ai85-catsdogs-qat8-q",
    "cats-dogs-hwc": "trained/ai85-catsdogs-qat8-q",
    "cifar10-hwc": "tests/test-cifar10",
    "cifar10-nas": "trained/ai85-cifar10-qat8-q",
    "faceid": "tests/test-faceid-qat8-q",
    "fashionmnist-chw": "tests/test-fashionmnist",
    "fashionmnist-hwc": "tests/test-fashionmnist",
    "kws20-hwc": "trained/ai85-kws20-qat8-q",
    "kws20-v3-hwc": "trained/ai85-kws20_v3-qat8-q",
    "mnist-chw-ai85": "trained/ai85-mnist-qat8-q",
    "mnist-chw-extrasmall-ai85": "trained/ai85-mnist-extrasmall-qat8-q",
    "mnist-chw-extrasmallnet": "tests/test-mnist-extrasmallnet",
    "mnist-chw": "tests/test-mnist",
    "speechcom-chw": "tests/test-speechcom-net7",
    "svhn-tinierssd": "trained/ai85-svhn-tinierssd-qat8-q",
}
"""Of the checkout, as its gen-demos scripts and tests pair them."""
MAX78002 = ("ai87-", "cats-dogs-hwc-no-fifo")
FIFO = (
    "ai85-facedet-tinierssd", "ai85-faceid_112", "ai85-tinierssd-kpts-qr", "cats-dogs-hwc",
    "faceid", "ai87-mobilefacenet-112", "ai87-pascalvoc",
)  # fmt: skip
OPTIONS = {
    "ai85-facedet-tinierssd": "--sample-input tests/sample_vggface2_facedetection.npy",
    "ai85-kinetics-actiontcn": "--overlap-data --zero-sram",
    "ai85-tinierssd-kpts-qr": "--overlap-data",
    "ai87-dotprod": "--start-layer 73",
    "ai87-face-tinierssd-startat74":
        "--start-layer 74 --sample-input tests/sample_vggface2_facedetection.npy",
    "ai87-facedet-tinierssd": "--sample-input tests/sample_vggface2_facedetection.npy",
    "ai87-pascalvoc": "--sample-input tests/sample_pascalvoc_256_320.npy --no-unload",
    "aisegment-unet-large": "--overlap-data --no-unload --max-checklines 8192",
    "camvid-unet-large": "--overlap-data --no-unload --max-checklines 8192 --new-kernel-loader",
    "svhn-tinierssd": "--overlap-data",
    "cifar10-nas": "--sample-input tests/sample_cifar-10.npy",
}  # fmt: skip
BITS = {"ai85-faceid_112": {-1: 4, 11: 2, 13: 2}, "cifar100-simplewide2x": {-1: 4}}
"""Bits of drawn weights by layer, -1 of all others: with eight they do not fit the memory."""
SAMPLES = {"ai85-bayer2rgb": (4, 45, 45), "ai85-autoencoder": (256, 3), "benchmark": (64, 32, 32)}
"""Shapes of inputs of which the checkout has no sample: one is drawn."""
CHANNELS = {
    "ai87-kws20-v2-hwc": (100, 48, 96, 128, 160, 192, 192, 32, 21),
    "cifar100-ressimplenet": (
        16, 20, 20, 20, 20, 20, 20, 20, 44, 48, 48, 48, 96, 512, 128, 128, 100,
    ),
    "cifar100-simple": (16, 20, 20, 20, 20, 20, 44, 48, 48, 96, 512, 128, 128, 100),
    "cifar100-simplewide2x": (24, 32, 32, 32, 32, 32, 64, 64, 64, 128, 512, 192, 192, 100),
    "kws20-v2-hwc": (100, 48, 96, 128, 160, 192, 192, 32, 21),
}  # fmt: skip
"""Channels that each layer gives, where the file does not tell: of ai8x-training's models/."""
CLASSES = {"cifar100-nas": 100, "ai87-cifar100-effnet2": 100, "ai87-imagenet-effnet2": 1000}
"""Of networks whose file does not tell them; the others get ten."""
SECONDS = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one network. ``verdict``: match, differs, or why there is none."""

    name: str
    part: str
    weights: str
    layers: int
    words: int
    verdict: str


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("max7800x-networks"))
    parser.add_argument("--write", type=Path)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args(words)
    checkout = Path(os.environ["AI8X_SYNTHESIS_DIR"])
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    names = given.names or sorted(path.stem for path in (checkout / "networks").glob("*.yaml"))
    outcomes = []
    for name in names:
        found = attempt(name, checkout, folder)
        outcomes.append(found)
        sys.stdout.write(f"{found}\n")
        sys.stdout.flush()
    if given.write is not None:
        done = subprocess.run(
            ["git", "-C", str(checkout), "rev-parse", "--short=12", "HEAD"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        commit = done.stdout.strip() or "unknown"
        given.write.write_text(table(outcomes, commit), encoding="utf-8")
    return 0


def attempt(name: str, checkout: Path, folder: Path) -> Outcome:
    """Generate, play, compare."""
    part = "MAX78002" if name.startswith(MAX78002) else "MAX78000"
    checkpoint = CHECKPOINTS.get(name)
    trained = checkpoint is not None and (checkout / f"{checkpoint}.pth.tar").is_file()
    what = "trained" if trained else "drawn"
    said = None
    if not (folder / name / "sampleoutput.h").is_file():
        try:
            said = generate(
                name, part, checkout, folder, f"{checkpoint}.pth.tar" if trained else ""
            )
        except (LookupError, OSError, TypeError, ValueError, subprocess.SubprocessError) as error:
            said = f"{type(error).__name__}: {error}"
    layers = count = 0
    if said is not None:
        verdict = said
    else:
        try:
            played = Generated(folder / name).play(Accelerator(part))
            layers, count = played.layers, played.equal + played.unequal
            verdict = "match" if count and not played.unequal else f"{played.unequal} words differ"
        except NpubenchError as error:
            verdict = error.message
    return Outcome(name=name, part=part, weights=what, layers=layers, words=count, verdict=verdict)


def generate(name: str, part: str, checkout: Path, folder: Path, checkpoint: str) -> str | None:
    """Run the tool; what it says where it refuses, None where it does not."""
    config = checkout / "networks" / f"{name}.yaml"
    options = next((text for key, text in OPTIONS.items() if name.startswith(key)), "").split()
    if name.startswith(FIFO) and name != "cats-dogs-hwc-no-fifo":
        options.append("--fifo")
    if name in SAMPLES:
        random = np.random.default_rng(3)
        np.save(folder / f"{name}-sample.npy", random.integers(-128, 128, SAMPLES[name]))
        options += ["--sample-input", str(folder / f"{name}-sample.npy")]
    if checkpoint:
        options += ["--checkpoint-file", checkpoint]
    else:
        options += drawn(name, config, checkout, folder)
        config = folder / f"{name}.yaml"
    done = subprocess.run(
        [
            os.environ.get("AI8X_PYTHON", "python3"), "ai8xize.py", "--test-dir", str(folder),
            "--prefix", name, "--config-file", str(config), "--device", part, "--timer", "0",
            "--no-version-check", "--yamllint", "none", "--overwrite", "--no-wfi", *options,
        ],
        cwd=checkout,
        env=os.environ | {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    if done.returncode == 0:
        return None
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
    lines += done.stderr.strip().splitlines()[-1:]
    said = lines[0] if lines else "no word"
    return f"refused by the tool: {said}" if "ERROR: Layer" in said else f"the tool: {said}"


def drawn(name: str, config: Path, checkout: Path, folder: Path) -> list[str]:
    """Weights and biases for a network without a checkpoint, and the tool's words for them."""
    text = config.read_text(encoding="utf-8")
    network = yaml.safe_load(text)
    sample = checkout / "tests" / f"sample_{str(network['dataset']).lower()}.npy"
    if "--sample-input" in OPTIONS.get("ai87-pascalvoc", "") and name.startswith("ai87-pascalvoc"):
        sample = checkout / "tests/sample_pascalvoc_256_320.npy"
    shape = SAMPLES[name] if name in SAMPLES else np.load(sample).shape
    random = np.random.default_rng(7)
    weights: list[Ints] = []
    biases: list[Ints] = []
    room = 900
    weighted = [
        number
        for number, layer in enumerate(network["layers"])
        if operation_of(layer) not in WEIGHTLESS
    ]
    named = {str(layer.get("name", n)).lower(): n for n, layer in enumerate(network["layers"])}
    for wanted in shapes(network["layers"], text, shape, CHANNELS.get(name), CLASSES.get(name, 10)):
        fan = int(np.prod(wanted[1:]))
        spread = max(110 / np.sqrt(fan), 1.5)
        codes = np.clip(np.round(random.normal(0, spread, wanted)), -127, 127)
        lender = network["layers"][weighted[len(weights)]].get("weight_source")
        if lender is None:
            weights.append(codes.astype(np.int64))
        else:
            weights.append(weights[weighted.index(named[str(lender).lower()])])
        bias = np.zeros(wanted[0], dtype=np.int64)
        if len(biases) % 3 == 0 and wanted[0] <= 64 and wanted[0] <= room:
            room -= wanted[0]
            bias = np.clip(np.round(random.normal(0, 25, wanted[0])), -127, 127).astype(np.int64)
        biases.append(bias)
    widths = BITS.get(name, {})
    for number, layer in enumerate(network["layers"]):
        if widths and operation_of(layer) not in WEIGHTLESS:
            layer["quantization"] = widths.get(number, widths[-1])
    changed = yaml.safe_dump(network | {"arch": "test"}, sort_keys=False)
    plain = re.sub(r"^arch:.*$", "arch: test", text, flags=re.MULTILINE)
    (folder / f"{name}.yaml").write_text(changed if widths else plain, encoding="utf-8")
    samples = (
        []
        if name.startswith("ai87-pascalvoc") or name in SAMPLES
        else ["--sample-input", str(sample)]
    )
    if any("weight_source" in layer for layer in network["layers"]):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        return [*as_checkpoint(name, network, weighted, weights, biases, folder), *samples]
    for kind, arrays in (("weights", weights), ("bias", biases)):
        buffer = io.BytesIO()
        for values in arrays:
            np.save(buffer, values)
        (folder / f"{name}-{kind}.npy").write_bytes(buffer.getvalue() + b"end of arrays\n")
    return [
        "--weight-input", str(folder / f"{name}-weights.npy"),
        "--bias-input", str(folder / f"{name}-bias.npy"),
        *samples,
    ]  # fmt: skip


SAVE = """
import sys, numpy, torch
arrays = numpy.load(sys.argv[1])
state = {name: torch.tensor(arrays[name].astype('float32')) for name in arrays.files}
torch.save({'arch': sys.argv[3], 'epoch': 0, 'state_dict': state}, sys.argv[2])
"""


def as_checkpoint(
    name: str,
    network: dict[str, Any],
    weighted: list[int],
    weights: list[Ints],
    biases: list[Ints],
    folder: Path,
) -> list[str]:
    """Drawn weights as a checkpoint: with these alone the tool knows of borrowed ones."""
    state: dict[str, Ints] = {}
    for number, values, bias in zip(weighted, weights, biases, strict=True):
        layer = network["layers"][number]
        if "weight_source" in layer:
            continue
        turned = operation_of(layer) == "convtranspose2d"
        state[f"l{number}.op.weight"] = values.swapaxes(0, 1) if turned else values
        state[f"l{number}.op.bias"] = 128 * bias
        state[f"l{number}.output_shift"] = np.zeros(1, dtype=np.int64)
    arrays, checkpoint = folder / f"{name}-drawn.npz", folder / f"{name}-drawn.pth.tar"
    np.savez(arrays, **state)  # type: ignore[arg-type]
    words = ["-c", SAVE, str(arrays), str(checkpoint), str(network["arch"])]
    subprocess.run([os.environ.get("AI8X_PYTHON", "python3"), *words], check=True)
    return ["--checkpoint-file", str(checkpoint)]


PAGE = """# ADI's published networks on the model of the accelerator

Of ai8x-synthesis's {total} networks {good} give the tool's known answer on the model of the \
accelerator, word for word; {counts}

`scripts/max7800x_networks.py` has the tool generate the C of each and plays its stores on the \
model: registers, weights, biases, the sample input, streams through the FIFO. Trained: the \
checkpoint that ADI publishes, from a copy of the repository (commit {commit}) that lacks its \
largest files; drawn: the copy has none, weights and biases were drawn for the network's own \
layers (8 bits, also where ADI's are mixed; those of ai85-faceid_112 and cifar100-simplewide2x \
have 4 and 2 bits, since 8 do not fit), and the number of classes is the script's where nothing \
tells it. Inputs of which the repository has no sample were drawn. Words: of the known answer \
that were compared.

| network | part | weights | layers | words | |
|---|---|---|--:|--:|---|"""


def table(outcomes: list[Outcome], commit: str) -> str:
    """The page."""
    good = sum(one.verdict == "match" for one in outcomes)
    refused = sum(REFUSED in one.verdict for one in outcomes)
    differ = sum(one.verdict.endswith("words differ") for one in outcomes)
    left = len(outcomes) - good - refused - differ
    counts = f"refused by the tool: {refused}; different: {differ}; not settled: {left}."
    lines = [PAGE.format(total=len(outcomes), good=good, counts=counts, commit=commit)]
    for one in sorted(outcomes, key=lambda item: item.name):
        figures = f"{one.layers} | {one.words}" if one.words else " | "
        verdict = one.verdict.replace("|", "/").replace("\n", " ")
        lines.append(f"| {one.name} | {one.part} | {one.weights} | {figures} | {verdict} |")
    return "\n".join(lines) + "\n"


REFUSED = "by the tool"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
