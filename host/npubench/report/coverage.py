"""Which operators run where, as JSON values, as a table and as the page docs/coverage.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from npubench.compiler.coverage.network import Use
from npubench.compiler.coverage.table import Coverage
from npubench.core.version import VERSION

if TYPE_CHECKING:
    from rich.console import RenderableType

_PAGE = """# Operators

Which operators run, in which element types, on which engine. Made by `npubench coverage \
--markdown` from the lowerings themselves and from what the NPUs' compilers say; do not edit.

- **cpu**: our kernels; some form of the operator in that type is taken. Not every form is: a \
refusal names the operator and the reason (`npubench analyze MODEL`).
- **ethos-u**: what Vela lists for U55 and U65; each has conditions of its own (shapes, strides, \
scales). What Vela leaves, and what it lists but refuses, must run on the CPU.
- **max7800x**: what becomes a layer of the MAX78000's or MAX78002's accelerator.

Not in the table: {silent}.

`npubench coverage MODEL` gives the table of a network, with `--board` where each operator runs.

"""


def coverage_document(table: Coverage) -> dict[str, Any]:
    """The general table as JSON values."""
    return {
        "npubench": VERSION,
        "operators": [asdict(row) for row in table.rows],
        "silent": table.silent,
    }


def coverage_markdown(table: Coverage) -> str:
    """The page docs/coverage.md."""
    engines = list(table.rows[0].engines) if table.rows else []
    silent = ", ".join(f"`{name}` ({why})" for name, why in sorted(_by_reason(table).items()))
    lines = [f"| operator | {' | '.join(engines)} |", f"| --- |{' --- |' * len(engines)}"]
    lines += [
        f"| `{row.op}` | {' | '.join(_types(row.engines[engine]) for engine in engines)} |"
        for row in table.rows
    ]
    return _PAGE.format(silent=silent or "nothing") + "\n".join(lines) + "\n"


def coverage_view(table: Coverage) -> RenderableType:
    """The general table for a terminal."""
    from rich.console import Group
    from rich.text import Text

    from npubench.report.table import new_table

    engines = list(table.rows[0].engines) if table.rows else []
    view = new_table()
    view.add_column("Operator", no_wrap=True)
    for engine in engines:
        view.add_column(engine, overflow="fold")
    for row in table.rows:
        view.add_row(row.op, *(_types(row.engines[engine]) for engine in engines))
    notes = [Text(f"{name}: {why}", style="dim") for name, why in _by_reason(table).items()]
    return Group(view, *notes)


def uses_document(uses: Sequence[Use]) -> list[dict[str, Any]]:
    """A network's operators as JSON values."""
    return [asdict(use) for use in uses]


def uses_view(uses: Sequence[Use], engines: dict[int, str] | None = None) -> RenderableType:
    """A network's operators for a terminal; ``engines``: where each runs on a board."""
    from npubench.report.table import new_table

    view = new_table()
    for title in ("Operator", "Type", "Count", "CPU", "Listed by", "On the board")[
        : 5 if engines is None else 6
    ]:
        view.add_column(title, overflow="fold", justify="right" if title == "Count" else "left")
    for use in uses:
        count = len(use.indices)
        cpu = "yes"
        if use.refused:
            some = "no" if len(use.refused) == count else f"{count - len(use.refused)} of {count}"
            cpu = f"{some}: {use.reason}"
        cells = [use.op, str(use.dtype), str(count), cpu, ", ".join(use.listed) or "-"]
        if engines is not None:
            places = sorted({engines.get(index, "nowhere") for index in use.indices})
            cells.append(", ".join(places))
        view.add_row(*cells)
    return view


def missing_lines(missing: Sequence[Use]) -> list[str]:
    """One line for each operator and type that the CPU does not take."""
    lines = []
    for use in missing:
        where = ", ".join(str(index) for index in use.refused[:8])
        more = ", ..." if len(use.refused) > 8 else ""
        npus = f"; listed by {', '.join(use.listed)}" if use.listed else ""
        lines.append(
            f"{use.op} {use.dtype} ({len(use.refused)} of {len(use.indices)}, operators "
            f"{where}{more}): {use.reason}{npus}"
        )
    return lines


def _types(dtypes: Sequence[str]) -> str:
    return ", ".join(str(dtype) for dtype in dtypes) or "-"


def _by_reason(table: Coverage) -> dict[str, str]:
    """Silent backends, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for name, reason in table.silent.items():
        reasons.setdefault(reason, []).append(name)
    return {", ".join(names): reason for reason, names in reasons.items()}
