"""Runs in the environment of Nordic's compiler, imports nothing of npubench: an int8 network
through the compiler of the user's sdk-edge-ai, then through its driver and simulator, built for the
host. Its folder holds model.tflite, inputs.npz, calibration.npz (one sample) and ranges.json."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

HEADER = Path("outputs/nrf_axon_model_network_.h")
YAML = """network:
  model_name: network
  tflite_model: model.tflite
  classification_labels:
  test_data: test.npy
  test_labels:
  test_vectors: [0]
  header_file_test_vector_cnt: 1
  perform_bit_comparison: False
"""
BUFFER_BYTES = 8_000_000
"""Of the simulator on the host; what a part needs is among the figures."""
FIGURES = {
    "command_buffer_bytes": r"command_buf size=(\d+)",
    "weights_bytes": r"model constants buffer size=(\d+)",
    "activations_bytes": r"interlayer buffer size: provisioned \d+, needed (\d+)",
    "psum_bytes": r"Psum buffer size: provisioned \d+, needed (\d+)",
}
_LAYER = re.compile(r"^=== axon layer no (\d+) \(tflite identifier\) (\d+) =*\n(\w+)", re.MULTILINE)
_TOLD = re.compile(r"npubench (\w+) ([\d -]+)")


def main() -> None:
    """Leaves outputs/, outputs.npz and report.json."""
    executor, source, gcc = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    root = executor.parents[4]
    with np.load("inputs.npz") as arrays:
        inputs = arrays["0"]
    count = len(inputs)
    _tell(0, count, "compiler")
    said = compiled(executor)
    layers = [
        {"layer": int(layer), "op": int(op), "kind": kind}
        for path in Path("intermediate").glob("*binfile_content_.txt")
        for layer, op, kind in _LAYER.findall(path.read_text(errors="replace"))
    ]
    _tell(0, count, "simulator's build")
    build(root, source, gcc)
    # The driver takes channels first.
    channels_first = inputs if inputs.ndim < 4 else inputs.transpose(0, 3, 1, 2)
    np.ascontiguousarray(channels_first.astype(np.int8)).tofile("codes.bin")
    told = simulated(count)
    sizes = told["output"][0]
    height, width, channels, size_bytes = sizes[:4]
    if size_bytes != 1:
        refuse(f"the network's output has {size_bytes} bytes a value, not one")
    answers = np.fromfile("outputs.bin", np.int8).reshape(count, channels, height, width)
    named: dict[str, Any] = {"0": answers.transpose(0, 2, 3, 1).reshape(count, -1)}
    np.savez("outputs.npz", **named)
    figures = {
        name: int(match[1])
        for name, pattern in FIGURES.items()
        if (match := re.search(pattern, said)) is not None
    }
    report: dict[str, Any] = {
        "version": version(root, said),
        "layers": layers,
        "cycles": {str(layer): cycles for layer, cycles in told["layer"]},
        "network_cycles": told["network"][0][0],
        "figures": figures,
    }
    Path("report.json").write_text(json.dumps(report), encoding="utf-8")


def compiled(executor: Path) -> str:
    """Run Nordic's executor; what it said."""
    ranges: dict[str, tuple[float, float]] = json.loads(Path("ranges.json").read_text())
    low, high = next(ends for name, ends in ranges.items() if not name.startswith("npubench_op"))
    with np.load("calibration.npz") as arrays:
        codes = arrays["0"][:1].astype(np.float64)
    np.save("test.npy", (low + (codes + 128.0) * (high - low) / 255.0).astype(np.float32))
    Path("network.yaml").write_text(YAML, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-u", str(executor), "network.yaml"],
        text=True,
        errors="replace",
        capture_output=True,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode or not HEADER.exists():
        reasons = re.findall(r"(?:CRITICAL|ERROR): *(.*\S)", said)
        sys.stderr.write(said[-3000:] + "\n")
        refuse("; ".join(dict.fromkeys(reasons[:2])) or "its compiler made no header")
    return said


def build(root: Path, source: str, gcc: str) -> None:
    """The simulator's program, of the SDK's sources and libraries."""
    platform = root / "lib/axon/platform"
    sources = [
        *sorted((root / "drivers/axon").glob("*.c")),
        *sorted((platform / "src").glob("*.c")),
        platform / "src/simulator/nrf_axon_platform_simulator.c",
        platform / "src/simulator/nrf_axon_platform_simulator_linux.c",
        root / "lib/axon/bin/Linux/libnrf-axon-driver-internal.a",
        platform / "bin/simulator/Linux/libnrf-axon-simulator-internal.a",
    ]
    defines = {
        "NOT_A_ZEPHYR_BUILD": 1,
        "AXON_SIMULATION": 1,
        "CONFIG_NRF_AXON": 1,
        "NRF_AXON_INTERLAYER_BUFFER_SIZE": BUFFER_BYTES,
        "NRF_AXON_PSUM_BUFFER_SIZE": BUFFER_BYTES,
    }
    words = [gcc, "-O2", "-w", "-o", "simulate", *(f"-D{n}={v}" for n, v in defines.items())]
    words += [f"-I{root / 'include'}", f"-I{root / 'tools/axon/compiler/include'}", "-Ioutputs"]
    words += [source, *map(os.fspath, sources), "-lm", "-lpthread"]
    done = subprocess.run(words, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr[-3000:])
        raise SystemExit("Axon's simulator could not be built of the SDK's sources")


def simulated(count: int) -> dict[str, list[list[int]]]:
    """Run it; the numbers of each word that it tells."""
    told: dict[str, list[list[int]]] = {}
    last = ""
    with subprocess.Popen(["./simulate"], text=True, stdout=subprocess.PIPE) as process:
        for line in process.stdout or ():
            last = line.strip() or last
            match = _TOLD.match(line)
            if match is None:
                continue
            told.setdefault(match[1], []).append([int(word) for word in match[2].split()])
            if match[1] == "sample":
                _tell(len(told["sample"]), count)
    if process.returncode or "network" not in told:
        raise SystemExit(f"Axon's simulator ended with exit code {process.returncode}: {last}")
    return told


def version(root: Path, said: str) -> str:
    """The SDK's and the compiler's."""
    numbers = dict(re.findall(r"^(\w+) *= *(\d+)", (root / "VERSION").read_text(), re.MULTILINE))
    names = ("VERSION_MAJOR", "VERSION_MINOR", "PATCHLEVEL")
    sdk = ".".join(numbers.get(name, "?") for name in names)
    match = re.search(r"Axon Software Version ([\d.]+)", said)
    return f"sdk-edge-ai {sdk}, compiler {match[1] if match else 'unknown'}"


def refuse(words: str) -> NoReturn:
    """The network is not taken, in the tool's words."""
    raise SystemExit(f"npubench refuses: {words}")


def _tell(done: int, count: int, words: str = "") -> None:
    sys.stdout.write(f"npubench {done}/{count} {words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
