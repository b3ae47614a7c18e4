"""Inputs of the user's own, on which the accelerator's scheme is held against the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from npubench.compiler.backends.max7800x.scheme import Ints
from npubench.compiler.graph import Graph
from npubench.core.errors import UsageError

MOST = 256
"""Samples that are looked at, evenly spread over more."""


def read_samples(path: Path, graph: Graph) -> Ints:
    """Codes of the network's input, (samples, height, width, channels).

    ``path``: a .npy with samples along its first axis: int8 codes, or floats, which are quantized
    with the input's scale. Raises UsageError for what is no sample of this network.
    """
    tensor = graph.tensor(graph.inputs[0])
    assert tensor.quantization is not None
    title = f"{path}: the samples"
    try:
        with path.open("rb") as file:
            values = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{title} cannot be read: {error}", hint="numpy.save writes one") from None
    wanted = tensor.shape[1:]
    if not isinstance(values, np.ndarray) or values.shape[1:] != wanted or not len(values):
        found = list(values.shape) if isinstance(values, np.ndarray) else "several arrays"
        raise UsageError(
            f"{title} are {found}, the network takes (samples, {', '.join(map(str, wanted))})",
            hint="channels are last, and the first axis counts the samples",
        )
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise UsageError(f"{title} hold values that are not finite")
        codes = np.floor(values / tensor.quantization.scale + 0.5) + tensor.quantization.zero_point
    elif values.dtype == np.int8:
        codes = values
    else:
        raise UsageError(
            f"{title} are {values.dtype.name}, the network takes int8",
            hint="give int8 codes, or real values as float32",
        )
    chosen = np.unique(np.linspace(0, len(codes) - 1, min(MOST, len(codes))).round().astype(int))
    picked: Ints = np.clip(codes[chosen], -128, 127).astype(np.int64)
    return picked
