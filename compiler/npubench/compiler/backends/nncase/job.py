"""Runs in nncase's environment, imports nothing of npubench: compile a float network for the K210,
run it on nncase's simulator. Its folder holds model.tflite, inputs.npz and calibration.npz."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nncase  # type: ignore[import-not-found]
import numpy as np


def main() -> None:
    """Leaves network.kmodel, dump/, outputs.npz and report.json."""
    with np.load("inputs.npz") as arrays:
        inputs = arrays["0"].astype(np.float32)
    with np.load("calibration.npz") as arrays:
        calibration = arrays["0"].astype(np.float32)
    options = nncase.CompileOptions()
    options.target = "k210"
    options.input_type = "float32"
    # How weights are rounded to the KPU's 8 bits: which is nearer depends on the network. The other
    # quantization types of nncase change nothing on this target.
    options.use_mse_quant_w = sys.argv[1] == "weights by least squares"
    options.dump_ir = True
    options.dump_dir = "dump"
    compiler = nncase.Compiler(options)
    quantization = nncase.PTQTensorOptions()
    quantization.samples_count = len(calibration)
    quantization.set_tensor_data(calibration.tobytes())
    try:
        compiler.import_tflite(Path("model.tflite").read_bytes(), nncase.ImportOptions())
        compiler.use_ptq(quantization)
        compiler.compile()
        kmodel = compiler.gencode_tobytes()
    except RuntimeError as error:
        raise SystemExit(f"npubench refuses: {' '.join(str(error).split())}") from error
    Path("network.kmodel").write_bytes(kmodel)
    simulator = nncase.Simulator()
    simulator.load_model(kmodel)
    outputs: list[list[Any]] = [[] for _ in range(simulator.outputs_size)]
    for done, sample in enumerate(inputs):
        sys.stdout.write(f"npubench {done}/{len(inputs)}\n")
        sys.stdout.flush()
        simulator.set_input_tensor(0, nncase.RuntimeTensor.from_numpy(sample[np.newaxis]))
        simulator.run()
        for index, kept in enumerate(outputs):
            kept.append(simulator.get_output_tensor(index).to_numpy().copy())
    found: dict[str, Any] = {f"{index}": np.stack(kept) for index, kept in enumerate(outputs)}
    np.savez("outputs.npz", **found)
    Path("report.json").write_text(json.dumps({"samples": len(inputs)}))


if __name__ == "__main__":
    main()
