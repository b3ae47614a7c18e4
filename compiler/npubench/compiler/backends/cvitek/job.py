"""Runs in tpu_mlir's environment, imports nothing of npubench: compile a float network for the
CV180x with the ranges of its int8 form, run it on the simulator. Its folder holds model.tflite,
inputs.npz, calibration.npz and ranges.json. Its arguments: INT8 or BF16; "fitted" where the ranges
are to be narrowed to what costs least; the first operator that is on BF16 for all that; and
"channels-last" where tpu_mlir is not to put channels first by itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

_LOCATION = re.compile(r'^#(loc\d+) = loc\("(.*)"\)', re.MULTILINE)
_OPERATOR = re.compile(r'^ *(%\w+) = "top\.(\w+)"\((%\w+)?.* loc\(#(loc\d+)\)$', re.MULTILINE)
_NAME = re.compile(r"npubench_op(\d+)")
_REASON = re.compile(
    r"not implemented|not support|error: |assert|what\(\): |\w+(Error|Exception):", re.IGNORECASE
)
_SHARES = np.linspace(0.3, 1.0, 29)
"""Of a range, that are tried."""
_VALUES = 20_000
"""Of a tensor and a sample, that ranges are fitted to."""


def main() -> None:
    """Leaves network.cvimodel, info.txt, outputs.npz and report.json."""
    import tpu_mlir  # type: ignore[import-not-found]  # noqa: F401 - sets the variables of its programs

    quantize, *ways = sys.argv[1:]
    order = ["--channel_format", "none"] if "channels-last" in ways else []
    _run("model_transform.py", "--model_name", "network", "--model_def", "model.tflite",
         "--mlir", "network.mlir", *order)  # fmt: skip
    # Every .tflite is marked as quantized; this one is not.
    text = Path("network.mlir").read_text(encoding="utf-8")
    text = text.replace('module.platform = "TFLITE"', 'module.platform = "ONNX"')
    text = text.replace('"TOP_QUANTIZED"', '"TOP_F32"')
    Path("network.mlir").write_text(text, encoding="utf-8")
    ranges = json.loads(Path("ranges.json").read_text(encoding="utf-8"))
    form = ["--quantize", quantize]
    if quantize == "INT8":
        rows = table(text, fitted_ranges(ranges) if "fitted" in ways else ranges)
        Path("table").write_text(rows, encoding="utf-8")
        form += ["--calibration_table", "table"]
        for number in (int(way) for way in ways if way.isdecimal()):
            apart = bf16_table(rows, number)
            Path("bf16").write_text(apart, encoding="utf-8")
            form += ["--quantize_table", "bf16"] if apart else []
    _run("model_deploy.py", "--mlir", "network.mlir", "--chip", "cv180x", *form,
         "--model", "network.cvimodel")  # fmt: skip
    info = _run("model_tool", "--info", "network.cvimodel")
    Path("info.txt").write_text(info, encoding="utf-8")
    # The simulator's libraries are found by variables that a process reads at its start.
    subprocess.run([sys.executable, __file__, "simulate", *ways], check=True)
    Path("report.json").write_text(json.dumps({"ranges": len(ranges)}))


def table(mlir: str, ranges: dict[str, Any]) -> str:
    """The calibration table: of every operator its threshold and its range."""
    names = dict(_LOCATION.findall(mlir))
    rows = []
    ends: dict[str, Any] = {}
    for result, kind, source, place in _OPERATOR.findall(mlir):
        if kind in ("Weight", "None"):
            continue
        name = names[place]
        found = _NAME.match(name)
        # tpu_mlir's own transpositions have the range of what they take.
        own = ranges.get(found[0] if found else name)
        low, high = ends[result] = own or ends[source]
        rows.append(f"{name} {max(abs(low), abs(high)):.7g} {low:.7g} {high:.7g}\n")
    return "# tpu-mlir\n###\n# op_name threshold min max\n" + "".join(rows)


def bf16_table(rows: str, first: int) -> str:
    """Of a calibration table the operators from ``first`` on, as tpu_mlir's table of formats."""
    names = [row.split()[0] for row in rows.splitlines() if not row.startswith("#")]
    numbers = {name: found for name in names if (found := _NAME.match(name)) is not None}
    return "".join(f"{name} BF16\n" for name, found in numbers.items() if int(found[1]) >= first)


