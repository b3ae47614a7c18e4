"""Every page of a report, by the kinds of pages that there are.

A module in ``report/pages`` is a kind of page: ORDER and ``pages(library)``; its template lies
beside it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from npubench.report import pages
from npubench.report.library import Library
from npubench.report.page import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class PageModule:
    """A module of ``report/pages``."""

    name: str
    order: int
    pages: Callable[[Library], Iterable[Page]]


@cache
def discover_pages() -> tuple[PageModule, ...]:
    """Every kind of page, by its ORDER, then by name."""
    found = []
    for info in pkgutil.iter_modules(pages.__path__):
        module = import_module(f"{pages.__name__}.{info.name}")
        found.append(PageModule(name=info.name, order=module.ORDER, pages=module.pages))
    return tuple(sorted(found, key=lambda page: (page.order, page.name)))


def all_pages(library: Library) -> Iterator[Page]:
    """Every page of a report, the index first; each is made when it is asked for."""
    for module in discover_pages():
        yield from module.pages(library)
