"""Calibration samples of a network's inputs: brought as arrays, images or sound, or generated.

Every mistake is found before anything is converted for minutes: no files, another shape, numbers
that are none.
"""

from __future__ import annotations

import hashlib
import wave
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.importers.wishes import Preprocess
from npubench.core.errors import ConfigError

Array = NDArray[Any]
MAX_SAMPLES = 256
SYNTHETIC_SAMPLES = 32
SYNTHETIC_SEED = 1
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm")
SOUNDS = (".wav",)
ARRAYS = (".npy", ".npz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of the network: ``shape`` with its batch of 1, ``dtype`` as in the .tflite."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.shape[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """``values``: by input, (samples, ...) without batch. ``origin`` says in words where from."""

    values: Mapping[str, Array]
    origin: str
    count: int


def synthetic(inputs: Sequence[Input], bounds: tuple[float, float]) -> Samples:
    """SYNTHETIC_SAMPLES generated samples: floats uniform within ``bounds``, every second one a
    single value for all elements so that slow changes occur as well; integers 0 and 1.

    Good for time, memory and energy, which do not depend on values; not for accuracy.
    """
    random = np.random.RandomState(SYNTHETIC_SEED)
    low, high = bounds
    values: dict[str, Array] = {}
    for item in inputs:
        shape = (SYNTHETIC_SAMPLES, *item.sample_shape)
        if not item.dtype.startswith("float"):
            values[item.name] = random.randint(0, 2, size=shape).astype(item.dtype)
            continue
        drawn = random.uniform(low, high, size=shape)
        levels = np.linspace(low, high, SYNTHETIC_SAMPLES // 2)
        drawn[::2] = levels.reshape(-1, *([1] * len(item.sample_shape)))
        values[item.name] = drawn.astype(np.float32)
    return Samples(
        values=values,
        origin=f"synthetic: uniform between {low:g} and {high:g}, seed {SYNTHETIC_SEED}",
        count=SYNTHETIC_SAMPLES,
    )


def brought(
    path: Path, inputs: Sequence[Input], preprocess: Preprocess, *, limit: int = MAX_SAMPLES
) -> Samples:
    """Samples from a .npy, an .npz, or a folder of images, wav files or .npy files.

    An .npz has one array per input under its name, a single array suits a network with one input;
    the first axis is the samples'. At most ``limit`` are used, evenly spread. Arrays are taken as
    they are unless ``preprocess`` says otherwise. Raises ConfigError.
    """
    if path.is_dir():
        arrays, kind = _folder(path, inputs, preprocess)
    elif path.suffix.lower() in ARRAYS:
        arrays, kind = _arrays(path, inputs), "array"
    elif path.is_file():
        raise ConfigError(
            f"{path} is no calibration data: {path.suffix or 'no suffix'}",
            hint="give a folder of images or wav files, or an .npy or .npz",
        )
    else:
        raise ConfigError(f"there is no calibration data {path}")
    counts = {len(value) for value in arrays.values()}
    if len(counts) != 1:
        raise ConfigError(
            f"{path}: the inputs have different numbers of samples: {sorted(counts)}",
            hint="the first axis of every array is the samples'",
        )
    count = counts.pop()
    picked = np.linspace(0, count - 1, min(count, limit)).astype(np.int64)
    values = {}
    for item in inputs:
        taken = np.asarray(arrays[item.name])[picked]
        if kind == "array":
            taken = _scaled(taken, preprocess, 1.0)
        values[item.name] = _checked(taken, item, path)
    return Samples(
        values=values, origin=f"{path.name}: {len(picked)} of {count} samples", count=len(picked)
    )


def content_sha256(path: Path) -> str:
    """Of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    for item in files:
        name = "" if path.is_file() else str(item.relative_to(path))
        digest.update(name.encode() + b"\0")
        digest.update(hashlib.sha256(item.read_bytes()).digest())
    return digest.hexdigest()


def _arrays(path: Path, inputs: Sequence[Input]) -> dict[str, Array]:
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            named = (
                {name: loaded[name] for name in loaded.files}
                if isinstance(loaded, np.lib.npyio.NpzFile)
                else {"": loaded}
            )
    except OSError as error:
        raise ConfigError(f"cannot read samples from {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{path} is no .npy or .npz file of numbers",
            hint="save them with numpy.savez('samples.npz', input=samples)",
        ) from error
    for name in ("labels", "boxes"):
        named.pop(name, None)
    if len(named) == 1 and len(inputs) == 1:
        return {inputs[0].name: next(iter(named.values()))}
    missing = [item.name for item in inputs if item.name not in named]
    if missing:
        raise ConfigError(
            f"{path} has no samples for input {missing[0]!r}, but {', '.join(named) or 'nothing'}",
            hint="numpy.savez('samples.npz', "
            + ", ".join(f"{item.name}=..." for item in inputs)
            + ")",
        )
    return {item.name: named[item.name] for item in inputs}


def _folder(
    path: Path, inputs: Sequence[Input], preprocess: Preprocess
) -> tuple[dict[str, Array], str]:
    found = sorted(item for item in path.rglob("*") if item.is_file())
    for suffixes, kind in ((IMAGES, "image"), (SOUNDS, "sound"), ((".npy",), "array")):
        files = [item for item in found if item.suffix.lower() in suffixes]
        if not files:
            continue
        if len(inputs) != 1:
            raise ConfigError(
                f"{path}: a folder of {kind} files feeds one input, the network has {len(inputs)}",
                hint="bring an .npz with one array per input",
            )
        picked = np.linspace(0, len(files) - 1, min(len(files), MAX_SAMPLES)).astype(int)
        read = {"image": _image, "sound": _sound, "array": _array}[kind]
        values = [read(files[index], inputs[0], preprocess) for index in picked]
        shapes = {value.shape for value in values}
        if len(shapes) > 1:
            raise ConfigError(f"{path}: the arrays have different shapes: {sorted(shapes)[:3]}")
        return {inputs[0].name: np.stack(values)}, kind
    raise ConfigError(
        f"{path} holds no samples ({len(found)} other files)",
        hint=f"images ({', '.join(IMAGES)}), wav files, or .npy files of one sample each",
    )


def read_sample(path: Path, item: Input, preprocess: Preprocess) -> Array:
    """One sample from one file, an image, a recording or an array: of the input's own shape."""
    suffix = path.suffix.lower()
    read = _image if suffix in IMAGES else _sound if suffix in SOUNDS else _array
    sample = _checked(read(path, item, preprocess)[np.newaxis], item, path, alike=True)[0]
    return np.asarray(sample)


def _array(path: Path, item: Input, preprocess: Preprocess) -> Array:
    del item, preprocess
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"{path} is no .npy file of numbers") from error


def _image(path: Path, item: Input, preprocess: Preprocess) -> Array:
    """One image, height x width x channels."""
    from PIL import Image, UnidentifiedImageError

    shape = item.sample_shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise ConfigError(
            f"input {item.name} is {_text(shape)}: images do not fit",
            hint="an input for images is height x width x 1 or 3; bring an .npz instead",
        )
    try:
        with Image.open(path) as image:
            sized = image.convert("L" if shape[2] == 1 else "RGB").resize(
                (shape[1], shape[0]), Image.Resampling.BILINEAR
            )
            pixels = np.asarray(sized, dtype=np.float32)
    except (OSError, UnidentifiedImageError) as error:
        raise ConfigError(f"{path} is no image that can be read") from error
    return _scaled(pixels.reshape(shape), preprocess, 255.0)


def _sound(path: Path, item: Input, preprocess: Preprocess) -> Array:
    """One recording, cut or padded to the input's length."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2 or file.getnchannels() != 1:
                raise ConfigError(f"{path} is not 16-bit sound of one channel")
            if file.getframerate() != preprocess.rate_hz:
                raise ConfigError(
                    f"{path} has {file.getframerate()} Hz, {preprocess.rate_hz} are declared",
                    hint="set rate_hz in [preprocess], or convert the files",
                )
            raw = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    except (OSError, EOFError, wave.Error) as error:
        raise ConfigError(f"{path} is no wav file that can be read: {error}") from error
    wanted = int(np.prod(item.sample_shape))
    if wanted < 1000:
        raise ConfigError(
            f"input {item.name} is {_text(item.sample_shape)}: too short for raw sound",
            hint="compute its features and bring them as an .npz",
        )
    cut = np.zeros(wanted, dtype=np.float32)
    cut[: min(wanted, len(raw))] = raw[:wanted] / 32768.0
    return _scaled(cut.reshape(item.sample_shape), preprocess, 1.0)


def _scaled(values: Array, preprocess: Preprocess, usual: float) -> Array:
    divide_by = usual if preprocess.divide_by is None else preprocess.divide_by
    plain = divide_by == 1.0 and preprocess.mean == (0.0,) and preprocess.std == (1.0,)
    if plain or values.dtype.kind not in "fiub":
        return values
    mean, std = np.asarray(preprocess.mean), np.asarray(preprocess.std)
    for name, given in (("mean", mean), ("std", std)):
        if len(given) not in (1, values.shape[-1]):
            raise ConfigError(
                f"[preprocess] {name} has {len(given)} numbers, the input {values.shape[-1]} "
                "channels",
                hint="give one number, or one per channel",
            )
    return np.asarray((values / divide_by - mean) / std, dtype=np.float32)


def _checked(values: Array, item: Input, path: Path, *, alike: bool = False) -> Array:
    """The samples in the input's own shape and type; ``alike``: one value throughout will do.
    Raises ConfigError."""
    if values.dtype.kind not in "fiub":
        raise ConfigError(f"{path}: samples of {item.name} must be numbers, not {values.dtype}")
    if values.ndim == 0 or len(values) == 0:
        raise ConfigError(f"{path}: there are no samples of {item.name}")
    shape = values.shape[1:]
    if shape[:1] == (1,) and shape[1:] == item.sample_shape:
        values = values[:, 0]
    elif shape != item.sample_shape:
        moved = np.moveaxis(values, 1, -1) if values.ndim > 2 else values
        if moved.shape[1:] == item.sample_shape:  # channels first, as in the source
            values = moved
        elif np.prod(shape) == np.prod(item.sample_shape) and 1 in (*shape, *item.sample_shape):
            values = values.reshape(len(values), *item.sample_shape)
        else:
            raise ConfigError(
                f"{path}: samples of {item.name} are {_text(shape)}, "
                f"the input is {_text(item.sample_shape)}",
                hint="the first axis is the samples', the others are the input's without batch",
            )
    if not np.isfinite(values.astype(np.float64)).all():
        raise ConfigError(f"{path}: samples of {item.name} hold NaN or infinity")
    if not item.dtype.startswith("float"):
        limits = np.iinfo(item.dtype)
        if (values < limits.min).any() or (values > limits.max).any():
            raise ConfigError(f"{path}: samples of {item.name} do not fit into {item.dtype}")
        return values.astype(item.dtype)
    if not alike and float(values.max()) == float(values.min()):
        raise ConfigError(
            f"{path}: all samples of {item.name} are {float(values.max()):g} throughout",
            hint="a range of values is needed; are the files what they should be?",
        )
    return values.astype(np.float32)


def _text(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "a scalar"
