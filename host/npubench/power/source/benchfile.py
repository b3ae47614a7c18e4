"""``bench.toml``: the boards of this bench by their ids, its instruments by the names that
``--power`` takes, and what stands at the places of its lab.

Strict: an unknown key is an error, all errors are shown at once. docs/power.md has an example.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from npubench.core.errors import ConfigError, UsageError
from npubench.power.source.accuracy import Accuracy

FILE_NAME = "bench.toml"
Bit = Annotated[int, Field(ge=0, le=7)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Markers(_Part):
    """Which inputs of the instrument the board's pins go to. ``codes``: the three stage-code pins,
    lowest bit first; ``busy``: the timestamp pin, for an instrument with one input."""

    codes: tuple[Bit, ...] = ()
    busy: Bit | None = None

    @model_validator(mode="after")
    def _useful(self) -> Markers:
        if len(self.codes) not in (0, 3):
            raise ValueError("codes takes all three stage-code pins")
        if not self.codes and self.busy is None:
            raise ValueError("give codes (three inputs) or busy (one input)")
        return self


class Instrument(_Part):
    """One instrument. ``serial`` names it among several of its kind; ``port`` replaces the search
    (a device, host:port, a VISA resource, or a file). ``accuracy`` overrides the profile's."""

    driver: str
    serial: str = ""
    port: str = ""
    voltage_mv: Annotated[float, Field(gt=0)] = 3000.0
    mode: Literal["source", "ampere"] = "source"
    markers: Markers = Markers(codes=(0, 1, 2))
    accuracy: Accuracy | None = None
    voltage_tolerance_ratio: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    idle_drift_ratio: Annotated[float, Field(gt=0, le=1)] = 0.1
    min_window_samples: Annotated[int, Field(ge=16)] | None = None
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _findable(self) -> Instrument:
        if not self.serial and not self.port:
            raise ValueError("give the instrument's serial number (or its port)")
        return self


class Seat(_Part):
    """Where a board of this bench is found. ``serial``: serial number of its console's USB device,
    which tells it from others of its kind; ``port`` replaces the search."""

    serial: str = ""
    port: str = ""

    @model_validator(mode="after")
    def _findable(self) -> Seat:
        if not self.serial and not self.port:
            raise ValueError("give the serial number of the board's console (or its port)")
        return self


class PlaceNote(_Part):
    """What stands at a place of a lab whose tags do not say it. ``probe``: serial number of its
    debug probe."""

    board: str = ""
    probe: str = ""


class LabPart(_Part):
    """The lab, see docs/farm.md. ``coordinator``: HOST:PORT of labgrid's. ``environment``: a
    labgrid environment file."""

    coordinator: str = ""
    environment: str = ""
    places: dict[str, PlaceNote] = Field(default_factory=dict)


class BenchFile(_Part):
    """The whole file."""

    schema_version: Literal[1] = Field(alias="schema")
    boards: dict[str, Seat] = Field(default_factory=dict)
    lab: LabPart = LabPart()
    power: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")], Instrument] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _distinct(self) -> BenchFile:
        taken = [name for name in self.power if name == "virtual" or name.endswith("-sim")]
        if taken:
            raise ValueError(
                f"power.{', power.'.join(taken)}: virtual and names that end with -sim are those "
                "of simulated instruments"
            )
        return self


def bench_path() -> Path | None:
    """Where the bench's file lies: ``NPUBENCH_BENCH``, the working folder, or the user's
    configuration folder; None when there is none."""
    override = os.environ.get("NPUBENCH_BENCH")
    if override:
        return Path(override)
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for path in (Path(FILE_NAME), base / "npubench" / FILE_NAME):
        if path.is_file():
            return path
    return None


def read_bench(path: Path | None = None) -> BenchFile:
    """The bench's file; an empty bench when there is none. Raises ConfigError."""
    path = path if path is not None else bench_path()
    if path is None:
        return BenchFile.model_validate({"schema": 1})
    try:
        return BenchFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'bench'}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigError(f"{path}: {mistakes}", hint="see docs/power.md") from error


def find_instrument(name: str, bench: BenchFile, *, also: tuple[str, ...] = ()) -> Instrument:
    """The instrument called ``name``. Raises UsageError with the closest of all names."""
    if name in bench.power:
        return bench.power[name]
    known = (*bench.power, *also)
    close = difflib.get_close_matches(name, known, n=1)
    raise UsageError(
        f"there is no power instrument {name!r}",
        hint=f"did you mean {close[0]}?"
        if close
        else f"name it in {FILE_NAME}, or take a simulated one: {', '.join(also)}",
    )
