"""The model zoo as data: each ``models/<id>/model.toml`` is one network, found by its folder.

The zoo describes networks and finds their files; the compiler builds them. A MODEL on the command
line is a zoo id or the path of any int8 .tflite, and both end here as a ResolvedModel.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from npubench.core.download import download
from npubench.core.errors import ConfigError, NpubenchError, UsageError
from npubench.core.finding import Found
from npubench.core.paths import cache_root, data_root

MAX_ID_CHARS = 40

ModelId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
Text = Annotated[str, Field(min_length=1)]
Ratio = Annotated[float, Field(ge=0.0, le=1.0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mlperf(_Part):
    """How the network presents itself to MLPerf Tiny's runner.

    ``input`` is the form of an upload: raw int8, unsigned pixels (shifted by 128 on the device) or
    little-endian floats (quantized on the device). ``result`` is the scores, or the mean squared
    error between input and output.
    """

    model: Literal["kws01", "vww01", "ic01", "ic02", "ad01"]
    input: Literal["int8", "u8", "f32le"]
    result: Literal["scores", "mse"]


BENCHMARKS: dict[str, Mlperf] = {
    benchmark.model: benchmark
    for benchmark in (
        Mlperf(model="kws01", input="int8", result="scores"),
        Mlperf(model="vww01", input="u8", result="scores"),
        Mlperf(model="ic01", input="u8", result="scores"),
        Mlperf(model="ic02", input="u8", result="scores"),
        Mlperf(model="ad01", input="f32le", result="mse"),
    )
}
"""The forms that MLPerf Tiny's benchmarks prescribe, by what a firmware answers to ``profile``."""
STREAMING = ("sww01", "strww01")


class Accuracy(_Part):
    """How well it answers on a test set that took no part in training, as float and as int8:
    the share of right answers, or the area under the ROC curve."""

    metric: Literal["top1", "auc"] = "top1"
    float_ratio: Ratio
    int8_ratio: Ratio
    test_set: Text
    test_count: Annotated[int, Field(gt=0)]


class Fetch(_Part):
    """Where a public, trained form of the network lies. ``license`` is that file's."""

    url: Annotated[str, Field(pattern=r"^https://\S+$")]
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\.tflite$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(gt=0)]
    license: Text


