"""Where things lie: the data folders (boards, firmware, models), caches and runs."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from npubench.core.errors import ConfigError

_MARKS = ("boards", "firmware", "models")
_NAMED = re.compile(r"(?<![\w/.-])(?:docs|boards|firmware|models|published)/[\w./-]*\w")


@cache
def checkout_root() -> Path | None:
    """The checkout this package runs from, or None when it is installed from a wheel."""
    root = Path(__file__).resolve().parents[3]
    if (root / "pyproject.toml").is_file() and all((root / mark).is_dir() for mark in _MARKS):
        return root
    return None


def package_root() -> Path:
    """The folder of the rooms of this source root, for files that lie beside their code."""
    return Path(__file__).resolve().parents[1]


@cache
def data_root() -> Path:
    """The folder that holds ``boards/``, ``firmware/`` and ``models/``; a checkout wins.

    Raises ConfigError when neither a checkout nor installed data is there.
    """
    checkout = checkout_root()
    if checkout is not None:
        return checkout
    installed = Path(__file__).resolve().parents[1] / "_data"
    if installed.is_dir():
        return installed
    raise ConfigError(
        f"npubench's data folders are missing (looked in {installed})",
        hint="reinstall the package, or run from a checkout",
    )


def located(text: str) -> str:
    """``text`` with the files of ours that it names (docs/power.md) where they lie here.

    Who stands in the checkout finds them as they are named; who has a wheel, or stands elsewhere,
    gets the whole path. What is not here stays as it is.
    """
    try:
        root = data_root()
    except ConfigError:
        return text
    if root == Path.cwd():
        return text

    def whole(match: re.Match[str]) -> str:
        path = root / match[0]
        return str(path) if path.exists() else match[0]

    return _NAMED.sub(whole, text)


def cache_root() -> Path:
    """Where caches live: ``NPUBENCH_CACHE``, ``.cache`` of a checkout, or the user's cache."""
    override = os.environ.get("NPUBENCH_CACHE")
    if override:
        return Path(override).absolute()
    checkout = checkout_root()
    if checkout is not None:
        return checkout / ".cache"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "npubench"
