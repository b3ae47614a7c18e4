"""Plug-ins of other packages, loaded by their entry points: one way, with a version looked at.

An interface has a version, a whole number that is raised when what it asks for changes. The module
that an entry point names says for which it was written: ``API_VERSION = 1``. A module that says
nothing was written before there were versions, for the first.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

from npubench.core.errors import ToolError
from npubench.core.renamed import honour_old_paths

FIRST = 1


def load_plugin(plugin: EntryPoint, *, kind: str, version: int) -> object:
    """The object that an entry point names. ``kind`` is the interface, in words; ``version`` ours.

    Raises ToolError when it cannot be loaded, or was written for another version.
    """
    honour_old_paths()
    try:
        loaded: object = plugin.load()
    except Exception as error:  # a foreign plug-in may fail in any way
        raise ToolError(
            f"{kind} {plugin.name!r} ({plugin.value}) cannot be loaded: {error}",
            hint="repair or remove the package that brings it",
        ) from error
    theirs = getattr(sys.modules[plugin.module], "API_VERSION", FIRST)
    if theirs != version:
        older = isinstance(theirs, int) and theirs < version
        raise ToolError(
            f"{kind} {plugin.name!r} ({plugin.value}) was written for version {theirs} of its "
            f"interface, this npubench has version {version}",
            hint="update the package that brings it" if older else "update npubench",
        )
    return loaded
