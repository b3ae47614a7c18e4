"""A benchmark's data: as they are uploaded, as the network gets them, and its answer as printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npubench.compiler.benchmark import SHAPES
from npubench.compiler.graph import DType, Graph, Tensor
from npubench.core.errors import UsageError
from npubench.core.seeded import seeded_bytes
from npubench.zoo import BENCHMARKS, Mlperf

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def upload_size(model: str) -> int | None:
    """Bytes of one upload of the benchmark that a firmware says it runs, None for another model."""
    if model not in SHAPES:
        return None
    return SHAPES[model].inputs * (4 if BENCHMARKS[model].input == "f32le" else 1)


def generated(model: str, seed: int) -> bytes:
    """An upload made from ``seed``: raw bytes; for floats, bytes as int8 through 4 less 25, the
    range of log-mel energies. Raises UsageError for a model that is no benchmark's."""
    size = upload_size(model)
    if size is None:
        raise UsageError(
            f"the firmware runs {model!r}, which is no benchmark of MLPerf Tiny: its input's size "
            "is not known",
            hint="give what it is to be fed, in the form that it takes: --input FILE",
        )
    if BENCHMARKS[model].input != "f32le":
        return seeded_bytes(seed, size)
    import numpy as np

    noise = np.frombuffer(seeded_bytes(seed, size // 4), np.int8)
    return bytes((noise / np.float32(4) - np.float32(25)).astype("<f4").tobytes())


def network_input(upload: bytes, form: Mlperf, graph: Graph) -> bytes:
    """What of an upload the network gets: as the firmware's port of the benchmark does it.

    Pixels lose 128 for an int8 network; floats are quantized to nearest, halves away from zero.
    """
    import numpy as np

    tensor = graph.tensor(graph.inputs[0])
    if form.input == "u8" and tensor.dtype is DType.INT8:
        return bytes(byte ^ 0x80 for byte in upload)
    if form.input == "f32le" and tensor.dtype is DType.INT8:
        assert tensor.quantization is not None
        steps = np.frombuffer(upload, "<f4") / np.float32(tensor.quantization.scale)
        rounded = np.trunc(np.clip(np.nan_to_num(steps), -256, 256) + np.copysign(0.5, steps))
        codes = np.clip(rounded + tensor.quantization.zero_point, -128, 127)
        return bytes(codes.astype(np.int8).tobytes())
    return upload


def printed_results(output: bytes, upload: bytes, form: Mlperf, graph: Graph) -> tuple[float, ...]:
    """What ``results`` should print: the scores, or the mean squared error of the output against
    the upload."""
    import numpy as np

    values = _real(output, graph.tensor(graph.outputs[0]))
    if form.result == "scores":
        return tuple(float(value) for value in values)
    given = np.frombuffer(upload, "<f4").astype(np.float64)
    return (float(np.mean((values - given) ** 2)),)


def _real(data: bytes, tensor: Tensor) -> npt.NDArray[np.float64]:
    """What the codes of a tensor stand for."""
    import numpy as np

    codes = np.frombuffer(data, np.dtype(str(tensor.dtype)).newbyteorder("<")).astype(np.float64)
    quantization = tensor.quantization
    if quantization is None or not quantization.scales:
        return codes
    return (codes - quantization.zero_point) * quantization.scale
