"""Representative samples of a network's input, as files that users bring."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import ConfigError

MAX_SAMPLES = 1024


Samples = Mapping[str, NDArray[np.float32]]
"""Representative samples by input, each (samples, ...), all of one length. The name is empty where
the file gives none: there is one input then."""


def read_samples(path: Path) -> Samples:
    """Representative samples from a .npy file, or from an .npz with an array for each input.

    At most MAX_SAMPLES are used, evenly spread. Raises ConfigError with what is wrong.
    """
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            arrays = {"": loaded}
            if isinstance(loaded, np.lib.npyio.NpzFile):
                arrays = {name: loaded[name] for name in loaded.files}
    except OSError as error:
        raise ConfigError(f"cannot read samples from {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{path} is no .npy or .npz file of numbers",
            hint="save them with numpy.save('samples.npy', samples), first axis: the samples",
        ) from error
    if not arrays:
        raise ConfigError(
            f"{path} holds no array",
            hint="numpy.savez('samples.npz', samples), or one array for each input by its name",
        )
    if len(arrays) == 1:
        arrays = {"": next(iter(arrays.values()))}
    found = {name: _checked(path, name, np.asarray(array)) for name, array in arrays.items()}
    counts = {name: len(array) for name, array in found.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise ConfigError(
            f"{path}: the inputs have different numbers of samples ({told})",
            hint="sample i of every input belongs to one inference",
        )
    return found


def samples_count(samples: Samples) -> int:
    """How many samples there are of every input."""
    return len(next(iter(samples.values())))


def _checked(path: Path, name: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """The samples of one input, thinned. Raises ConfigError."""
    where = f"{path}: {name}" if name else f"{path}"
    if values.dtype.kind not in "fiub":
        raise ConfigError(f"{where}: samples must be numbers")
    if values.ndim < 2 or len(values) == 0:
        raise ConfigError(
            f"{where}: samples have shape {values.shape}; the first axis must be the samples",
            hint="a single sample x is x[numpy.newaxis]",
        )
    picked = np.linspace(0, len(values) - 1, min(len(values), MAX_SAMPLES)).astype(np.int64)
    samples = np.asarray(values[picked], dtype=np.float32)
    if not np.isfinite(samples).all():
        raise ConfigError(f"{where}: samples hold NaN or infinity")
    return samples
