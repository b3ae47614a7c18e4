"""Published results as data: what others measured, quoted with its source, never mixed with ours.

``published/<source>/source.toml`` says who published and how the figures came about,
``results.csv`` holds a row per result, ``networks.toml`` the networks that they name,
``engines.toml`` whose source can be read. Every number is evidence ``published``; ``origin`` says
what its publisher did to get it.
"""

from __future__ import annotations

import csv
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from npubench.core.errors import ConfigError, UsageError
from npubench.core.paths import data_root

Document = TypeVar("Document", bound=BaseModel)
Positive = Annotated[float, Field(gt=0.0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Part):
    """One publication. ``origin``: what the publisher did, ``measured`` or ``modelled``.
    ``fitted``: what of ours was fitted on it, empty where nothing was."""

    schema_: Literal[1] = Field(alias="schema")
    title: str
    citation: str
    url: str
    origin: Literal["measured", "modelled"]
    notes: str
    fitted: str = ""


class PublishedNetwork(_Part):
    """A network by its reference file, where one is public, and its multiply-accumulates.

    ``mlperf`` is its name in MLPerf Tiny, ``zoo`` the network of the zoo that is like it;
    ``likeness`` says what a network of so many multiply-accumulates has in common with it.
    """

    mlperf: str = ""
    zoo: str = ""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    macs: Annotated[int, Field(gt=0)]
    likeness: str = "other weights of the same architecture"


class _Networks(_Part):
    schema_: Literal[1] = Field(alias="schema")
    networks: dict[str, PublishedNetwork]


class Engine(_Part):
    """What runs networks, found by ``words`` of a published name or as a backend of ours.
    ``source``: whether anybody can read its source."""

    name: str
    words: tuple[str, ...]
    backends: tuple[str, ...] = ()
    source: Literal["open", "closed"]
    licence: str


class _Engines(_Part):
    schema_: Literal[1] = Field(alias="schema")
    engines: tuple[Engine, ...]


class Result(_Part):
    """One published result; empty where the publication does not say.

    ``latency_us`` and ``energy_uj`` are of one inference, ``accuracy`` in the unit that
    ``accuracy_metric`` names, ``locator`` finds the figure in its source. Where a publisher
    divided a counter's cycles by an assumed clock, ``divided_by_mhz`` is that clock and
    ``other_clock_mhz`` the one that other evidence speaks for.
    """

    round: str = ""
    submitter: str
    system: str
    board: str = ""
    processor: str = ""
    accelerator: str = ""
    clock_mhz: Positive | None = None
    divided_by_mhz: Positive | None = None
    other_clock_mhz: Positive | None = None
    engine: str = ""
    network: str
    division: Literal["", "closed", "open"] = ""
    availability: Literal["", "available", "preview", "rdi"] = ""
    latency_us: Positive | None = None
    energy_uj: Positive | None = None
    voltage_v: Positive | None = None
    accuracy: Positive | None = None
    accuracy_metric: Literal["", "top1_percent", "auc"] = ""
    flash_bytes: Positive | None = None
    ram_bytes: Positive | None = None
    npu_cycles: Annotated[int, Field(gt=0)] | None = None
    configuration: str = ""
    locator: str
    notes: str = ""

    @model_validator(mode="after")
    def _doubt(self) -> Result:
        doubt = (self.divided_by_mhz, self.other_clock_mhz)
        if any(doubt) and (None in doubt or self.latency_us is None or self.clock_mhz is not None):
            raise ValueError(
                "divided_by_mhz and other_clock_mhz want each other and a latency, no clock_mhz"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A result with the id of its source."""

    source: str
    origin: Literal["measured", "modelled"]
    result: Result

    @property
    def cycles(self) -> float | None:
        """Latency times clock: cycles of one inference, None where either is not published."""
        clock_mhz = self.result.clock_mhz or self.result.divided_by_mhz
        if self.result.latency_us is None or clock_mhz is None:
            return None
        return self.result.latency_us * clock_mhz

    @property
    def other_latency_us(self) -> float | None:
        """The latency at the other clock, None where the clock is in no doubt."""
        if self.cycles is None or self.result.other_clock_mhz is None:
            return None
        return self.cycles / self.result.other_clock_mhz

    def document(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "source": self.source,
            "evidence": "published",
            "origin": self.origin,
            **self.result.model_dump(mode="json"),
            "cycles": self.cycles,
            "other_latency_us": self.other_latency_us,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which results are asked for; None: all."""

    network: str | None = None
    source: str | None = None
    board: str | None = None
    submitter: str | None = None

    def document(self) -> dict[str, str | None]:
        """The choice as JSON values."""
        return asdict(self)


def sources() -> Mapping[str, Source]:
    """Every source by its id, sorted. Raises ConfigError for a damaged file."""
    return dict(_sources(published_folder()))


def networks() -> Mapping[str, PublishedNetwork]:
    """The networks whose reference file is known, by the id that results name."""
    return dict(_networks(published_folder()))


def engines() -> tuple[Engine, ...]:
    """Every engine whose source is known to be open or closed. Raises ConfigError."""
    return _engines(published_folder())


def engine_named(text: str) -> Engine | None:
    """The engine that a published name means; None where it is not known or not said."""
    plain = text.lower()
    return next(
        (engine for engine in engines() if any(word in plain for word in engine.words)), None
    )


def engine_of_backend(backend: str) -> Engine | None:
    """The engine of a backend of ours; None where its source is not known to be open or closed."""
    return next((engine for engine in engines() if backend in engine.backends), None)


def published(choice: Choice | None = None) -> tuple[Published, ...]:
    """The results of ``choice`` by source, network and latency.

    A board is found by the part of a name, without regard to case, dashes and underscores. Raises
    UsageError, with the closest name, when a network, source or submitter has no result at all.
    """
    wanted = choice if choice is not None else Choice()
    rows = _rows(published_folder())
    for field, value, known in (
        ("source", wanted.source, {row.source for row in rows}),
        ("network", wanted.network, {row.result.network for row in rows}),
        ("submitter", wanted.submitter, {row.result.submitter for row in rows}),
    ):
        if value is not None and value not in known:
            close = difflib.get_close_matches(value, sorted(known), n=1)
            raise UsageError(
                f"nothing is published here of the {field} {value!r}",
                hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}",
            )
    return tuple(
        row
        for row in rows
        if (wanted.source is None or row.source == wanted.source)
        and (wanted.network is None or row.result.network == wanted.network)
        and (wanted.submitter is None or row.result.submitter == wanted.submitter)
        and (wanted.board is None or plain_name(wanted.board) in plain_name(row.result.board))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTable:
    """Chosen results with the sources that they are from."""

    rows: tuple[Published, ...]
    sources: Mapping[str, Source]

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "sources": {
                name: source.model_dump(mode="json", by_alias=True)
                for name, source in self.sources.items()
            },
            "results": [row.document() for row in self.rows],
        }


def published_table(choice: Choice | None = None) -> PublishedTable:
    """The results of ``choice`` and their sources. Raises what ``published`` raises."""
    rows = published(choice)
    known = sources()
    named = sorted({row.source for row in rows})
    return PublishedTable(rows=rows, sources={name: known[name] for name in named})


def published_folder() -> Path:
    """Where the files lie."""
    return data_root() / "published"


def plain_name(text: str) -> str:
    """A board's name without case, dashes and underscores, as names are matched."""
    return "".join(char for char in text.lower() if char.isalnum())


@cache
def _sources(folder: Path) -> dict[str, Source]:
    found = {}
    for file in sorted(folder.glob("*/source.toml")):
        found[file.parent.name] = _read(file, Source)
    return found


@cache
def _networks(folder: Path) -> dict[str, PublishedNetwork]:
    return _read(folder / "networks.toml", _Networks).networks


@cache
def _engines(folder: Path) -> tuple[Engine, ...]:
    return _read(folder / "engines.toml", _Engines).engines


@cache
def _rows(folder: Path) -> tuple[Published, ...]:
    rows = []
    for source, about in _sources(folder).items():
        file = folder / source / "results.csv"
        try:
            with file.open(encoding="utf-8", newline="") as text:
                for number, row in enumerate(csv.DictReader(text, strict=True), start=2):
                    result = _result(row, f"{file}:{number}")
                    rows.append(Published(source=source, origin=about.origin, result=result))
        except (OSError, csv.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: cannot be read: {error}") from error
    rows.sort(
        key=lambda row: (
            row.source,
            row.result.network,
            row.result.latency_us or float("inf"),
            row.result.locator,
        )
    )
    return tuple(rows)


def _result(row: dict[str, str], where: str) -> Result:
    try:
        return Result.model_validate({key: value for key, value in row.items() if value != ""})
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigError(f"{where}: {mistakes}") from error


def _read(file: Path, kind: type[Document]) -> Document:
    try:
        return kind.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(f"{file}: {error}") from error