class ZooModel(_Part):
    """One network of the zoo, as its model.toml describes it.

    ``weights`` says whether its answers mean anything: ``trained``, or ``seeded`` for random
    weights in the architecture of a published network, good for cost and for bit-exactness.
    ``script`` is the Python file in the same folder that re-creates ``file``. What is not
    ``committed`` is made by it on demand; its ``macs`` and ``parameters`` stand here.
    ``boxes``: of each cell of a detector of YOLO v1's kind, which the firmware decodes in ``post``.
    """

    schema_version: Literal[1] = Field(alias="schema")
    id: ModelId
    name: Text
    family: Text
    task: Text
    source: Text
    license: Text
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\.tflite$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    script: FileName = "build.py"
    weights: Literal["seeded", "trained"]
    input: Text
    labels: tuple[Text, ...] = ()
    boxes: Annotated[int, Field(ge=0, le=8)] = 0
    mlperf: Mlperf | None = None
    accuracy: Accuracy | None = None
    committed: bool = True
    macs: Annotated[int, Field(gt=0)] | None = None
    parameters: Annotated[int, Field(gt=0)] | None = None
    fetch: Fetch | None = None

    @model_validator(mode="after")
    def _costs_of_what_is_made(self) -> ZooModel:
        if self.committed != (self.macs is None) or self.committed != (self.parameters is None):
            raise ValueError("macs and parameters stand here where the file is made on demand")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportStep:
    """One step from the file as brought to what runs; ``details`` are names and plain values."""

    tool: str
    version: str
    input_sha256: str
    output_sha256: str
    details: tuple[tuple[str, str | int | float | bool | None], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Where a converted network came from: the file as brought, its hash, the float .tflite on the
    way, and every step, oldest first. ``preprocess``: how its samples are made of files, as JSON;
    empty where nothing was said. ``findings``: what the way took from it."""

    source: str
    network_sha256: str
    float_path: Path
    steps: tuple[ImportStep, ...]
    preprocess: str = ""
    findings: tuple[Found, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A MODEL argument, resolved: its id for file names and records, its file, and its entry in
    the zoo when it is one of ours. ``benchmark``: the one of MLPerf Tiny that its user named.
    ``brought``: None for a .tflite that is as its user brought it. ``refusal``: why it did not
    become int8, where it is one of several that were asked for; reading it raises that."""

    id: str
    path: Path
    entry: ZooModel | None
    benchmark: Mlperf | None = None
    brought: Brought | None = None
    refusal: NpubenchError | None = None

    @property
    def mlperf(self) -> Mlperf | None:
        """How it presents itself to MLPerf Tiny's runner: as its user said, else as the zoo."""
        if self.benchmark is not None or self.entry is None:
            return self.benchmark
        return self.entry.mlperf


@cache
def zoo_ids() -> tuple[str, ...]:
    """Every zoo id, sorted."""
    return tuple(sorted(path.parent.name for path in (data_root() / "models").glob("*/model.toml")))


def made_path(entry: ZooModel) -> Path:
    """Where the file of a model lies that is not committed, once it was made: by its definition."""
    folder = zoo_folder(entry.id)
    digest = hashlib.sha256((folder / "model.toml").read_bytes())
    digest.update((folder / entry.script).read_bytes())
    return cache_root() / "zoo" / f"{entry.id}-{digest.hexdigest()[:16]}" / entry.file


def zoo_folder(name: str) -> Path:
    """The folder of a zoo model. Raises UsageError with the closest id when there is none."""
    if name not in zoo_ids():
        close = difflib.get_close_matches(name, zoo_ids(), n=1)
        raise UsageError(
            f"there is no zoo model {name!r}",
            hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(zoo_ids())}",
        )
    return data_root() / "models" / name


def load_zoo(name: str) -> ZooModel:
    """The zoo's entry called ``name``.

    Raises UsageError with the closest id when there is none, ConfigError with every mistake of its
    file, each with its dotted key.
    """
    return read_zoo(zoo_folder(name) / "model.toml")


