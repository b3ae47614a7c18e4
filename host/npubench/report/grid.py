"""A table as data: what a page, a terminal, Markdown, LaTeX and CSV all show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from npubench.core import format as fmt

Value = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """``unit`` holds for the whole column; ``wide`` columns hold sentences; ``hint`` explains."""

    title: str
    unit: str = ""
    number: bool = False
    wide: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """``text`` is for people, ``value`` for machines and for sorting; ``page`` is the path of a
    page of the site; ``badge`` a kind of evidence or ``good``, ``bad``, ``warn``; ``under`` stands
    small below; ``share``: a bar from 0 to 1, with ``span`` drawn over it."""

    text: str
    value: Value = None
    page: str = ""
    badge: str = ""
    hint: str = ""
    under: str = ""
    share: float | None = None
    strong: bool = False
    code: bool = False

    @property
    def plain(self) -> bool:
        """Whether its text is all that there is to show."""
        return not (self.badge or self.page or self.code or self.strong or self.under) and (
            self.share is None
        )

    @property
    def sort(self) -> Value:
        """What a column is sorted by."""
        return self.text if self.value is None else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """``name`` is unique on its page. The first column names the row."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    foot: tuple[tuple[Cell, ...], ...] = ()
    dense: bool = False
    note: str = ""

    def without_empty(self) -> Grid:
        """Without the columns that say nothing in any row; the first stays."""
        keep = [
            at
            for at in range(len(self.columns))
            if at == 0 or any(row[at].text not in ("", fmt.NONE) for row in self.rows)
        ]
        if len(keep) == len(self.columns):
            return self
        return Grid(
            name=self.name,
            columns=tuple(self.columns[at] for at in keep),
            rows=tuple(tuple(row[at] for at in keep) for row in self.rows),
            foot=tuple(tuple(row[at] for at in keep) for row in self.foot),
            caption=self.caption,
            dense=self.dense,
            note=self.note,
        )


def number(
    value: float | int | None,
    words: Callable[[float | int | None], str] = fmt.count,
    *,
    hint: str = "",
    under: str = "",
    share: float | None = None,
    strong: bool = False,
) -> Cell:
    """A number as ``words`` tell it; a dash where there is none."""
    return Cell(
        text=fmt.NONE if value is None else words(value),
        value=value,
        hint=hint,
        under=under,
        share=share,
        strong=strong,
    )


def text(words: str | None, *, page: str = "", hint: str = "", under: str = "") -> Cell:
    """Words; a dash for none."""
    return Cell(text=words or fmt.NONE, page=page, hint=hint, under=under)


def size(value_bytes: int | None, *, hint: str = "", share: float | None = None) -> Cell:
    """Bytes."""
    return Cell(text=fmt.size(value_bytes), value=value_bytes, hint=hint, share=share)


def columns(*titles: str) -> tuple[Column, ...]:
    """Columns by their titles: ``#`` before a title makes it a number, ``~`` a sentence."""
    return tuple(
        Column(title=title.lstrip("#~"), number=title.startswith("#"), wide=title.startswith("~"))
        for title in titles
    )


def rows(found: Iterable[Iterable[Cell]]) -> tuple[tuple[Cell, ...], ...]:
    """Rows, each as a tuple."""
    return tuple(tuple(row) for row in found)
