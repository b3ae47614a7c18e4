"""An input of the user's own: typed where its file has types, raw bytes where it has none.

A ``.npy`` (one input) or ``.npz`` (any number) must have the network's element types and shapes:
what would only happen to have the same number of bytes is refused. Byte order and memory order are
the file's business; the values count. Any other file is the raw bytes of all inputs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npubench.compiler.graph import Graph, Tensor
from npubench.core.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

_POSITION = re.compile(r"^(?:arr_)?(\d+)$")
_RAW_HINT = "give the raw bytes of all inputs, or a .npy or .npz of their shapes and types"


def read_stimulus(path: Path, graph: Graph) -> bytes:
    """The raw bytes of all inputs of ``graph``, little-endian, one after the other.

    Raises UsageError when the file cannot be read or is not an input of this network.
    """
    return read_values(path, [graph.tensor(index) for index in graph.inputs])


def read_values(path: Path, inputs: Sequence[Tensor]) -> bytes:
    """As read_stimulus, for the inputs of a network that is no Graph."""
    if path.suffix not in (".npy", ".npz"):
        return _raw(path, inputs)
    arrays = _load(path)
    if isinstance(arrays, dict):
        chosen = _by_name(path, arrays, inputs)
    elif len(inputs) != 1:
        raise UsageError(
            f"the input {path} is one array, the network has {len(inputs)} inputs: "
            f"{_described(inputs)}",
            hint="give a .npz with one array for each input, by its name (numpy.savez)",
        )
    else:
        chosen = [arrays]
    return b"".join(
        _checked(path, array, tensor) for array, tensor in zip(chosen, inputs, strict=True)
    )


def _raw(path: Path, inputs: Sequence[Tensor]) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the input {path} cannot be read: {error}") from error
    wanted = sum(tensor.size_bytes for tensor in inputs)
    if len(data) != wanted:
        raise UsageError(
            f"the input {path} has {len(data)} bytes, the network takes {wanted}: "
            f"{_described(inputs)}",
            hint=_RAW_HINT,
        )
    return data


def _load(path: Path) -> np.ndarray[Any, Any] | dict[str, np.ndarray[Any, Any]]:
    """What the file holds, whatever its name says: one array, or arrays by name."""
    import zipfile

    import numpy as np

    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            with loaded:
                return {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"the input {path} cannot be read: {error}", hint=_RAW_HINT) from error


def _by_name(
    path: Path, arrays: dict[str, np.ndarray[Any, Any]], inputs: Sequence[Tensor]
) -> list[np.ndarray[Any, Any]]:
    """The arrays in the network's order: by the inputs' names, else by position (``arr_0``)."""
    names = [_short(tensor.name) for tensor in inputs]
    by_short = {_short(name): array for name, array in arrays.items()}
    if len(set(names)) == len(names) and set(by_short) == set(names):
        return [by_short[name] for name in names]
    positions = {
        int(match[1]): array for name, array in arrays.items() if (match := _POSITION.match(name))
    }
    if len(positions) == len(arrays) and sorted(positions) == list(range(len(inputs))):
        return [positions[index] for index in range(len(inputs))]
    raise UsageError(
        f"the input {path} has arrays {', '.join(sorted(arrays)) or 'none'}; the network's inputs "
        f"are {_described(inputs)}",
        hint="name each array as its input (numpy.savez), or save them in the network's order",
    )


def _short(name: str) -> str:
    """A tensor's name as its author wrote it: the converter adds a prefix and an output number."""
    return re.sub(r":0$", "", name).removeprefix("serving_default_")


def _checked(path: Path, array: np.ndarray[Any, Any], tensor: Tensor) -> bytes:
    import numpy as np

    title = f"input {_short(tensor.name)!r} of {tensor.dtype} {list(tensor.shape)}"
    found = f"{array.dtype.name} {list(array.shape)}"
    wanted = np.dtype(str(tensor.dtype))
    if array.dtype.newbyteorder("=") != wanted:
        raise UsageError(
            f"the input {path} is {found}: the network takes {title}",
            hint=_dtype_hint(array.dtype.kind, tensor),
        )
    if tuple(array.shape) not in _same_shapes(tensor.shape):
        turned = sorted(array.shape) == sorted(tensor.shape)
        raise UsageError(
            f"the input {path} is {found}: the network takes {title}",
            hint="its axes are in another order (channels are last here): transpose it"
            if turned
            else "give the array the network's shape",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UsageError(
            f"the input {path} holds values that are not finite: the network takes {title}",
            hint="look at what wrote the file",
        )
    return np.ascontiguousarray(array, dtype=wanted.newbyteorder("<")).tobytes()


def _same_shapes(shape: tuple[int, ...]) -> set[tuple[int, ...]]:
    """The shape, with and without a batch of one."""
    shapes = {shape}
    if shape[:1] == (1,):
        shapes.add(shape[1:])
    return shapes


def _dtype_hint(kind: str, tensor: Tensor) -> str:
    quantization = tensor.quantization
    if kind == "f" and quantization is not None:
        return (
            f"quantize it: round(x / {quantization.scale:.9g}) + {quantization.zero_point}, "
            f"clipped to the range of {tensor.dtype}"
        )
    if kind in "iu" and tensor.dtype in ("int8", "uint8"):
        return f"convert the values: signed and unsigned differ by 128; then save as {tensor.dtype}"
    return f"convert the values and save as {tensor.dtype}"


def _described(inputs: Sequence[Tensor]) -> str:
    return ", ".join(
        f"{_short(tensor.name)!r} {tensor.dtype} {list(tensor.shape)}" for tensor in inputs
    )
