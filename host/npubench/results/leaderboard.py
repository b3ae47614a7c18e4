"""A repository's page: networks, then tables of what may be set against each other.

Counted, modelled and measured are apart, and so are engines whose source is open and closed; what
others published of the same network stands beside them, and what was not run is a row with its
reason. Each number links to the archive that proves it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.core import format as fmt
from npubench.core.errors import NpubenchError
from npubench.core.evidence import MEANING, Evidence
from npubench.core.stages import Stage
from npubench.published import (
    Choice,
    Engine,
    Published,
    engine_named,
    engine_of_backend,
    networks,
    plain_name,
    published,
    sources,
)
from npubench.results.html import html
from npubench.results.page import Column, Item, Page, Section, Table, markdown
from npubench.results.repository import About, archives, read_about
from npubench.runs.against import network_of
from npubench.runs.archive import unpack
from npubench.runs.cite import cite
from npubench.runs.manifest import manifest_sha256
from npubench.runs.schema import RangeRecord, RunRecord, StageRecord
from npubench.runs.staging import storage
from npubench.runs.store import read_run
from npubench.target import parse_target

PAGE = "README.md"
SITE = "index.html"
BIBLIOGRAPHY = "results.bib"
SOURCES = ("open", "closed", "not said")
_NBSP = "\u00a0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A result: its archive's path, its manifest's hash, its entry in a bibliography."""

    record: RunRecord
    place: str
    manifest: str
    bibtex: str = ""


def write_leaderboard(folder: Path) -> tuple[Path, ...]:
    """Write the newest result per network and target as ``README.md``, ``index.html`` and
    ``results.bib``.

    Raises ConfigError when the folder is no repository, StorageError.
    """
    texts = leaderboard(folder)
    for name, text in texts.items():
        with storage(folder / name):
            (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in texts)


def leaderboard(folder: Path) -> dict[str, str]:
    """The files of the page, by name. Raises ConfigError when the folder is no repository."""
    about = read_about(folder)
    newest: dict[tuple[str, str], Row] = {}
    for archive in archives(folder):
        with tempfile.TemporaryDirectory(prefix="npubench-results-") as scratch:
            try:
                (run_folder,) = unpack(archive, Path(scratch))
                run = read_run(run_folder)
                row = Row(
                    record=run.record,
                    place=archive.relative_to(folder).as_posix(),
                    manifest=manifest_sha256(run_folder) or "",
                    bibtex=cite(run).bibtex(),
                )
            except (NpubenchError, ValueError):
                continue  # `results check` names it
        newest[run.record.model.network_sha256, run.record.target] = row
    rows = list(newest.values())
    page = make_page(about, rows)
    return {
        PAGE: markdown(page),
        SITE: html(page),
        BIBLIOGRAPHY: "\n".join(row.bibtex for row in sorted(rows, key=lambda row: row.place)),
    }


def make_page(about: About, rows: Sequence[Row]) -> Page:
    """The page; equal results give an equal one."""
    paragraphs = (
        "Each number links to an archive of its run: npubench verify ARCHIVE derives it again from "
        "the raw bytes, npubench reproduce builds and runs it again. Numbers of different "
        "evidence stand in tables of their own and are not to be set against each other, and "
        "neither are instructions of different cores.",
        *(" ".join(part.split()) for part in about.introduction.split("\n\n") if part.strip()),
    )
    sections = list(_networks(about, rows))
    if about.made_by:
        sections.append(Section(title="Made by", commands=about.made_by))
    sections.append(
        Section(
            title="If you find a mistake",
            paragraphs=(
                f"Tell {about.contact}." if about.contact else "Open an issue in this repository.",
                "Name the run and what its bytes say instead; a result that is wrong is taken "
                "out, and its place says why.",
                f"The results are under {about.licence}; the networks in the archives are under "
                "the licences that results.toml names. results.bib has an entry for each result.",
            ),
        )
    )
    return Page(title=about.title, paragraphs=paragraphs, sections=tuple(sections))


