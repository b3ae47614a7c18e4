"""A repository of results: ``results.toml``, and archives of runs by date and target.

``results/2026-11-27/qemu-m4_cpu/<run id>.npubench.tar.gz``: one run each, as ``runs export`` writes
it. Small enough for git, and what it says can be verified from its own bytes.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.core.errors import ConfigError, ResultError, UsageError
from npubench.results.privacy import private_parts
from npubench.runs.archive import SUFFIX, export_runs
from npubench.runs.schema import RunRecord
from npubench.runs.staging import storage
from npubench.runs.store import StoredRun

FILE = "results.toml"
FOLDER = "results"
_TEMPLATE = """\
schema = 1
title = {title}
licence = "CC-BY-4.0"        # of the results themselves
contact = ""                 # where a mistake is reported
introduction = ""            # how the results were made; an empty line begins a paragraph
made_by = []                 # the commands that make them again, one a line

# The networks that may stand here, by the SHA-256 of the file as brought, with the licence under
# which it may be passed on: every run holds its network.
"""


class ModelLicence(BaseModel):
    """A network that may be passed on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    source: str = ""


class About(BaseModel):
    """``results.toml``. ``introduction``: how the results were made, ``made_by``: by which
    commands; ``not_run``: targets that are missing, each with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal[1] = Field(alias="schema")
    title: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    contact: str = ""
    introduction: str = ""
    made_by: tuple[str, ...] = ()
    models: dict[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ModelLicence] = Field(
        default_factory=dict
    )
    not_run: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A run that was added: its archive, and the network's hash where its licence is missing."""

    run_id: str
    archive: Path
    licence_missing: str | None


def init_repository(folder: Path, title: str) -> Path:
    """Make an empty repository. Raises UsageError where there is one."""
    path = folder / FILE
    if path.exists():
        raise UsageError(f"{path} is there already")
    with storage(folder):
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        path.write_text(_TEMPLATE.format(title=json.dumps(title)), encoding="utf-8")
    return path


def read_about(folder: Path) -> About:
    """The repository's file. Raises ConfigError that names every mistake."""
    path = folder / FILE
    try:
        return About.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(
            f"{folder} is no repository of results: it has no {FILE}",
            hint=f"npubench results init {folder}",
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigError(f"{path}: {mistakes}") from error


def add_run(folder: Path, run: StoredRun) -> Added:
    """Add a run as an archive. Raises ResultError for a run that failed, holds something private,
    or is there already with other content."""
    about = read_about(folder)
    record = run.record
    if record.status != "ok":
        raise ResultError(f"{record.run_id} is {record.status}: it is no result")
    private = private_parts(run.path)
    if private:
        raise ResultError(
            f"{record.run_id} holds what is private: {private[0]}",
            hint="run it again from a folder without your name, with relative paths",
        )
    place = folder / archive_name(record)
    if place.exists():
        raise ResultError(f"{place} is there already")
    with storage(folder):
        place.parent.mkdir(parents=True, exist_ok=True)
    export_runs([run], place)
    network = record.model.network_sha256
    return Added(
        run_id=record.run_id,
        archive=place,
        licence_missing=None if network in about.models else network,
    )


def archive_name(record: RunRecord) -> str:
    """Where a run lies in a repository, with slashes."""
    target = re.sub(r"[^A-Za-z0-9.=-]+", "_", record.target).strip("_")
    return f"{FOLDER}/{record.created[:10]}/{target}/{record.run_id}{SUFFIX}"


def archives(folder: Path) -> Iterator[Path]:
    """Every archive of a repository, sorted by date and target."""
    yield from sorted((folder / FOLDER).glob(f"*/*/*{SUFFIX}"))
