"""Float .tflite to int8 after training: the worker's side, with ai-edge-quantizer.

One quantizer for every way in, so that the same network from Keras, ONNX and PyTorch gets the same
scales. Calibration keeps the least and the largest value of every tensor over the samples.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType, Graph
from npubench.compiler.quantize.agreement import against_source, by_layer
from npubench.compiler.quantize.boundary import SIGNATURE, Face, with_face
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import CompileError, ToolMissing

Array = NDArray[Any]
WIDTH_BITS = {"int8": 8, "int8-per-tensor": 8, "int16x8": 16}


def faced(job: dict[str, Any]) -> dict[str, Any]:
    """Put the source's face on a float .tflite (``float``, in place) and compare it with the
    source's outputs (``reference``). Answers inputs (name, shape, dtype), snr_db, layouts."""
    path = Path(job["float"])
    answer: dict[str, Any] = {"snr_db": None, "layouts": [], "why": ""}
    data = path.read_bytes()
    if job["reference"] is not None:
        with np.load(job["reference"], allow_pickle=False) as file:
            reference = {name: file[name] for name in file.files}
        names = tuple(name[3:] for name in reference if name.startswith("in:"))
        data = with_face(
            data,
            Face(
                names=names,
                shapes=tuple(tuple(reference[f"in:{name}"].shape[1:]) for name in names),
                outputs=sum(name.startswith("out:") for name in reference),
                output_names=tuple(job.get("output_names") or ()),
            ),
        )
        path.write_bytes(data)
        answer |= against_source(data, reference)
    graph = read_tflite(data, name="network", floats=True)
    if job["reference"] is None:
        names = _distinct(graph)
        data = with_face(
            data,
            Face(
                names=names,
                shapes=tuple(graph.tensor(index).shape for index in graph.inputs),
                outputs=len(graph.outputs),
                output_names=tuple(graph.tensor(index).name for index in graph.outputs),
            ),
        )
        path.write_bytes(data)
        graph = read_tflite(data, name="network", floats=True)
    answer["inputs"] = [
        {
            "name": graph.tensor(index).name,
            "shape": list(graph.tensor(index).shape),
            "dtype": str(graph.tensor(index).dtype),
        }
        for index in graph.inputs
    ]
    return answer


def quantize_float(job: dict[str, Any]) -> dict[str, Any]:
    """Quantize ``float`` by ``scheme`` on ``samples`` (.npz: an array per input, samples first) to
    ``out``; answers what ``by_layer`` says, and the operators that stayed float."""
    data = Path(job["float"]).read_bytes()
    with np.load(job["samples"], allow_pickle=False) as file:
        samples = {name: file[name] for name in file.files}
    made = quantize(data, samples, job["scheme"])
    Path(job["out"]).write_bytes(made)
    graph = read_tflite(made, name="network", floats=True)
    left = floating(graph)
    answer: dict[str, Any] = {"floating": left}
    if not left:
        count = len(next(iter(samples.values())))
        chosen = [
            [samples[name][position][np.newaxis] for name in samples]
            for position in range(min(count, 8))
        ]
        answer |= by_layer(data, made, chosen)
    return answer


def quantize(data: bytes, samples: Mapping[str, Array], scheme: str) -> bytes:
    """A quantized .tflite. ``samples``: by input name, (samples, ...) without the batch axis.

    Raises ToolMissing without the quantizer, CompileError with its words when it fails.
    """
    try:
        from ai_edge_quantizer import calibrator, quantizer, recipe_manager
        from ai_edge_quantizer.qtyping import QuantGranularity, TFLOperationName
        from ai_edge_quantizer.utils import qsv_utils
    except ImportError as error:
        raise ToolMissing(
            f"ai-edge-quantizer cannot be imported: {error}",
            hint="pip install 'npubench[import]'",
        ) from error
    manager = recipe_manager.RecipeManager()
    manager.add_static_config(
        regex=".*",
        operation_name=TFLOperationName.ALL_SUPPORTED,
        activation_num_bits=WIDTH_BITS[scheme],
        weight_num_bits=8,
        weight_granularity=(
            QuantGranularity.TENSORWISE
            if scheme == "int8-per-tensor"
            else QuantGranularity.CHANNELWISE
        ),
    )
    count = len(next(iter(samples.values())))
    rows: Sequence[dict[str, Array]] = [
        {name: values[position][np.newaxis] for name, values in samples.items()}
        for position in range(count)
    ]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            worker = quantizer.Quantizer(data, manager.get_quantization_recipe())
            # The quantizer's own calibration takes a moving average of the ranges, which the order
            # of the samples decides: the least and the largest value hold for all of them.
            seen = calibrator.Calibrator(
                data,
                num_threads=1,
                mode=calibrator.CalibrationMode.CALIBRATION_PRESERVE_ALL_TENSORS,
                qsv_update_func=qsv_utils.min_max_update,
            )
            seen.calibrate({SIGNATURE: rows}, manager)
            made = worker.quantize(
                seen.get_model_qsvs(), enable_progress_report=False
            ).quantized_model
        except Exception as error:  # the quantizer has no common base for what it raises
            line = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise CompileError(
                f"ai-edge-quantizer cannot quantize the network: {line[:300]}",
                hint="only operators with an integer form of TFLite can be quantized",
            ) from error
    return bytes(made)


def floating(graph: Graph) -> list[str]:
    """Operators that compute on float tensors, each with its output's name."""
    return [
        f"{op.custom_code or op.kind} ({graph.tensor(op.outputs[0]).name[:80]})"
        for op in graph.ops
        if any(graph.tensor(index).dtype is DType.FLOAT32 for index in op.outputs)
    ]


def _distinct(graph: Graph) -> tuple[str, ...]:
    """Names of the inputs, without a converter's ornaments, each once."""
    names: list[str] = []
    for position, index in enumerate(graph.inputs):
        name = graph.tensor(index).name.removeprefix(f"{SIGNATURE}_").split(":")[0]
        names.append(name if name and name not in names else f"input_{position}")
    return tuple(names)
