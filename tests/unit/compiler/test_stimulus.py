"""Promise: an input of one's own is the network's in type and shape, or refused: a match of bytes
alone is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from npubench.compiler.graph import Graph
from npubench.compiler.stimulus import read_stimulus
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import UsageError
from support.several_inputs import NETWORKS
from support.tflite_writer import ModelSpec, TensorSpec, write_model


def _image(dtype: str = "int8") -> Graph:
    tensor = TensorSpec(shape=(1, 4, 4, 3), dtype=dtype, name="serving_default_image:0")
    return read_tflite(write_model(ModelSpec(tensors=(tensor, tensor))), name="net")


FLOATS = read_tflite(NETWORKS["one-float"], name="net")
THREE = read_tflite(NETWORKS["three-float-uint8-int8"], name="net")


@pytest.mark.parametrize(
    "turn",
    [
        lambda x: x,
        lambda x: x.astype(">f4"),
        lambda x: x[0],
        lambda x: np.asfortranarray(x),
    ],
    ids=["as it is", "big-endian", "without batch", "column by column"],
)
def test_only_the_values_count(tmp_path: Path, turn: object) -> None:
    values = np.arange(12, dtype=np.float32).reshape(1, 12) / 3
    np.save(tmp_path / "in.npy", turn(values))  # type: ignore[operator]
    assert read_stimulus(tmp_path / "in.npy", FLOATS) == values.tobytes()


def test_an_image_column_by_column_keeps_its_pixels(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.int8).reshape(1, 4, 4, 3)
    np.save(tmp_path / "in.npy", np.asfortranarray(pixels))
    assert read_stimulus(tmp_path / "in.npy", _image()) == pixels.tobytes()


@pytest.mark.parametrize(
    ("array", "words", "hint"),
    [
        (np.zeros((1, 3, 4, 4), np.int8), r"int8 \[1, 3, 4, 4\]", "transpose"),
        (np.zeros((1, 4, 4, 3), np.uint8), "is uint8", "128"),
        (np.zeros((1, 4, 4, 3), np.float32), "is float32", r"round\(x / 0.5\)"),
        (np.zeros((1, 4, 3), np.int32), "is int32", "int8"),
        (np.zeros((6,), np.float64), "is float64", "quantize"),
        (np.zeros((1, 2, 8, 3), np.int8), r"\[1, 2, 8, 3\]", "shape"),
        (np.zeros((48,), np.int8), r"\[48\]", "shape"),
        (np.zeros((1, 4, 4, 3), np.bool_), "is bool", "int8"),
        (np.zeros((24,), np.complex64), "is complex64", "int8"),
    ],
)
def test_what_only_has_the_right_size_is_refused(
    tmp_path: Path, array: np.ndarray[tuple[int], np.dtype[np.int8]], words: str, hint: str
) -> None:
    np.save(tmp_path / "in.npy", array)
    with pytest.raises(UsageError, match=words) as caught:
        read_stimulus(tmp_path / "in.npy", _image())
    assert "'image' of int8 [1, 4, 4, 3]" in caught.value.message
    import re

    assert re.search(hint, caught.value.hint)


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    values = np.zeros((1, 12), np.float32)
    values[0, 3] = np.nan
    np.save(tmp_path / "in.npy", values)
    with pytest.raises(UsageError, match="not finite"):
        read_stimulus(tmp_path / "in.npy", FLOATS)


def test_several_inputs_come_by_name_or_in_order(tmp_path: Path) -> None:
    f = np.ones((1, 12), np.float32)
    u = np.full((1, 12), 200, np.uint8)
    a = np.full((1, 12), -3, np.int8)
    np.savez(tmp_path / "named.npz", u=u, a=a, f=f)
    np.savez(tmp_path / "ordered.npz", f, u, a)
    expected = f.tobytes() + u.tobytes() + a.tobytes()
    assert read_stimulus(tmp_path / "named.npz", THREE) == expected
    assert read_stimulus(tmp_path / "ordered.npz", THREE) == expected
    np.savez(tmp_path / "swapped.npz", u, f, a)
    with pytest.raises(UsageError, match="is uint8"):
        read_stimulus(tmp_path / "swapped.npz", THREE)
    np.savez(tmp_path / "few.npz", f=f, u=u)
    with pytest.raises(UsageError, match="'a' int8"):
        read_stimulus(tmp_path / "few.npz", THREE)
    np.save(tmp_path / "one.npy", f)
    with pytest.raises(UsageError, match="one array, the network has 3 inputs"):
        read_stimulus(tmp_path / "one.npy", THREE)


@pytest.mark.parametrize("data", [b"", b"PK\3\4 no zip", b"\x93NUMPY"])
def test_a_damaged_file_is_no_input(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "in.npz").write_bytes(data)
    with pytest.raises(UsageError, match="cannot be read"):
        read_stimulus(tmp_path / "in.npz", THREE)
    (tmp_path / "in.bin").write_bytes(data)
    with pytest.raises(UsageError, match="the network takes 72"):
        read_stimulus(tmp_path / "in.bin", THREE)
