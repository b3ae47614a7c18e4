"""ONNX to a float .tflite by onnx2tf: runs in the environment `onnx`, knows nothing of npubench.

``onnx_to_litert.py JOB ANSWER``: JOB is a JSON file with ``model``, ``shapes``, ``range``, ``out``
and ``reference``; ANSWER gets what came of it. What cannot be converted is refused before the
converter is loaded.
"""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from refusal import Refused, answer_job, first_line  # type: ignore[import-not-found]

PROBES, SEED = 3, 20261127  # as npubench makes its own
NEWEST_OPSET = 18
"""The newest that onnx2tf's description names as covered; newer ones change operators' forms."""
CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")
DATA_FILE = "calibration_image_sample_data_20x128x128x3_float32.npy"


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Check, fix the shapes, run the probes, convert."""
    path = Path(job["model"])
    model = _loaded(path)
    opset = _checked(model, path)
    names = _fix_shapes(model, job["shapes"], path)
    onnx.save(model, "model.onnx")
    outputs = [output.name for output in model.graph.output]
    arrays = _answers(names, outputs, job["range"], path)
    np.savez(job["reference"], **arrays)
    Path(job["out"]).write_bytes(_converted(path))
    return {
        "version": importlib.metadata.version("onnx2tf"),
        "details": {
            "framework": f"ONNX opset {opset}",
            "producer": f"{model.producer_name} {model.producer_version}".strip(),
            "onnxruntime": importlib.metadata.version("onnxruntime"),
        },
        "outputs": outputs,
        "read": _external(model, path),
    }


def _loaded(path: Path) -> Any:
    try:
        model = onnx.load(str(path))
    except FileNotFoundError as error:
        raise Refused(
            "UsageError",
            f"{path.name} keeps its weights in another file, which is missing: {first_line(error)}",
            "bring the file of the weights along, in the same folder",
        ) from error
    except Exception as error:
        text = first_line(error)
        if "external" in str(error).lower() or "Data of TensorProto" in str(error):
            raise Refused(
                "UsageError",
                f"{path.name} keeps its weights in another file, which is missing: {text}",
                "bring the file of the weights along, in the same folder",
            ) from error
        raise Refused(
            "UsageError",
            f"{path.name} is no ONNX model that can be read: {text}",
            "is it complete?",
        ) from error
    if not model.graph.node:
        raise Refused("UsageError", f"{path.name} has no operators", "export the model again")
    return model


def _checked(model: Any, path: Path) -> int:
    """The opset. Refuses what cannot be converted, by name."""
    opset = max(
        (item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=0
    )
    if opset > NEWEST_OPSET:
        raise Refused(
            "UsageError",
            f"{path.name} is of ONNX opset {opset}, the converter covers up to {NEWEST_OPSET}",
            f"export it with opset_version={NEWEST_OPSET - 1}",
        )
    control = sorted({node.op_type for node in model.graph.node if node.op_type in CONTROL_FLOW})
    if control:
        raise Refused(
            "CompileError",
            f"{path.name} branches or loops: {', '.join(control)}",
            "unroll it when exporting; control flow does not run on a microcontroller",
        )
    foreign = sorted(
        {
            f"{node.domain}::{node.op_type}"
            for node in model.graph.node
            if node.domain not in ("", "ai.onnx")
        }
    )
    if foreign:
        raise Refused(
            "CompileError",
            f"{path.name} has custom operators: {', '.join(foreign[:5])}",
            "build them of ONNX's own operators before exporting",
        )
    quantized = sorted({n.op_type for n in model.graph.node if "Quantize" in n.op_type})
    if quantized:
        raise Refused(
            "UsageError",
            f"{path.name} is quantized already ({', '.join(quantized)})",
            "bring the float model: it is quantized here, the same way for every target",
        )
    return int(opset)


def _fix_shapes(model: Any, said: dict[str, list[int]], path: Path) -> list[tuple[str, Any, str]]:
    """Give every input a fixed shape, a free batch 1. Returns name, shape and type of each."""
    weights = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in weights]
    unknown = [name for name in said if name not in {item.name for item in inputs}]
    if unknown:
        raise Refused(
            "UsageError",
            f"{path.name} has no input {unknown[0]!r}",
            f"its inputs: {', '.join(item.name for item in inputs)}",
        )
    found = []
    for item in inputs:
        tensor = item.type.tensor_type
        axes = [axis.dim_value or None for axis in tensor.shape.dim]
        titles = [axis.dim_param or "?" for axis in tensor.shape.dim]
        wanted = said.get(item.name)
        if wanted is not None:
            fits = len(wanted) == len(axes) and all(
                have in (None, want) for have, want in zip(axes, wanted, strict=True)
            )
            if not fits:
                raise Refused(
                    "UsageError",
                    f"input {item.name} of {path.name} is "
                    f"{' x '.join(str(axis or '?') for axis in axes)}, which "
                    f"{' x '.join(map(str, wanted))} does not fit",
                    "give all axes of the input",
                )
            axes = list(wanted)
        elif axes and axes[0] is None:
            axes[0] = 1
        if None in axes:
            free = [title for title, axis in zip(titles, axes, strict=True) if axis is None]
            raise Refused(
                "UsageError",
                f"input {item.name} of {path.name} has free axes: {', '.join(free)}",
                f"say them: --shape {item.name}=" + ",".join(str(axis or "?") for axis in axes),
            )
        for axis, value in zip(tensor.shape.dim, axes, strict=True):
            axis.dim_value = int(value or 1)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
        found.append((item.name, tuple(axes), dtype))
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    return found


def _answers(
    inputs: list[tuple[str, Any, str]], outputs: list[str], bounds: list[float], path: Path
) -> dict[str, Any]:
    """ONNX Runtime's own outputs for the probes."""
    import onnxruntime

    random = np.random.RandomState(SEED)
    probes = [
        [
            random.uniform(bounds[0], bounds[1], size=shape).astype(dtype)
            if dtype.startswith("float")
            else random.randint(0, 2, size=shape).astype(dtype)
            for _, shape, dtype in inputs
        ]
        for _ in range(PROBES)
    ]
    try:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        names = [name for name, _, _ in inputs]
        answers = [session.run(outputs, dict(zip(names, sample, strict=True))) for sample in probes]
    except Exception as error:
        raise Refused(
            "UsageError",
            f"ONNX Runtime does not run {path.name}: {first_line(error)}",
            "check the shapes (--shape NAME=...), and that the model is complete",
        ) from error
    arrays = {
        "in:" + re.sub(r"\W", "_", name): np.stack([sample[index] for sample in probes])
        for index, (name, _, _) in enumerate(inputs)
    }
    for index in range(len(outputs)):
        arrays[f"out:{index}"] = np.stack([answer[index] for answer in answers])
    return arrays


def _converted(path: Path) -> bytes:
    # onnx2tf downloads this file when it is not in the folder that it runs in.
    np.save(DATA_FILE, np.zeros((20, 128, 128, 3), dtype=np.float32))
    import onnx2tf

    try:
        onnx2tf.convert(
            input_onnx_file_path="model.onnx",
            output_folder_path="out",
            output_signaturedefs=True,
            copy_onnx_input_output_names_to_tflite=True,
            not_use_onnxsim=False,
            non_verbose=True,
        )
        return Path("out/model_float32.tflite").read_bytes()
    except (Exception, SystemExit) as error:
        raise Refused(
            "CompileError",
            f"onnx2tf {importlib.metadata.version('onnx2tf')} cannot convert {path.name}: "
            f"{first_line(error)}",
            "its own words are in the log; often another opset (17) or a simpler export helps",
        ) from error


def _external(model: Any, path: Path) -> list[str]:
    """Files beside the model that hold its weights."""
    del model
    bare = onnx.load(str(path), load_external_data=False)
    names = {
        entry.value
        for item in bare.graph.initializer
        for entry in item.external_data
        if entry.key == "location"
    }
    return sorted(str(path.resolve().parent / name) for name in names)


if __name__ == "__main__":
    answer_job(main)