def _networks(about: About, rows: Sequence[Row]) -> Iterator[Section]:
    named = sorted(
        {
            (_name(about, row.record), row.record.model.network_sha256): row.record for row in rows
        }.items()
    )
    for (name, network), record in named:
        own = sorted(
            (row for row in rows if row.record.model.network_sha256 == network),
            key=lambda row: row.record.target,
        )
        licence = about.models.get(network)
        macs = record.model.macs
        yield Section(
            title=name,
            paragraphs=(
                f"Network {network[:16]}"
                + ("" if macs is None else f", {fmt.si(macs, 'MAC')}s an inference")
                + ("." if licence is None else f", {licence.licence}. {licence.source}".rstrip()),
            ),
            tables=(*_own_tables(own), *_published_tables(own)),
        )
    if about.not_run:
        yield Section(title="Not run", tables=(_not_run(about.not_run),))


def _name(about: About, record: RunRecord) -> str:
    model = about.models.get(record.model.network_sha256)
    return record.model.name if model is None else model.name


def _own_tables(rows: Sequence[Row]) -> Iterator[Table]:
    for source in SOURCES:
        mine = [row for row in rows if _source(engine_of_backend(row.record.backend)) == source]
        for evidence in Evidence:
            kind = [row for row in mine if row.record.evidence is evidence]
            if kind and evidence is not Evidence.MODELLED:
                yield Table(
                    title=_title(evidence, source),
                    lead=f"{MEANING[evidence].capitalize()}.",
                    columns=(
                        Column(title="Target"),
                        Column(title="Infer", number=True),
                        Column(title="End to end", number=True),
                        Column(title="Flash", number=True),
                        Column(title="RAM", number=True),
                        Column(title="Golden"),
                        Column(title="npubench"),
                        Column(title="Run"),
                    ),
                    rows=tuple(_counted(row) for row in kind),
                )
        timed = [row for row in mine if _modelled_time(row.record) is not None]
        if timed:
            yield Table(
                title=_title(Evidence.MODELLED, source),
                lead="Output of a documented model, not an observation: the middle and the range "
                "within which the model says that infer lies.",
                columns=(
                    Column(title="Target"),
                    Column(title="Infer", number=True),
                    Column(title="from, to", number=True),
                    Column(title="Energy from, to", number=True),
                    Column(title="Flash", number=True),
                    Column(title="RAM", number=True),
                    Column(title="Golden"),
                    Column(title="Model"),
                    Column(title="Run"),
                ),
                rows=tuple(_modelled(row) for row in timed),
            )


def _title(evidence: Evidence, source: str) -> str:
    words = {"open": "open engines", "closed": "closed engines"}
    return f"{str(evidence).capitalize()}, {words.get(source, 'engines of unknown source')}"


def _source(engine: Engine | None) -> str:
    return "not said" if engine is None else engine.source


def _counted(row: Row) -> tuple[Item, ...]:
    record = row.record
    return (
        Item(text=record.target),
        Item(text=_stage(record.stages.get(Stage.INFER)), link=row.place),
        Item(text=_stage(record.stages.get(Stage.END_TO_END)), link=row.place),
        *_memory(row),
        Item(text=record.golden.status),
        Item(text=_version(record)),
        Item(text=row.manifest[:12], link=row.place),
    )


def _modelled(row: Row) -> tuple[Item, ...]:
    record = row.record
    time = _modelled_time(record)
    assert time is not None
    energy = record.stages[Stage.INFER].energy_uj
    return (
        Item(text=record.target),
        Item(text=fmt.micro(time.mid, "s"), link=row.place),
        Item(text=fmt.between(time.low, time.high, "s"), link=row.place),
        Item(text=fmt.NONE)
        if energy is None
        else Item(text=fmt.between(energy.low, energy.high, "J"), link=row.place),
        *_memory(row),
        Item(text=record.golden.status),
        Item(text=time.model),
        Item(text=row.manifest[:12], link=row.place),
    )


def _memory(row: Row) -> tuple[Item, ...]:
    memory = row.record.memory
    if memory is None:
        return (Item(text=fmt.NONE), Item(text=fmt.NONE))
    return tuple(
        Item(text=fmt.size(size), link=row.place) for size in (memory.flash_bytes, memory.ram_bytes)
    )


