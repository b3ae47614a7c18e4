"""ADI's YAML and checkpoint, looked at: runs under the Python of an ai8x-synthesis checkout, knows
nothing of npubench.

``ai8x_network.py JOB ANSWER``: JOB is a JSON file with ``model``, ``checkpoint``, ``checkout``,
``shape`` (as npubench says it: 1, height, width, channels, or null), ``lint``, ``clean`` and
``weights``; ANSWER gets what was found. The checkpoint is read without running what is in it, and
written anew as plain tensors. The tool is run once, on noise, to learn outputs and work.
"""

from __future__ import annotations

import io
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from refusal import Refused, answer_job, first_line  # type: ignore[import-not-found]

ALLOWED = {
    ("collections", "OrderedDict"), ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_tensor"), ("torch._utils", "_rebuild_parameter"),
    ("torch.storage", "UntypedStorage"), ("torch", "Size"), ("torch", "Tensor"),
}  # fmt: skip
STORAGE = re.compile(r"^[A-Z][A-Za-z0-9]*Storage$")
TRIES = (
    ("MAX78000", ()), ("MAX78000", ("--fifo",)), ("MAX78000", ("--overlap-data",)),
    ("MAX78000", ("--fifo", "--overlap-data")), ("MAX78002", ()), ("MAX78002", ("--fifo",)),
)  # fmt: skip
SHOWN_ERRORS = 240
SEED = 20261128
SECONDS = 1500
UNLOAD = re.compile(
    r"Custom unload for this network, .*: "
    r"(\d+)-bit data, shape: \((\d+), (\d+), (\d+)\)"
)
MACC = re.compile(r"^\s*Hardware: .*?\(([\d,]+) macc", re.MULTILINE)


class Inert:
    """Stands for an object of a class that is not loaded: it takes all, and keeps nothing."""

    def __new__(cls, *given: Any, **named: Any) -> Inert:
        del given, named
        return object.__new__(cls)

    def __init__(self, *given: Any, **named: Any) -> None:
        del given, named

    def __setstate__(self, state: Any) -> None:
        del state

    def __setitem__(self, key: Any, value: Any) -> None:
        del key, value

    def append(self, value: Any) -> None:
        """As lists are filled."""
        del value

    def extend(self, values: Any) -> None:
        """As lists are filled."""
        del values


class Unpickler(pickle.Unpickler):
    """Tensors and plain values; every other class stays outside."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in ALLOWED or (module == "torch" and STORAGE.match(name)):
            return super().find_class(module, name)
        return Inert


class Restricted:
    """A pickle module for torch.load."""

    Unpickler = Unpickler
    UnpicklingError = pickle.UnpicklingError

    @staticmethod
    def load(file: Any, **words: Any) -> Any:
        """As pickle.load."""
        return Unpickler(file, **words).load()

    @staticmethod
    def loads(data: bytes, **words: Any) -> Any:
        """As pickle.loads."""
        return Unpickler(io.BytesIO(data), **words).load()


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Read both files, try the tool, tell what came out."""
    path, checkpoint = Path(job["model"]), Path(job["checkpoint"])
    network = described(path)
    state = read_state(checkpoint, network, path)
    torch.save(state, job["clean"])
    arrays = [
        value.numpy().astype(np.int64).reshape(-1)
        for name, value in state["state_dict"].items()
        if name.endswith((".weight", ".bias")) and value.ndim
    ]
    np.save(job["weights"], np.clip(np.concatenate(arrays), -128, 127).astype(np.int8))
    sample = sample_for(job, network, path)
    return outcome(job, network, sample) | {
        "shape": channels_last(sample.shape),
        "arch": str(network["arch"]),
        "dataset": str(network["dataset"]),
        "layers": len(network["layers"]),
    }


def described(path: Path) -> dict[str, Any]:
    """The YAML, as far as it must be looked at."""
    try:
        network = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(
            "ConfigError", f"{path.name} is no YAML: {first_line(error, 200)}", ""
        ) from error
    wanted = {"arch", "dataset", "layers"}
    if not isinstance(network, dict) or not wanted <= set(network):
        lacks = sorted(wanted - set(network)) if isinstance(network, dict) else sorted(wanted)
        raise Refused(
            "ConfigError", f"{path.name} has no {', '.join(lacks)}",
            "a network of ai8x-synthesis has arch, dataset and layers",
        )  # fmt: skip
    layers = network["layers"]
    if not isinstance(layers, list) or not layers or not all(isinstance(x, dict) for x in layers):
        raise Refused("ConfigError", f"{path.name}: layers is no list of layers", "")
    return network


