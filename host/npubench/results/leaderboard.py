"""A repository's table: networks, then targets; measured and modelled apart, nothing ranked across.

Each number links to the archive that proves it; what was not run is a row with its reason.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from npubench.core import format as fmt
from npubench.core.errors import NpubenchError
from npubench.core.evidence import MEANING, Evidence
from npubench.results.repository import About, archives, read_about
from npubench.runs.archive import unpack
from npubench.runs.manifest import manifest_sha256
from npubench.runs.schema import RunRecord
from npubench.runs.staging import storage
from npubench.runs.store import read_run

PAGE = "README.md"
Row = tuple[RunRecord, str, str]
"""A record, its archive's path, its manifest's hash."""


def write_leaderboard(folder: Path) -> Path:
    """Write the table of the newest result per network and target to ``README.md``.

    Raises ConfigError when the folder is no repository, StorageError.
    """
    about = read_about(folder)
    newest: dict[tuple[str, str], Row] = {}
    for archive in archives(folder):
        with tempfile.TemporaryDirectory(prefix="npubench-results-") as scratch:
            try:
                (run_folder,) = unpack(archive, Path(scratch))
                record = read_run(run_folder).record
            except (NpubenchError, ValueError):
                continue  # `results check` names it
            key = (record.model.network_sha256, record.target)
            place = archive.relative_to(folder).as_posix()
            newest[key] = (record, place, manifest_sha256(run_folder) or "")
    path = folder / PAGE
    with storage(path):
        path.write_text(render(about, list(newest.values())), encoding="utf-8")
    return path


def render(about: About, rows: Sequence[Row]) -> str:
    """The page as Markdown; equal results give equal text."""
    lines = [f"# {fmt.for_markdown(about.title)}", ""]
    lines += [
        "Each number links to an archive of its run; `npubench verify ARCHIVE` derives it again "
        "from the raw bytes. Numbers of different evidence stand in tables of their own and are "
        "not to be set against each other.",
        "",
    ]
    for network in sorted({record.model.network_sha256 for record, _, _ in rows}):
        own = [row for row in rows if row[0].model.network_sha256 == network]
        model = about.models.get(network)
        name = own[0][0].model.name if model is None else model.name
        lines += [f"## {fmt.for_markdown(name)}", "", f"Network `{network[:16]}`."]
        for evidence in Evidence:
            kind = [row for row in own if row[0].evidence is evidence]
            if kind:
                lines += ["", f"**{evidence}**: {MEANING[evidence]}", "", *_table(kind)]
        lines.append("")
    if about.not_run:
        lines += ["## Not run", "", "| target | why |", "| --- | --- |"]
        lines += [
            f"| {fmt.for_markdown(target)} | {fmt.for_markdown(why)} |"
            for target, why in sorted(about.not_run.items())
        ]
        lines.append("")
    lines += [
        "## If you find a mistake",
        "",
        f"Tell {fmt.for_markdown(about.contact)}."
        if about.contact
        else "Open an issue in this repository.",
        f"The results are under {fmt.for_markdown(about.licence)}.",
        "",
    ]
    return "\n".join(lines)


def _table(rows: Sequence[Row]) -> list[str]:
    lines = [
        "| target | infer | end to end | flash | RAM | golden | npubench | run |",
        "| --- | --: | --: | --: | --: | --- | --- | --- |",
    ]
    for record, place, manifest in sorted(rows, key=lambda row: row[0].target):
        memory = record.memory
        lines.append(
            f"| {fmt.for_markdown(record.target)} | {_stage(record, 'infer')} | "
            f"{_stage(record, 'end_to_end')} | "
            f"{fmt.size(None if memory is None else memory.flash_bytes)} | "
            f"{fmt.size(None if memory is None else memory.ram_bytes)} | "
            f"{record.golden.status} | {record.environment.npubench} | "
            f"[{manifest[:12]}]({place}) |"
        )
    return lines


def _stage(record: RunRecord, name: str) -> str:
    stage = record.stages.get(name)
    if stage is None or stage.median is None:
        return fmt.NONE
    if stage.low is not None and stage.high is not None:
        low, high = fmt.micro(float(stage.low), "s"), fmt.micro(float(stage.high), "s")
        return f"{low} to {high}"
    return fmt.quantity(stage.median, stage.unit)
