"""What instruments claim by their data sheets: ``profiles/<driver>.toml``, each with its source."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, ValidationError

from npubench.core.errors import ConfigError
from npubench.power.source.accuracy import Accuracy


class Profile(BaseModel):
    """One instrument's claim. ``note`` says how it is to be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    accuracy: Accuracy
    note: str = ""


def profile_accuracy(name: str) -> Accuracy | None:
    """The accuracy in a driver's profile; None when there is no profile. Raises ConfigError."""
    path = files("npubench.power") / "profiles" / f"{name}.toml"
    if not path.is_file():
        return None
    try:
        return Profile.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).accuracy
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(f"the profile {name}.toml is wrong: {error}") from error