def read_state(checkpoint: Path, network: dict[str, Any], path: Path) -> dict[str, Any]:
    """The checkpoint as plain tensors: whole numbers, as ADI's quantize.py leaves them."""
    try:
        found = torch.load(
            checkpoint, map_location="cpu", pickle_module=Restricted, weights_only=False
        )
    except Exception as error:
        raise Refused(
            "ConfigError",
            f"{checkpoint.name} is no checkpoint of PyTorch: {first_line(error, 200)}",
            "give the .pth.tar that ADI's quantize.py wrote",
        ) from error  # fmt: skip
    states = found.get("state_dict") if isinstance(found, dict) else None
    if not isinstance(states, dict):
        raise Refused(
            "ConfigError", f"{checkpoint.name} has no state_dict",
            "give the .pth.tar that ADI's quantize.py wrote",
        )  # fmt: skip
    tensors = {k: v for k, v in states.items() if isinstance(v, torch.Tensor)}
    weights = {name: value for name, value in tensors.items() if name.endswith(".weight")}
    if not weights:
        raise Refused("ConfigError", f"{checkpoint.name} holds no weights", "")
    for name, value in weights.items():
        if value.is_floating_point() and not bool(torch.equal(value, torch.round(value))):
            raise Refused(
                "ConfigError", f"{checkpoint.name} is not quantized: {name} has fractions",
                "run ADI's quantize.py on it and give what that writes (its name ends in -q)",
            )  # fmt: skip
    arch = found.get("arch")
    arch = arch if isinstance(arch, str) else str(network["arch"])
    if arch.lower() != str(network["arch"]).lower():
        raise Refused(
            "ConfigError",
            f"{path.name} describes the architecture {network['arch']}, {checkpoint.name} is of "
            f"{arch}",
            "give the two files of one network",
        )
    return {"arch": arch, "epoch": 0, "state_dict": tensors}


def sample_for(job: dict[str, Any], network: dict[str, Any], path: Path) -> Any:
    """Noise in the shape of the network's input, channels first."""
    shape = job["shape"]
    if shape is None:
        beside = Path(job["checkout"]) / "tests" / f"sample_{str(network['dataset']).lower()}.npy"
        if not beside.is_file():
            raise Refused(
                "UsageError",
                f"{path.name} does not say how large its input is, and the checkout has no sample "
                f"of {network['dataset']}",
                "say it, channels last: --shape input=1,28,28,1 (or 1,128,128 for a line)",
            )
        shape = channels_last(np.load(beside).shape)
    if len(shape) not in (3, 4) or shape[0] != 1:
        raise Refused(
            "UsageError", f"an input of {shape} is none of this accelerator",
            "1, height, width, channels; or 1, length, channels",
        )  # fmt: skip
    first = (shape[-1], *shape[1:-1])
    return np.random.default_rng(SEED).integers(-128, 128, first, dtype=np.int64)


def channels_last(shape: Any) -> list[int]:
    return [1, *(int(side) for side in shape[1:]), int(shape[0])]


def outcome(job: dict[str, Any], network: dict[str, Any], sample: Any) -> dict[str, Any]:
    """What the tool makes of it: the first part and words that take the network."""
    del network
    np.save("sample.npy", sample)
    said: dict[str, str] = {}
    for part, words in TRIES:
        done = subprocess.run(
            [
                sys.executable, "ai8xize.py", "--test-dir", str(Path.cwd() / "out"), "--prefix",
                "npubench", "--config-file", job["model"], "--checkpoint-file", job["clean"],
                "--sample-input", str(Path.cwd() / "sample.npy"), "--device", part, "--timer", "0",
                "--no-wfi", "--no-version-check", "--overwrite", *job["lint"], *words,
            ],
            cwd=job["checkout"], capture_output=True, text=True, check=False, timeout=SECONDS,
        )  # fmt: skip
        if done.returncode == 0:
            return facts(Path("out/npubench")) | {"part": part, "words": " ".join(words)}
        said.setdefault(part, complaint(done.stdout + "\n" + done.stderr))
        if not re.search(r"memory|exceed|overwrit|fifo|FIFO|layers", said[part]):
            break
    told = "; ".join(f"for the {part}: {text}" for part, text in said.items())
    raise Refused(
        "CompileError", f"ai8xize does not take {Path(job['model']).name} {told}",
        "its YAML and its checkpoint must be of one network, and fit the part",
    )  # fmt: skip


def complaint(said: str) -> str:
    """The tool's own error, else its last words."""
    lines = [text.strip() for text in said.splitlines() if text.strip()]
    errors = [text for text in lines if "ERROR" in text]
    return re.sub(r"\x1b\[[0-9;]*m", "", (errors or lines or ["no word"])[-1])[:SHOWN_ERRORS]


def facts(folder: Path) -> dict[str, Any]:
    """Outputs and work of what was generated."""
    code = (folder / "cnn.c").read_text(encoding="utf-8")
    outputs = [[int(number) for number in found] for found in UNLOAD.findall(code)]
    if not outputs:
        raise Refused(
            "CompileError", "ai8xize writes no unloading for this network's output",
            "an output that it cannot unload cannot be read by the firmware",
        )  # fmt: skip
    macc = MACC.search((folder / "log.txt").read_text(encoding="utf-8", errors="replace"))
    return {"outputs": outputs, "macs": 0 if macc is None else int(macc[1].replace(",", ""))}


if __name__ == "__main__":
    answer_job(main)