def _stage(stage: StageRecord | None) -> str:
    return fmt.NONE if stage is None or stage.median is None else fmt.stage(
        stage.median, stage.unit
    )  # fmt: skip


def _modelled_time(record: RunRecord) -> RangeRecord | None:
    """The modelled time of a run's infer, in microseconds, with its model's name."""
    stage = record.stages.get(Stage.INFER)
    if stage is None:
        return None
    if stage.time_us is not None:
        model = stage.time_us.model or ("" if stage.cycles is None else stage.cycles.model)
        return stage.time_us.model_copy(update={"model": model})
    if stage.unit != "us_modelled" or stage.median is None:
        return None
    parts = []
    if record.npu is not None:
        parts.append(f"NPU: {record.npu.accelerator}, {record.npu.config_sha256[:12]}")
    parts.append("CPU: the board's range of cycles per instruction")
    return RangeRecord(
        low=stage.median if stage.low is None else stage.low,
        mid=stage.median,
        high=stage.median if stage.high is None else stage.high,
        model="; ".join(parts),
    )


def _version(record: RunRecord) -> str:
    git = record.environment.git
    return record.environment.npubench + (f" at {git}" if git else "")


def _published_tables(own: Sequence[Row]) -> Iterator[Table]:
    """What others published of this network on a board of ours; how many more there are is said."""
    found = network_of(own[0].record)
    if found is None:
        return
    network, same = found
    known = sources()
    boards = {plain_name(row.record.board) for row in own}
    rows = published(Choice(network=network))
    here = [row for row in rows if plain_name(row.result.board) in boards]
    weights = "the same architecture with weights of its own"
    if same:
        weights = "the reference file itself"
    elif not networks()[network].mlperf:
        weights = networks()[network].likeness
    lead = (
        f"Quoted, on boards that stand above: nothing of it was run here. Ours is {weights}; other "
        f"differences: npubench published --model {network} --against RUN. {len(rows) - len(here)} "
        "more on other boards."
    )
    for source in SOURCES:
        for origin in ("measured", "modelled"):
            kind = [
                row
                for row in here
                if row.origin == origin and _source(engine_named(row.result.engine)) == source
            ]
            if kind:
                words = _title(Evidence.PUBLISHED, source)
                yield Table(
                    title=f"{words}, {origin} there",
                    lead=lead,
                    columns=(
                        Column(title="Who"),
                        Column(title="Board"),
                        Column(title="Engine"),
                        Column(title="Clock", number=True),
                        Column(title="Latency", number=True),
                        Column(title="Energy", number=True),
                        Column(title="Where it stands", long=True),
                    ),
                    rows=tuple(_quoted(row, known[row.source].url) for row in kind),
                )
                lead = ""


def _quoted(row: Published, url: str) -> tuple[Item, ...]:
    result = row.result
    who = " ".join(filter(None, (row.source, result.round, result.submitter)))
    return (
        Item(text=who),
        Item(text=result.board),
        Item(text=result.engine.partition(";")[0].partition("=")[0]),
        Item(text=fmt.NONE if result.clock_mhz is None else f"{result.clock_mhz:.4g}{_NBSP}MHz"),
        Item(text=fmt.micro(result.latency_us, "s"), link=url),
        Item(text=fmt.micro(result.energy_uj, "J"), link=None if result.energy_uj is None else url),
        Item(text=result.locator),
    )


def _not_run(reasons: dict[str, str]) -> Table:
    return Table(
        title="",
        lead="",
        columns=(
            Column(title="Target"),
            Column(title="Engine's source"),
            Column(title="Why there is no number"),
        ),
        rows=tuple(
            (
                Item(text=target),
                Item(text=_source(engine_of_backend(_backend(target)))),
                Item(text=why),
            )
            for target, why in sorted(reasons.items())
        ),
    )


def _backend(target: str) -> str:
    try:
        return parse_target(target).backend
    except NpubenchError:
        return ""
