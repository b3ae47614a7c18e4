"""A labelled test set: samples of every input, and what the right answers are."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import Graph, Tensor
from npubench.compiler.importers.samples import (
    IMAGES,
    SOUNDS,
    Input,
    brought,
    content_sha256,
    read_sample,
)
from npubench.compiler.importers.wishes import Preprocess
from npubench.core.errors import ConfigError
from npubench.zoo import ResolvedModel

Array = NDArray[Any]
LABELS, BOXES = "labels", "boxes"
BOX_COLUMNS = ("sample", "class", "x0", "y0", "x1", "y1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """``values``: real numbers of each input in the network's order, (samples, ...) without batch.

    ``labels``: whole numbers, (samples, ...); None where the right answers are boxes: then
    ``boxes`` has for each sample (n, 5) class, x0, y0, x1, y1 in shares of the picture. ``total``:
    samples in the file, of which these were picked evenly.
    """

    values: tuple[Array, ...]
    labels: NDArray[np.int64] | None
    boxes: tuple[Array, ...] | None
    name: str
    sha256: str
    total: int

    @property
    def count(self) -> int:
        return len(self.values[0])


def read_labelled(
    path: Path,
    graph: Graph,
    *,
    samples: int | None = None,
    names: Sequence[str] = (),
    preprocess: Preprocess | None = None,
) -> Labelled:
    """A test set for a quantized or a float network.

    ``path``: an .npz with an array per input and ``labels`` or ``boxes`` (rows of BOX_COLUMNS), or
    a folder with a folder of images or wav files for each class, which are numbered as ``names``
    are, else by their names. An int8 array for an int8 input holds codes, all else real numbers.
    At most ``samples``, evenly spread. Raises ConfigError with what does not fit.
    """
    inputs = [input_of(graph, index) for index in graph.inputs]
    how = preprocess or Preprocess()
    if path.is_dir():
        values, labels = _class_folders(path, inputs, names, how, samples)
        return Labelled(
            values=(values,),
            labels=labels[0],
            boxes=None,
            name=path.name,
            sha256=content_sha256(path),
            total=labels[1],
        )
    total, labels_read, boxes_read = _answers(path)
    wanted = total if samples is None else min(samples, total)
    picked = np.linspace(0, total - 1, wanted).astype(np.int64)
    found = brought(path, inputs, how, limit=wanted)
    if found.count != wanted:
        raise ConfigError(
            f"{path}: {found.count} samples, but {wanted} labels",
            hint="the first axis of every array, and of labels, is the samples'",
        )
    codes = _are_codes(path, inputs, graph)
    return Labelled(
        values=tuple(
            real_of(graph.tensor(index), found.values[item.name])
            if item.name in codes
            else found.values[item.name]
            for index, item in zip(graph.inputs, inputs, strict=True)
        ),
        labels=None if labels_read is None else labels_read[picked],
        boxes=None
        if boxes_read is None
        else tuple(boxes_read[boxes_read[:, 0] == index][:, 1:] for index in picked),
        name=path.name,
        sha256=content_sha256(path),
        total=total,
    )


def labelled_of(
    model: ResolvedModel, path: Path, graph: Graph, *, samples: int | None = None
) -> Labelled:
    """A model's test set: files become samples as its import said, classes are numbered as its
    labels. Raises ConfigError."""
    said = "" if model.brought is None else model.brought.preprocess
    return read_labelled(
        path,
        graph,
        samples=samples,
        names=() if model.entry is None else model.entry.labels,
        preprocess=Preprocess.model_validate_json(said) if said else None,
    )


def input_of(graph: Graph, index: int) -> Input:
    """An input as its user feeds it: real numbers where it is quantized."""
    tensor = graph.tensor(index)
    dtype = str(tensor.dtype) if tensor.quantization is None else "float32"
    return Input(name=tensor.name, shape=tensor.shape, dtype=dtype)


def codes_of(tensor: Tensor, values: Array) -> Array:
    """Real numbers as a tensor holds them: (samples, ...) of its own type."""
    dtype = np.dtype(str(tensor.dtype))
    if tensor.quantization is None:
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    quantization = tensor.quantization
    steps = np.round(values.astype(np.float64) / quantization.scale) + quantization.zero_point
    return np.asarray(np.clip(steps, limits.min, limits.max).astype(dtype))


def real_of(tensor: Tensor, codes: Array) -> Array:
    """What codes of a tensor stand for; numbers that are no codes are left as they are."""
    if tensor.quantization is None:
        return codes.astype(np.float32)
    quantization = tensor.quantization
    steps = codes.astype(np.float64) - quantization.zero_point
    return np.asarray(steps * quantization.scale, dtype=np.float32)


def _answers(path: Path) -> tuple[int, NDArray[np.int64] | None, Array | None]:
    """How many samples there are, and their labels or boxes."""
    try:
        with np.load(path, allow_pickle=False) as file:
            have: Mapping[str, Array] = {
                name: file[name] for name in (LABELS, BOXES) if name in file.files
            }
            others = [name for name in file.files if name not in (LABELS, BOXES)]
            total = len(file[others[0]]) if others else 0
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{path} is no .npz file of samples and labels",
            hint="numpy.savez('test.npz', input=samples, labels=class_numbers), or a folder with "
            "a folder of files for each class",
        ) from error
    if len(have) != 1:
        raise ConfigError(
            f"{path} has no array '{LABELS}'"
            if not have
            else f"{path} has both '{LABELS}' and '{BOXES}'",
            hint="numpy.savez('test.npz', input=samples, labels=class_numbers)",
        )
    if BOXES in have:
        return total, None, _checked_boxes(path, have[BOXES], total)
    values = have[LABELS]
    if values.ndim == 0 or values.dtype.kind not in "iub" or len(values) == 0:
        raise ConfigError(
            f"{path}: labels are {values.dtype} of shape {values.shape}",
            hint="whole numbers are needed, the first axis the samples'",
        )
    return len(values), np.asarray(values, dtype=np.int64), None


def _checked_boxes(path: Path, boxes: Array, total: int) -> Array:
    if boxes.ndim != 2 or boxes.shape[1] != len(BOX_COLUMNS) or boxes.dtype.kind not in "fiu":
        raise ConfigError(
            f"{path}: boxes are {boxes.dtype} of shape {boxes.shape}",
            hint=f"rows of {', '.join(BOX_COLUMNS)}; sides in shares of the picture, 0 to 1",
        )
    sides = boxes[:, 2:].astype(np.float64)
    if not len(boxes) or not np.isfinite(sides).all() or sides.min() < 0 or sides.max() > 1:
        raise ConfigError(
            f"{path}: boxes do not lie within 0 and 1"
            if len(boxes)
            else f"{path}: there are no boxes",
            hint="sides are shares of the picture: divide pixels by its width and height",
        )
    if (boxes[:, 0] < 0).any() or (boxes[:, 0] >= total).any():
        raise ConfigError(f"{path}: boxes name samples that are not there ({total} are)")
    if (sides[:, 2:] <= sides[:, :2]).any():
        raise ConfigError(
            f"{path}: boxes have no area", hint=f"the columns are {', '.join(BOX_COLUMNS)}"
        )
    return boxes.astype(np.float64)


def _are_codes(path: Path, inputs: Sequence[Input], graph: Graph) -> set[str]:
    """Inputs whose arrays hold the network's own int8 or int16 codes."""
    with np.load(path, allow_pickle=False) as file:
        found = {name: file[name].dtype for name in file.files if name not in (LABELS, BOXES)}
    if len(found) == 1 and len(inputs) == 1:
        found = {inputs[0].name: next(iter(found.values()))}
    return {
        item.name
        for item, index in zip(inputs, graph.inputs, strict=True)
        if graph.tensor(index).quantization is not None
        and found.get(item.name) == np.dtype(str(graph.tensor(index).dtype))
    }