def read_zoo(path: Path) -> ZooModel:
    """Read and check one model.toml. The folder's name must be the model's id."""
    try:
        entry = ZooModel.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'model'}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigError(f"{path}: {mistakes}") from error
    if entry.id != path.parent.name:
        raise ConfigError(f"{path}: id: is {entry.id!r}, but the folder is {path.parent.name!r}")
    return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The public form of a zoo model, in ``file``. ``fresh``: it was not there before."""

    model: str
    file: str
    sha256: str
    license: str
    url: str
    fresh: bool


def fetch_models(names: Sequence[str], folder: Path) -> tuple[Fetched, ...]:
    """The public, trained forms of zoo models, brought to ``folder`` and checked.

    Raises UsageError for a model without one, before anything is fetched, and as ``download``.
    """
    entries = [load_zoo(name) for name in names]
    for entry in entries:
        if entry.fetch is None:
            have = [name for name in zoo_ids() if load_zoo(name).fetch is not None]
            raise UsageError(
                f"no trained form of {entry.id} is public",
                hint=f"of these one is: {', '.join(have)}",
            )
    found = []
    for entry in entries:
        source = entry.fetch
        assert source is not None
        path = folder / source.file
        fresh = download(source.url, path, sha256=source.sha256, size_bytes=source.size_bytes)
        found.append(
            Fetched(
                model=entry.id,
                file=str(path.resolve()),
                sha256=source.sha256,
                license=source.license,
                url=source.url,
                fresh=fresh,
            )
        )
    return tuple(found)


def resolve_model(argument: str) -> ResolvedModel:
    """The network that a MODEL argument means: an existing file, else a zoo id.

    Raises UsageError when it is neither (with the closest name), a folder, or a file that cannot
    be read; ConfigError when a zoo model's file is missing or is not the one of its model.toml.
    """
    path = Path(argument)
    if _is_file(path):
        try:
            path.open("rb").close()
        except OSError as error:
            raise UsageError(
                f"cannot read model {argument}: {error.strerror or error}",
                hint="check the file's permissions",
            ) from error
        return ResolvedModel(id=model_id_of(path), path=path, entry=None)
    if argument in zoo_ids():
        return _resolve_zoo(argument)
    if _exists(path):
        what = "a folder" if path.is_dir() else "not a regular file"
        raise UsageError(f"model {argument!r} is {what}", hint="give the path of a .tflite file")
    if _is_link(path):
        raise UsageError(
            f"model {argument[:200]!r} is a link that leads nowhere",
            hint="the file that it names was moved, or is itself",
        )
    raise UsageError(
        f"there is no model {argument[:200]!r}: neither a file nor a zoo id",
        hint=_nearest(argument),
    )


def benchmark_named(name: str) -> Mlperf:
    """One of MLPerf Tiny's benchmarks. Raises UsageError for another word."""
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    if name in STREAMING:
        raise UsageError(
            f"{name} is MLPerf Tiny's streaming test, which this firmware does not answer",
            hint="it needs start% and stop%, sound at 16 kHz with its front end, and a pin for "
            "detections; the other benchmarks work: " + ", ".join(BENCHMARKS),
        )
    close = difflib.get_close_matches(name.lower(), BENCHMARKS, n=1)
    raise UsageError(
        f"there is no benchmark {name[:80]!r} in MLPerf Tiny",
        hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(BENCHMARKS)}",
    )


def model_id_of(path: Path) -> str:
    """A model id from a file's name: ``[a-z0-9_-]``, at most 40 characters, never empty."""
    words = re.sub(r"[^a-z0-9_-]+", "-", path.stem.lower()).strip("-_")
    return words[:MAX_ID_CHARS].rstrip("-_") or "model"


def _resolve_zoo(name: str) -> ResolvedModel:
    entry = load_zoo(name)
    if not entry.committed:
        made = made_path(entry)
        if not made.is_file():
            raise UsageError(
                f"the file of {name} is made on demand, and was not made here yet",
                hint=f"npubench models build {name} (needs TensorFlow: npubench[train])",
            )
        return ResolvedModel(id=entry.id, path=made, entry=entry)
    path = zoo_folder(name) / entry.file
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"{path.parent / 'model.toml'}: file: {entry.file} cannot be read: "
            f"{error.strerror or error}",
            hint="restore the file from the repository, or reinstall the package",
        ) from error
    if found != entry.sha256:
        toml = path.parent / "model.toml"
        raise ConfigError(
            f"{toml}: sha256: is {entry.sha256}, but {entry.file} has {found}",
            hint="restore the file from the repository; after a wanted change, update sha256",
        )
    return ResolvedModel(id=entry.id, path=path, entry=entry)


def _is_file(path: Path) -> bool:
    """Whether a regular file is there; a name that no file system takes is not."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except (OSError, ValueError):
        return False


def _nearest(argument: str) -> str:
    """What the user may have meant: a file beside the path that was given, or a zoo id."""
    path = Path(argument)
    siblings: list[str] = []
    if path.suffix or path.parent != Path():
        try:
            siblings = [str(found) for found in sorted(path.parent.glob("*.tflite"))]
        except (OSError, ValueError):
            siblings = []
    close = difflib.get_close_matches(argument, [*zoo_ids(), *siblings], n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"give the path of a .tflite file, or one of: {', '.join(zoo_ids())}"
