"""Flash and RAM by owner, beside the empty firmware, and as a share of what the board has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from npubench.core import format as fmt
from npubench.report.charts import bars, fixed, stack
from npubench.report.figure import Figure, Row
from npubench.report.grid import Cell, Column, Grid, columns, size
from npubench.report.library import Library, board_of, run_page
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.runs.schema import MemoryRecord, RunRecord
from npubench.runs.store import StoredRun

TITLE = "Memory"
ORDER = 60

FLASH = {
    "weights": "var(--c1)",
    "kernels": "var(--c3)",
    "harness": "var(--c2)",
    "other": "var(--c5)",
}
RAM = {
    "arena": "var(--c1)",
    "scratch": "var(--c3)",
    "harness": "var(--c2)",
    "data": "var(--c6)",
    "stack": "var(--c4)",
    "other": "var(--c5)",
}
LEAD = (
    "Gross figures of the linked image, by owner; the empty firmware of the same board, start-up "
    "and an endless loop, stands beside them. The uploaded input is the test's own and is not "
    "counted."
)
Split = Callable[[MemoryRecord], dict[str, int | None]]


def flash_parts(memory: MemoryRecord) -> dict[str, int | None]:
    """Flash by owner, bytes; ``other`` is what no owner claims, so that the parts add up."""
    parts: dict[str, int | None] = {
        "weights": memory.weights_bytes,
        "kernels": memory.kernels_bytes,
        "harness": memory.harness_flash_bytes,
    }
    return parts | {"other": max(0, memory.flash_bytes - _sum(parts))}


def ram_parts(memory: MemoryRecord) -> dict[str, int | None]:
    """RAM by owner, bytes; ``other`` is what no owner claims, so that the parts add up."""
    parts: dict[str, int | None] = {
        "arena": memory.arena_bytes,
        "scratch": memory.scratch_bytes,
        "harness": memory.harness_ram_bytes,
        "data": memory.data_bytes,
        "stack": memory.stack_bytes,
    }
    return parts | {"other": max(0, memory.ram_bytes - _sum(parts))}


def _sum(parts: Mapping[str, int | None]) -> int:
    return sum(value or 0 for value in parts.values())


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """Two panels: flash and RAM."""
    found = [(run, run.memory) for run in network.runs if run.memory is not None]
    if not found:
        return None
    return View(
        lead=LEAD,
        figures=(
            _figure("flash", found, FLASH, flash_parts),
            _figure("ram", found, RAM, ram_parts),
        ),
        grids=(
            _grid("flash", found, FLASH, flash_parts, library),
            _grid("ram", found, RAM, ram_parts, library),
        ),
    )


def of_run(stored: StoredRun, library: Library) -> View | None:
    """One run's account, and how much of each region of the board it takes."""
    run = stored.record
    if run.memory is None:
        return None
    found = [(run, run.memory)]
    figures = [_figure("flash", found, FLASH, flash_parts), _figure("ram", found, RAM, ram_parts)]
    regions = region_shares(run)
    grids = [
        _grid("flash", found, FLASH, flash_parts, library),
        _grid("ram", found, RAM, ram_parts, library),
    ]
    if regions:
        figures.insert(0, _regions_figure(regions))
        grids.append(
            Grid(
                name="regions",
                caption="Regions of the board, the uploaded input with them",
                columns=columns("Region", "#Used", "#Size", "#Share"),
                rows=tuple(
                    (
                        Cell(text=name),
                        size(used),
                        size(whole),
                        Cell(text=fmt.percent(used / whole), value=used / whole),
                    )
                    for name, used, whole in regions
                ),
            )
        )
    return View(lead=LEAD, figures=tuple(figures), grids=tuple(grids))


def region_shares(run: RunRecord) -> list[tuple[str, int, int]]:
    """Name, bytes used and bytes there of each region that the run took and the board describes."""
    board = board_of(run.board)
    if run.memory is None or board is None:
        return []
    sizes = {region.name: region.size_bytes for region in board.memory}
    return [
        (name, used, sizes[name])
        for name, used in run.memory.regions.items()
        if sizes.get(name) and used
    ]


def _regions_figure(regions: Sequence[tuple[str, int, int]]) -> Figure:
    rows: list[Row] = [
        {
            "region": name,
            "share": used / whole,
            "text": f"{fmt.size(used)} of {fmt.size(whole)}, {fmt.percent(used / whole)}",
        }
        for name, used, whole in regions
    ]
    return Figure(
        name="regions",
        title="Share of the board's memory",
        words="; ".join(f"{row['region']}: {row['text']}" for row in rows),
        rows=tuple(rows),
        spec=bars(category="region", value="share", title="share of the region", share=True),
    )


def _figure(
    name: str,
    found: Sequence[tuple[RunRecord, MemoryRecord]],
    colours: Mapping[str, str],
    split: Split,
) -> Figure:
    used = {part for _, memory in found for part, value in split(memory).items() if value}
    domain, shades = fixed(colours, list(used))
    title = "Flash" if name == "flash" else "RAM"
    rows: list[Row] = [
        {
            "target": run.target,
            "owner": part,
            "kib": (split(memory)[part] or 0) / fmt.KIB,
            "order": domain.index(part),
            "text": fmt.size(split(memory)[part]),
        }
        for run, memory in found
        for part in domain
    ]
    totals = [memory.flash_bytes if name == "flash" else memory.ram_bytes for _, memory in found]
    return Figure(
        name=name,
        title=f"{title} by owner",
        words="; ".join(
            f"{run.target}: {fmt.size(total)}"
            for (run, _), total in zip(found, totals, strict=True)
        ),
        rows=tuple(rows),
        spec=stack(
            category="target",
            part="owner",
            value="kib",
            title=f"{title}, KiB",
            parts=domain,
            colours=shades,
        ),
    )


def _grid(
    name: str,
    found: Sequence[tuple[RunRecord, MemoryRecord]],
    owners: Mapping[str, str],
    split: Split,
    library: Library,
) -> Grid:
    flash = name == "flash"
    used = [part for part in owners if any(split(memory)[part] for _, memory in found)]
    head = [Column(title="Target"), Column(title="Total", number=True)]
    head += [Column(title=part, number=True) for part in used]
    head.append(Column(title="Empty firmware", number=True))
    if not flash:
        head.append(Column(title="Uploaded input", number=True))
    rows = []
    for run, memory in found:
        parts = split(memory)
        total = memory.flash_bytes if flash else memory.ram_bytes
        base = memory.baseline_flash_bytes if flash else memory.baseline_ram_bytes
        row = [
            Cell(text=run.target, page=library.page(run_page(run.run_id))),
            Cell(text=fmt.size(total), value=total, strong=True),
            *(size(parts[part]) for part in used),
            size(base),
        ]
        if not flash:
            row.append(size(memory.fixture_bytes))
        rows.append(tuple(row))
    return Grid(
        name=name,
        caption=f"{'Flash' if flash else 'RAM'} (static: from the linked image)",
        columns=tuple(head),
        rows=tuple(rows),
    )