def _class_folders(
    path: Path,
    inputs: Sequence[Input],
    names: Sequence[str],
    preprocess: Preprocess,
    samples: int | None,
) -> tuple[Array, tuple[NDArray[np.int64], int]]:
    folders = sorted(item for item in path.iterdir() if item.is_dir())
    files: list[tuple[Path, int]] = []
    if names:
        unknown = [folder.name for folder in folders if folder.name not in names]
        if unknown:
            raise ConfigError(
                f"{path}: folder {unknown[0]!r} is no class of the network",
                hint=f"its classes: {', '.join(names)}",
            )
    order = list(names) or [folder.name for folder in folders]
    for folder in folders:
        files += [
            (item, order.index(folder.name))
            for item in sorted(folder.rglob("*"))
            if item.suffix.lower() in (*IMAGES, *SOUNDS, ".npy")
        ]
    if not files:
        raise ConfigError(
            f"{path} holds no samples in folders of classes",
            hint="a folder for each class, with images, wav files or .npy files in it",
        )
    if len(inputs) != 1:
        raise ConfigError(
            f"{path}: a folder feeds one input, the network has {len(inputs)}",
            hint="bring an .npz with one array per input, and labels",
        )
    wanted = len(files) if samples is None else min(samples, len(files))
    picked = [files[index] for index in np.linspace(0, len(files) - 1, wanted).astype(int)]
    values = np.stack([read_sample(item, inputs[0], preprocess) for item, _ in picked])
    return values, (np.asarray([label for _, label in picked], dtype=np.int64), len(files))
