"""Verifications and reproductions as Rich text: what differs first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core import format as fmt
from npubench.core.format import printable
from npubench.report.table import cell, name, new_table, number

_STYLE = {
    "reproduced": "green",
    "built": "green",
    "differs": "bold red",
    "ok": "green",
    "broken": "bold red",
    "partial": "yellow",
}


class StageLike(Protocol):
    """One stage of a reproduction, as ``bench.reproduce`` makes it."""

    @property
    def stage(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def then(self) -> float | None: ...
    @property
    def now(self) -> float | None: ...
    @property
    def same(self) -> bool: ...
    @property
    def reason(self) -> str: ...


class ReproductionLike(Protocol):
    """A reproduction."""

    @property
    def run_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def elf_identical(self) -> bool: ...
    @property
    def elf_then(self) -> str: ...
    @property
    def elf_now(self) -> str: ...
    @property
    def tools(self) -> Mapping[str, tuple[str, str]]: ...
    @property
    def golden(self) -> str: ...
    @property
    def stages(self) -> Sequence[StageLike]: ...


class CheckLike(Protocol):
    """One check, as ``bench.verify`` makes it."""

    @property
    def what(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def expected(self) -> str: ...
    @property
    def found(self) -> str: ...


class VerificationLike(Protocol):
    """One run's verification."""

    @property
    def run_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def checks(self) -> Sequence[CheckLike]: ...
    @property
    def missing(self) -> Sequence[str]: ...


def verification_view(runs: Sequence[VerificationLike]) -> RenderableType:
    """Every run: its verdict, what differs, what is unknown, and how much was found equal."""
    parts: list[RenderableType] = []
    for run in runs:
        parts.append(
            Text.assemble(
                f"{printable(run.run_id)}: ", (run.status, _STYLE.get(run.status, "bold"))
            )
        )
        told = [check for check in run.checks if check.status != "ok"]
        if told:
            table = new_table()
            for title in ("What", "", "By the bytes", "In the run"):
                table.add_column(title, overflow="fold")
            for check in sorted(told, key=lambda check: check.status):
                table.add_row(
                    cell(check.what), check.status, cell(check.expected, 70), cell(check.found, 70)
                )
            parts.append(table)
        equal = sum(check.status == "ok" for check in run.checks)
        parts.append(Text(f"  {equal} checks found equal what the run says"))
        if run.missing:
            parts.append(Text(f"  not derivable: {'; '.join(run.missing)}", style="dim"))
    return Group(*parts)


def reproduction_view(outcome: ReproductionLike) -> RenderableType:
    """The image first, then tools that differ, then each stage, then and now."""
    image = (
        "the image is identical to the byte"
        if outcome.elf_identical
        else f"the image is another one: {outcome.elf_then[:16]} then, {outcome.elf_now[:16]} now"
    )
    parts: list[RenderableType] = [
        Text.assemble(
            f"{printable(outcome.run_id)}: ",
            (outcome.status, _STYLE.get(outcome.status, "bold")),
            f"\n  {image}; golden answer: {outcome.golden}",
        )
    ]
    for tool, (then, now) in outcome.tools.items():
        parts.append(Text(f"  {printable(tool)}: {printable(then)} then, {printable(now)} now"))
    if outcome.stages:
        table = new_table()
        table.add_column("Stage", no_wrap=True)
        for title in ("Then", "Now"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("", overflow="fold")
        for stage in outcome.stages:
            table.add_row(
                name(stage.stage),
                number(fmt.quantity(stage.then, stage.unit)),
                number(fmt.quantity(stage.now, stage.unit)),
                Text(stage.reason, style="" if stage.same else "bold red"),
            )
        parts.append(table)
    return Group(*parts)