def fitted_ranges(ranges: dict[str, Any]) -> dict[str, Any]:
    """The ranges, narrowed to what costs least where a tensor has 255 symmetric codes: the smallest
    square of the error, by rounding and clipping, over the calibration."""
    from ai_edge_litert.interpreter import Interpreter

    network = Interpreter(model_path="model.tflite", experimental_preserve_all_tensors=True)
    network.allocate_tensors()
    details = network.get_tensor_details()
    places = {item["name"]: item["index"] for item in details if item["name"] in ranges}
    seen: dict[str, list[Any]] = {name: [] for name in places}
    with np.load("calibration.npz") as arrays:
        given = [arrays[f"{index}"].astype(np.float32) for index in range(len(arrays.files))]
    for sample in range(len(given[0])):
        _tell(sample, len(given[0]), "ranges")
        for item, array in zip(network.get_input_details(), given, strict=True):
            network.set_tensor(item["index"], array[sample].reshape(item["shape"]))
        network.invoke()
        for name, place in places.items():
            values = network.get_tensor(place).reshape(-1)
            seen[name].append(values[:: max(1, len(values) // _VALUES)].copy())
    found = dict(ranges)
    for name, parts in seen.items():
        low, high = ranges[name]
        end = fitted_end(np.clip(np.concatenate(parts), low, high), max(abs(low), abs(high)))
        found[name] = (max(low, -end), min(high, end))
    return found


def fitted_end(values: Any, end: float) -> float:
    """Of the ends up to ``end`` the one whose 127 steps on either side cost ``values`` least."""
    steps = _SHARES * end / 127.0
    errors = [
        np.square(np.clip(np.rint(values / step), -127, 127) * step - values).mean()
        for step in steps
    ]
    return float(steps[int(np.argmin(errors))] * 127.0)


def simulate(channels_last: bool) -> None:
    """Every sample through network.cvimodel; the layouts are those of model.tflite."""
    import pyruntime_cvi  # type: ignore[import-not-found]
    from ai_edge_litert.interpreter import Interpreter

    network = Interpreter(model_path="model.tflite")
    # Its outputs carry the names with a form behind.
    order = [item["name"] for item in network.get_output_details()]
    ranks = [len(item["shape"]) for item in network.get_output_details()]
    wanted = [item["name"] for item in network.get_input_details()]
    model: Any = pyruntime_cvi.Model("network.cvimodel", output_all_tensors=False)
    with np.load("inputs.npz") as arrays:
        inputs = {name: arrays[f"{index}"] for index, name in enumerate(wanted)}
    outputs: list[list[Any]] = [[] for _ in order]
    count = len(next(iter(inputs.values())))
    for sample in range(count):
        _tell(sample, count)
        for tensor in model.inputs:
            values = inputs[tensor.name if len(wanted) > 1 else wanted[0]][sample]
            if values.ndim == 3 and not channels_last:
                values = values.transpose(2, 0, 1)
            tensor.data.reshape(-1)[:] = values.astype(np.float32).reshape(-1)
        model.forward()
        for tensor in model.outputs:
            found = [n for n, name in enumerate(order) if tensor.name.startswith(f"{name}_")]
            index = found[0] if len(order) > 1 else 0
            values = np.array(tensor.data)
            if ranks[index] == 4 and not channels_last:
                values = values.transpose(0, 2, 3, 1)
            outputs[index].append(values.reshape(-1).astype(np.float32))
    stacked: dict[str, Any] = {f"{index}": np.stack(kept) for index, kept in enumerate(outputs)}
    np.savez("outputs.npz", **stacked)


def _tell(done: int, count: int, words: str = "") -> None:
    sys.stdout.write(f"npubench {done}/{count} {words}\n")
    sys.stdout.flush()


def _run(*argv: str) -> str:
    _tell(0, 1, argv[0])
    done = subprocess.run(argv, text=True, capture_output=True, check=False)
    if done.returncode:
        said = done.stdout + done.stderr
        sys.stderr.write(said[-3000:] + "\n")
        reasons = [line.strip() for line in said.splitlines() if _REASON.search(line)]
        # Its Python's last words only repeat the command that failed.
        own = [reason for reason in reasons if "[!Error]" not in reason] or reasons
        raise SystemExit(
            f"npubench refuses: {argv[0]}: {own[-1]}"
            if own
            else f"{argv[0]} ended with exit code {done.returncode}"
        )
    return done.stdout + done.stderr


if __name__ == "__main__":
    if sys.argv[1:2] == ["simulate"]:
        simulate("channels-last" in sys.argv)
    else:
        main()
