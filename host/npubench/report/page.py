"""A page of the report: where it lies and what stands on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from npubench.report.figure import Figure
from npubench.report.sections import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """``path`` without suffix, from the site's root; ``kind`` names its module and template;
    ``key``: an id that its figures' file names begin with."""

    path: str
    kind: str
    title: str
    key: str
    sections: tuple[Section, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def template(self) -> str:
        """The template's name."""
        return f"pages/{self.kind}.html.j2"

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Every figure of its views."""
        return tuple(figure for section in self.sections for figure in section.view.figures)
