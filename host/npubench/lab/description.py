"""Who has what in the lab, as this user has written it down.

``[lab]`` of bench.toml says where the coordinator is and what stands at places whose tags do not
say it; labgrid's own environment file (``LG_ENV``) gives places the names of their roles.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from npubench.core.errors import ConfigError, UsageError
from npubench.lab.coordinator import DEFAULT, PlaceState
from npubench.power.source.benchfile import LabPart, read_bench

PROBE_TAG = "probe"
ENVIRONMENT = "LG_ENV"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """``roles``: places by the names of an environment's targets."""

    coordinator: str = DEFAULT
    part: LabPart = field(default_factory=LabPart)
    roles: Mapping[str, str] = field(default_factory=dict)

    def place_name(self, said: str) -> str:
        """The place that is meant: a role of the environment, or the place's own name."""
        return self.roles.get(said, said)

    def described(self, places: Iterable[PlaceState]) -> tuple[PlaceState, ...]:
        """Places with what bench.toml says of them. Raises ConfigError where a tag says another
        thing."""
        return tuple(self._described(place) for place in places)

    def _described(self, place: PlaceState) -> PlaceState:
        note = self.part.places.get(place.name)
        if note is None:
            return place
        for what, tagged, said in (
            ("board", place.board, note.board),
            ("probe", place.tags.get(PROBE_TAG, ""), note.probe),
        ):
            if tagged and said and tagged != said:
                raise ConfigError(
                    f"the place {place.name} has the {what} {said} by bench.toml, but {tagged} by "
                    "its tag",
                    hint=f"correct lab.places.{place.name}, or the tag: labgrid-client -p "
                    f"{place.name} set-tags {what}={said}",
                )
        tags = dict(place.tags)
        if note.probe:
            tags[PROBE_TAG] = note.probe
        return replace(place, board=place.board or note.board, tags=tags)


def lab_description(coordinator: str | None = None) -> Description:
    """What is written down. The coordinator is the one that is said, else that of
    ``LG_COORDINATOR``, of bench.toml, of the environment file, else this machine. Raises
    ConfigError."""
    part = read_bench().lab
    path = os.environ.get(ENVIRONMENT) or part.environment
    address, roles = ("", {}) if not path else read_environment(Path(path))
    return Description(
        coordinator=coordinator
        or os.environ.get("LG_COORDINATOR")
        or part.coordinator
        or address
        or DEFAULT,
        part=part,
        roles=roles,
    )


def read_environment(path: Path) -> tuple[str, dict[str, str]]:
    """The coordinator of a labgrid environment file, and the place of each target that has one
    (resource ``RemotePlace``). Raises ConfigError."""
    try:
        import yaml
    except ImportError as error:
        raise ConfigError(
            f"{path}: labgrid's environment files are YAML, which is not installed",
            hint="pip install 'npubench[farm]'",
        ) from error
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: not plain YAML: {str(error).splitlines()[0]}",
            hint="tags such as !template are not read here; name the place itself",
        ) from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: no environment of labgrid: it has no targets")
    options = _mapping(document.get("options"))
    targets = _mapping(document.get("targets"))
    roles = {}
    for role, target in targets.items():
        for resource in _resources(_mapping(target).get("resources")):
            name = _mapping(resource.get("RemotePlace")).get("name")
            if isinstance(name, str):
                roles[str(role)] = name
    return str(options.get("coordinator_address") or ""), roles


def _resources(value: Any) -> Sequence[Mapping[str, Any]]:
    """One mapping of classes, or a list of such."""
    if isinstance(value, list):
        return [item for item in value if isinstance(item, dict)]
    return [value] if isinstance(value, dict) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def choose(
    places: Sequence[PlaceState], board: str, name: str, probe: str | None, *, any_name: str
) -> dict[str, str]:
    """Which place is reserved: labgrid's filter by tag or by name. ``places`` as described.

    Any place whose tag names the board will do where nothing tells more; one that only bench.toml
    describes is asked for by its name, a free one before others. Raises UsageError.
    """
    fit = [place for place in places if place.board == board]
    shown = ", ".join(f"{place.name} ({place.board or '?'})" for place in places) or "none"
    if name != any_name:
        found = next((place for place in places if place.name == name), None)
        if found is None:
            raise UsageError(f"the lab has no place {name!r}", hint=f"there are: {shown}")
        if found.board != board:
            raise UsageError(
                f"the place {name} has {found.board or 'a board that nobody has named'}, not "
                f"{board}",
                hint=f"if it does: labgrid-client -p {name} set-tags board={board}, or "
                f"[lab.places.{name}] in bench.toml",
            )
        fit = [found]
    if not fit:
        raise UsageError(
            f"no place of the lab has a {board}",
            hint=f"tag one: labgrid-client -p PLACE set-tags board={board}; there are: {shown}",
        )
    if probe is not None:
        fit = [place for place in fit if place.tags.get(PROBE_TAG) == probe]
        if not fit:
            probes = ", ".join(
                f"{place.name} ({place.tags.get(PROBE_TAG, 'no probe named')})"
                for place in places
                if place.board == board
            )
            raise UsageError(
                f"no place has a {board} with the probe {probe}", hint=f"there are: {probes}"
            )
        if len(fit) > 1:
            raise UsageError(
                f"the probe {probe} is at several places: {', '.join(place.name for place in fit)}",
                hint="a probe hangs on one board: correct the tags",
            )
    if name != any_name or probe is not None:
        return {"name": fit[0].name}
    if any(place.is_tagged(board) for place in fit):
        return {"board": board}
    free = [place for place in fit if not place.holder and not place.reservation]
    return {"name": (free or fit)[0].name}
