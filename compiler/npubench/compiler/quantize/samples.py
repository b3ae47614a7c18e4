"""Representative samples of a network's input, as files that users bring."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import ConfigError

MAX_SAMPLES = 1024


def read_samples(path: Path) -> NDArray[np.float32]:
    """Representative samples, (samples, ...), from a .npy file or an .npz with one array.

    At most MAX_SAMPLES are used, evenly spread. Raises ConfigError with what is wrong.
    """
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.lib.npyio.NpzFile):
                if len(loaded.files) != 1:
                    raise ConfigError(
                        f"{path} holds {len(loaded.files)} arrays, one is needed",
                        hint="numpy.savez('samples.npz', samples)",
                    )
                loaded = loaded[loaded.files[0]]
    except OSError as error:
        raise ConfigError(f"cannot read samples from {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{path} is no .npy or .npz file of numbers",
            hint="save them with numpy.save('samples.npy', samples), first axis: the samples",
        ) from error
    values = np.asarray(loaded)
    if values.dtype.kind not in "fiub":
        raise ConfigError(f"{path}: samples must be numbers")
    if values.ndim < 2 or len(values) == 0:
        raise ConfigError(
            f"{path}: samples have shape {values.shape}; the first axis must be the samples",
            hint="a single sample x is x[numpy.newaxis]",
        )
    picked = np.linspace(0, len(values) - 1, min(len(values), MAX_SAMPLES)).astype(np.int64)
    samples = np.asarray(values[picked], dtype=np.float32)
    if not np.isfinite(samples).all():
        raise ConfigError(f"{path}: samples hold NaN or infinity")
    return samples
