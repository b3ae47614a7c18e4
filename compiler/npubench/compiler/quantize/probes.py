"""A few generated inputs on which a network is compared with its source, and the file of both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROBES = 3
SEED = 20261127
"""Foreign scripts make the same inputs by the same lines: uniform numbers of a frozen generator."""


def probe_inputs(
    inputs: Sequence[tuple[tuple[int, ...], str]], bounds: tuple[float, float]
) -> list[list[NDArray[Any]]]:
    """PROBES samples of every input (shape with batch, dtype name): floats uniform within
    ``bounds``, integers 0 and 1."""
    random = np.random.RandomState(SEED)
    return [
        [
            random.uniform(*bounds, size=shape).astype(dtype)
            if dtype.startswith("float")
            else random.randint(0, 2, size=shape).astype(dtype)
            for shape, dtype in inputs
        ]
        for _ in range(PROBES)
    ]


def save_reference(
    path: Path,
    names: Sequence[str],
    inputs: Sequence[Sequence[NDArray[Any]]],
    outputs: Sequence[Sequence[NDArray[Any]]],
) -> None:
    """Keep the samples: ``in:<name>`` and ``out:<n>``, the samples first."""
    arrays = {
        f"in:{name}": np.stack([sample[index] for sample in inputs])
        for index, name in enumerate(names)
    }
    arrays |= {
        f"out:{index}": np.stack([sample[index] for sample in outputs])
        for index in range(len(outputs[0]))
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]
