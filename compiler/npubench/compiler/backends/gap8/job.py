"""Runs in NNTool's environment, imports nothing of npubench: an int8 network through the NNTool of
the user's gap_sdk, by its own script, then executed on every input. Its folder holds model.tflite,
inputs.npz and ends.json (scale and zero point, of the input and of each output)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

SCRIPT = """adjust
fusions --scale8
set graph_name npubench
gen network_model.c -t -T tensors
"""
MODEL = "network_model.c"


def main() -> None:
    """Leaves network_model.c, tensors/, outputs.npz and report.json."""
    program = Path(sys.argv[1])
    library = program.parents[1]
    home = library.parents[1]
    kernels = home / "tools" / "autotiler_v3" / "CNN_Libraries_SQ8"
    # NNTool keeps a history below HOME; TILER_... is as gap_sdk's configs/common.sh sets it.
    os.environ.update(
        HOME=str(Path.cwd()), PYTHONPATH=str(library), TILER_CNN_KERNEL_PATH_SQ8=str(kernels)
    )
    with np.load("inputs.npz") as arrays:
        inputs = arrays["0"]
    ends = json.loads(Path("ends.json").read_text(encoding="utf-8"))
    scale, zero = ends[0]
    count = len(inputs)
    _tell(0, count, "NNTool's script")
    converted(program)
    _tell(0, count, "loading")
    sys.path.insert(0, str(library))
    graph = loaded()
    (first,) = list(graph.input_nodes())
    outputs: list[list[Any]] = [[] for _ in ends[1:]]
    names = [node.name for node in graph.output_nodes()]
    if len(names) != len(outputs):
        refuse(f"it has {len(names)} outputs where the network has {len(outputs)}")
    steps = [node.name for node in graph.nodes_by_step_idx]
    for done, sample in enumerate(inputs):
        real = (sample.astype(np.float32) - zero) * np.float32(scale)
        # Images go in channels first, as the adjusted graph has them.
        real = real.transpose(2, 0, 1) if real.ndim == 3 else real
        answers = graph.execute([real.reshape(first.dims.shape)], quantize=True, dequantize=True)
        for kept, name in zip(outputs, names, strict=True):
            values = np.asarray(answers[steps.index(name)][0])
            kept.append(values.transpose(1, 2, 0) if values.ndim == 3 else values)
        _tell(done + 1, count)
    named: dict[str, Any] = {f"{index}": np.stack(kept) for index, kept in enumerate(outputs)}
    np.savez("outputs.npz", **named)
    nodes = list(graph.nodes())
    inside = [
        part.name for node in nodes if hasattr(node, "contained_nodes")
        for part in node.contained_nodes()
    ]  # fmt: skip
    report = {
        "version": version(),
        "nodes": sorted({node.name for node in nodes} | set(inside)),
        "figures": {
            "operations_count": int(graph.total_ops),
            "tensors_bytes": sum(path.stat().st_size for path in Path("tensors").iterdir()),
        },
    }
    Path("report.json").write_text(json.dumps(report), encoding="utf-8")


def converted(program: Path) -> None:
    """Run NNTool's own command line. It ends well whatever its script's commands said."""
    Path("script").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program), "-s", "script", "model.tflite", "-q"],
        text=True,
        errors="replace",
        capture_output=True,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode or not Path(MODEL).is_file() or not Path(MODEL).stat().st_size:
        sys.stderr.write(said[-3000:] + "\n")
        wrong = [
            line.strip() for line in said.splitlines() if "EXCEPTION" in line or "rror" in line
        ]
        refuse(wrong[-1] if wrong else "it wrote no model")


def refuse(why: str) -> NoReturn:
    """End, and say in NNTool's words why it does not take the network."""
    sys.stderr.write(f"npubench refuses: {why}\n")
    raise SystemExit(1)


def loaded() -> Any:
    """The graph, by the steps of the script."""
    from nntool.api import NNGraph  # type: ignore[import-not-found]

    graph = NNGraph.load_graph("model.tflite", load_quantization=True)
    graph.adjust_order()
    graph.fusions("scaled_match_group")
    return graph


def version() -> str:
    """NNTool's own."""
    from nntool._version import __version__  # type: ignore[import-not-found]

    return str(__version__)


def _tell(done: int, count: int, words: str = "") -> None:
    sys.stdout.write(f"npubench {done}/{count} {words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
