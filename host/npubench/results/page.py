"""A page of tables as data, and as Markdown for git hosts; as HTML in `html`."""

from __future__ import annotations

from dataclasses import dataclass

from npubench.core import format as fmt


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A text in a table; ``link`` goes to what proves it."""

    text: str
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column; numbers stand to the right, a ``long`` text may break anywhere."""

    title: str
    number: bool = False
    long: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of one kind: what may be set against each other."""

    title: str
    lead: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Item, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What belongs to one heading: paragraphs, commands to type, tables."""

    title: str
    paragraphs: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A title, what stands before the first heading, and sections."""

    title: str
    paragraphs: tuple[str, ...]
    sections: tuple[Section, ...]


def markdown(page: Page) -> str:
    """The page as Markdown; equal pages give equal text."""
    lines = [f"# {fmt.for_markdown(page.title)}", ""]
    for text in page.paragraphs:
        lines += [fmt.for_markdown(text), ""]
    for section in page.sections:
        lines += [f"## {fmt.for_markdown(section.title)}", ""]
        for text in section.paragraphs:
            lines += [fmt.for_markdown(text), ""]
        if section.commands:
            lines += ["```sh", *(fmt.printable(command, 200) for command in section.commands)]
            lines += ["```", ""]
        for table in section.tables:
            lines += _table(table)
    return "\n".join(lines).rstrip("\n") + "\n"


def _table(table: Table) -> list[str]:
    lines = []
    if table.title:
        lines += [f"### {fmt.for_markdown(table.title)}", ""]
    if table.lead:
        lines += [fmt.for_markdown(table.lead), ""]
    lines += [
        "| " + " | ".join(fmt.for_markdown(column.title) for column in table.columns) + " |",
        "| " + " | ".join("--:" if column.number else "---" for column in table.columns) + " |",
    ]
    lines += ["| " + " | ".join(_item(item) for item in row) + " |" for row in table.rows]
    return [*lines, ""]


def _item(item: Item) -> str:
    text = fmt.for_markdown(item.text)
    return text if item.link is None else f"[{text}]({item.link})"
