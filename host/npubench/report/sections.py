"""The views of a subject, found by their modules.

A module in ``report/views`` is a view. It has ``TITLE``, ``ORDER`` and any of ``of_network``,
``of_run``, ``of_board``, ``of_backend``, ``of_sweep`` and ``of_all``, each of which gives a `View`
or None.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from npubench.report import views
from npubench.report.library import Library
from npubench.report.view import View

KINDS = ("network", "run", "board", "backend", "sweep", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A view in its place on a page."""

    name: str
    title: str
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewModule:
    """A module of ``report/views``."""

    name: str
    title: str
    order: int
    makers: Mapping[str, Callable[..., View | None]]


@cache
def discover_views() -> tuple[ViewModule, ...]:
    """Every view, by its ORDER, then by name."""
    found = []
    for info in pkgutil.iter_modules(views.__path__):
        module = import_module(f"{views.__name__}.{info.name}")
        if not hasattr(module, "ORDER"):
            continue
        makers = {kind: getattr(module, f"of_{kind}", None) for kind in KINDS}
        found.append(
            ViewModule(
                name=info.name,
                title=module.TITLE,
                order=module.ORDER,
                makers={kind: maker for kind, maker in makers.items() if maker is not None},
            )
        )
    return tuple(sorted(found, key=lambda view: (view.order, view.name)))


def sections(kind: str, subject: Any, library: Library) -> tuple[Section, ...]:
    """The views of a subject that have something to say."""
    found = []
    for module in discover_views():
        maker = module.makers.get(kind)
        view = None if maker is None else maker(subject, library)
        if view is not None:
            found.append(Section(name=module.name, title=module.title, view=view))
    return tuple(found)
