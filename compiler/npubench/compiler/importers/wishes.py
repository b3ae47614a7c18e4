"""What a user may say of an import: on the command line, or in a file beside the model."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.core.errors import ConfigError, UsageError

Scheme = Literal["int8", "int8-per-tensor", "int16x8"]
SCHEMES: tuple[Scheme, ...] = ("int8", "int8-per-tensor", "int16x8")
"""int8 activations with weights per channel (the default) or per tensor; int16 activations with
int8 weights per channel."""
MIN_SNR_DB = 10.0
"""Below this the quantized network answers something else: a tenth of its output is noise."""
MIN_SOURCE_SNR_DB = 60.0
"""Below this a conversion is wrong: float32 in another order of operations keeps 80 dB and more."""
LIMIT = 1 << 24

Axis = Annotated[int, Field(gt=0, le=LIMIT)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Preprocess(_Part):
    """From files to the network's input: ``(value / divide_by - mean) / std``.

    Images are scaled to the input's height and width and have its channels; ``mean`` and ``std``
    are one number, or one per channel. Sound is 16-bit PCM at ``rate_hz``, one channel, -1..1
    before ``divide_by``, cut or padded with zeros to the input's length; features such as MFCCs
    are computed by their owner and come as an .npz. ``divide_by`` is 255 for images and 1 for all
    else where nothing is said.
    """

    divide_by: Annotated[float, Field(gt=0)] | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[Annotated[float, Field(gt=0)], ...] = (1.0,)
    rate_hz: Annotated[int, Field(gt=0)] = 16_000


class ImportFile(_Part):
    """``FILE.import.toml`` beside a model: what is not said on the command line is read here."""

    shapes: dict[str, tuple[Axis, ...]] = Field(default_factory=dict)
    quantization: Scheme = "int8"
    calibration: str = ""
    weights: str = ""
    synthetic: tuple[float, float] = (-1.0, 1.0)
    min_snr_db: float = MIN_SNR_DB
    preprocess: Preprocess = Preprocess()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a network is to be imported. ``calibration``: samples of real inputs (see ``samples``),
    None for synthetic ones between the bounds of ``synthetic``; ``weights``: a state dict for a
    PyTorch class; ``trust``: code inside the file may be run."""

    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    quantization: Scheme = "int8"
    calibration: Path | None = None
    weights: Path | None = None
    synthetic: tuple[float, float] = (-1.0, 1.0)
    min_snr_db: float = MIN_SNR_DB
    preprocess: Preprocess = field(default_factory=Preprocess)
    trust: bool = False

    def key(self) -> str:
        """What of it decides the result, as text; files go in by their content elsewhere."""
        return json.dumps(
            {
                "shapes": sorted((name, list(shape)) for name, shape in self.shapes),
                "quantization": self.quantization,
                "calibrated": self.calibration is not None,
                "synthetic": list(self.synthetic),
                "preprocess": self.preprocess.model_dump(),
            },
            sort_keys=True,
        )


def wishes_for(source: Path, said: Mapping[str, Any] | None = None) -> Wishes:
    """The wishes of the file beside a model, with those that were ``said`` (by field, None for what
    was not) over them. Raises ConfigError for a file that is wrong, with every mistake."""
    found = _beside(source)
    wishes = Wishes() if found is None else found
    fresh = {name: value for name, value in (said or {}).items() if value not in (None, (), False)}
    if "shapes" in fresh:
        fresh["shapes"] = tuple((dict(wishes.shapes) | dict(fresh["shapes"])).items())
    wishes = replace(wishes, **fresh)
    low, high = wishes.synthetic
    if not low < high:
        raise UsageError(f"the synthetic input's range {low:g} to {high:g} is empty")
    return wishes


def parse_shapes(words: list[str]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """``input=1,64,64,3`` as name and shape. Raises UsageError."""
    found = []
    for word in words:
        name, separator, text = word.partition("=")
        try:
            shape = tuple(int(part) for part in text.split(","))
        except ValueError:
            shape = ()
        if not separator or not name or not shape or not all(0 < axis <= LIMIT for axis in shape):
            raise UsageError(
                f"--shape {word[:80]!r} is not understood",
                hint="name of the input and all its axes: --shape input=1,64,64,3",
            )
        found.append((name, shape))
    return tuple(found)


def side_file(source: Path) -> Path:
    """Where the wishes of a model lie."""
    return source.with_name(f"{source.name}.import.toml")


def _beside(source: Path) -> Wishes | None:
    path = side_file(source)
    if not path.is_file():
        return None
    try:
        file = ImportFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not TOML that can be read: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigError(f"{path}: {mistakes}") from error
    return Wishes(
        shapes=tuple(file.shapes.items()),
        quantization=file.quantization,
        calibration=path.parent / file.calibration if file.calibration else None,
        weights=path.parent / file.weights if file.weights else None,
        synthetic=file.synthetic,
        min_snr_db=file.min_snr_db,
        preprocess=file.preprocess,
    )
