"""Promise: calibration data that does not fit is refused before minutes are spent, with words that
say what to do; what fits reaches the network in its own layout."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from npubench.compiler.importers.samples import Input, brought, synthetic
from npubench.compiler.importers.wishes import Preprocess, parse_shapes, side_file, wishes_for
from npubench.core.errors import ConfigError, UsageError

PICTURE = Input(name="image", shape=(1, 4, 6, 3), dtype="float32")
PLAIN = Preprocess()


def save(path: Path, values: object) -> Path:
    np.save(path, np.asarray(values))
    return path


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((3, 5, 6, 3)), "5 x 6 x 3"),
        (np.full((3, 4, 6, 3), np.nan), "NaN"),
        (np.ones((3, 4, 6, 3)), "throughout"),
        (np.zeros((0, 4, 6, 3)), "no samples"),
        (np.array(["a", "b"]), "numbers"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, values: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        brought(save(tmp_path / "s.npy", values), [PICTURE], PLAIN)


def test_integers_out_of_range(tmp_path: Path) -> None:
    tokens = Input(name="tokens", shape=(1, 4), dtype="int8")
    with pytest.raises(ConfigError, match="do not fit into int8"):
        brought(save(tmp_path / "s.npy", np.full((2, 4), 300)), [tokens], PLAIN)


def test_a_folder_without_samples(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(ConfigError, match="holds no samples"):
        brought(tmp_path, [PICTURE], PLAIN)
    with pytest.raises(ConfigError, match="no calibration data"):
        brought(tmp_path / "absent.npy2", [PICTURE], PLAIN)


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(ConfigError, match=r"no \.npy or \.npz file of numbers"):
        brought(tmp_path / "s.npy", [PICTURE], PLAIN)


def test_channels_first_samples_are_turned(tmp_path: Path) -> None:
    values = np.random.RandomState(1).uniform(size=(2, 3, 4, 6))
    found = brought(save(tmp_path / "s.npy", values), [PICTURE], PLAIN)
    assert np.allclose(found.values["image"], np.moveaxis(values, 1, -1))


def test_images_are_scaled_as_declared(tmp_path: Path) -> None:
    for level in (0, 255):
        Image.new("RGB", (12, 8), (level, level, level)).save(tmp_path / f"{level}.png")
    plain = brought(tmp_path, [PICTURE], PLAIN).values["image"]
    assert plain.shape == (2, 4, 6, 3)
    assert (plain.min(), plain.max()) == (0.0, 1.0)
    centred = brought(tmp_path, [PICTURE], Preprocess(mean=(0.5,), std=(0.25,))).values["image"]
    assert (centred.min(), centred.max()) == (-2.0, 2.0)
    with pytest.raises(ConfigError, match="mean has 2 numbers"):
        brought(tmp_path, [PICTURE], Preprocess(mean=(0.5, 0.5)))


def test_sound_of_another_rate(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((np.arange(4000) * 4).astype("<i2").tobytes())
    sound = Input(name="sound", shape=(1, 4000), dtype="float32")
    with pytest.raises(ConfigError, match="8000 Hz, 16000 are declared"):
        brought(tmp_path, [sound], PLAIN)
    found = brought(tmp_path, [sound], Preprocess(rate_hz=8000)).values["sound"]
    assert found[0, 100] == pytest.approx(400 / 32768)


def test_several_inputs_are_named(tmp_path: Path) -> None:
    meta = Input(name="meta", shape=(1, 4), dtype="float32")
    image = np.random.RandomState(1).uniform(size=(2, 4, 6, 3))
    np.savez(tmp_path / "s.npz", image=image, other=image)
    with pytest.raises(ConfigError, match="no samples for input 'meta'"):
        brought(tmp_path / "s.npz", [PICTURE, meta], PLAIN)
    np.savez(tmp_path / "s.npz", image=image, meta=np.eye(4)[:3])
    with pytest.raises(ConfigError, match="different numbers of samples"):
        brought(tmp_path / "s.npz", [PICTURE, meta], PLAIN)


def test_synthetic_samples_reach_both_bounds() -> None:
    values = synthetic([PICTURE], (-2.0, 3.0)).values["image"]
    assert values.min() == -2.0
    assert values.max() == 3.0
    assert (values == synthetic([PICTURE], (-2.0, 3.0)).values["image"]).all()


@pytest.mark.parametrize("word", ["input", "=1,2", "input=", "input=1,x", "input=1,-1", "input=0"])
def test_shapes_that_are_none(word: str) -> None:
    with pytest.raises(UsageError, match="not understood"):
        parse_shapes([word])


def test_the_file_beside_a_model_is_read_strictly(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    side_file(model).write_text(
        'quantization = "int16x8"\n[shapes]\nx = [1, 8]\n[preprocess]\nmean = [0.5]\n'
    )
    wishes = wishes_for(model, {"shapes": (("y", (1, 2)),)})
    assert wishes.quantization == "int16x8"
    assert dict(wishes.shapes) == {"x": (1, 8), "y": (1, 2)}
    assert wishes.preprocess.mean == (0.5,)
    side_file(model).write_text('quantisation = "int8"\n[shapes]\nx = [0]\n')
    with pytest.raises(ConfigError, match=r"quantisation.*|shapes"):
        wishes_for(model)
