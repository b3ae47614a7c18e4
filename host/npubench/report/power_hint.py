"""How energy can be had for runs that have none: a command that works as it is printed, or why
there is no such command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.boards import Board, board_ids, load_board
from npubench.core.errors import NpubenchError
from npubench.core.stages import Stage
from npubench.runs.schema import RunRecord
from npubench.target import Place, parse_target
from npubench.zoo import zoo_ids

SIMULATED = ("--power", "ppk2-sim")
"""The instrument that needs no hardware."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerHint:
    """``words``: the arguments after the model and the board that a simulated instrument needs;
    empty where ``reason`` says why it would see nothing."""

    model: str = ""
    board: str = ""
    words: tuple[str, ...] = ()
    reason: str = ""

    @property
    def command(self) -> str:
        """What to type; empty without one."""
        return command_line([self.model], [self.board], self.words) if self.words else ""


def command_line(models: Sequence[str], boards: Sequence[str], words: Sequence[str]) -> str:
    """One bench of these models on these boards."""
    named = [word for board in boards for word in ("--board", board)]
    return shlex.join(("npubench", "bench", *models, *named, *words))


def power_hint(run: RunRecord) -> PowerHint | None:
    """The hint for one run; None where it has energy, failed, or asks for none."""
    if run.energy is not None or not run.valid or run.place is Place.SIMULATOR or _modelled(run):
        return None
    try:
        board = load_board(run.board)
        target = parse_target(run.target)
    except NpubenchError:  # a board or a target of another installation
        return None
    if board.kind == "host":
        return PowerHint(reason="a host process has no energy")
    if run.place is Place.PHYSICAL:
        return PowerHint(
            reason=f"name your instrument in bench.toml and add --power with its name: "
            f"npubench power list; {board.id}'s pins stand in docs/power.md"
        )
    if run.place is Place.MODEL and board.stand_in is None:
        return PowerHint(
            reason=run.energy_missing
            or f"no energy per cycle of a {board.part or board.id} was published"
        )
    lent = _lender(board, run)
    if isinstance(lent, str):
        return PowerHint(reason=lent)
    model = _model_word(run)
    if model is None:
        return PowerHint(reason=f"the command that made the run, with {shlex.join(SIMULATED)}")
    words: list[str] = []
    if target.backend != board.default_backend:
        words += ["--backend", target.backend]
    for name, value in target.options:
        words += ["--set", f"{target.backend}.{name}={value}"]
    if run.place is Place.MODEL:
        words.append("--on-model")
    return PowerHint(model=model, board=board.id, words=(*words, *lent, *SIMULATED))


def hint_lines(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    """Commands for all of the runs, as few as there can be: runs that differ in nothing but their
    model share one, boards with the same models and words too."""
    models: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for run in runs:
        hint = power_hint(run)
        if hint is not None and hint.words:
            named = models.setdefault((hint.board, hint.words), [])
            if hint.model not in named:
                named.append(hint.model)
    boards: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (board, words), named in models.items():
        boards.setdefault((tuple(named), words), []).append(board)
    return tuple(command_line(named, of, words) for (named, words), of in boards.items())


def terminal_lines(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    """What a terminal says below runs of which none has a capture; nothing without a command. No
    line of it may be broken: a command is there to be copied."""
    lines = () if any(run.energy is not None for run in runs) else hint_lines(runs)
    return ("Energy by a simulated instrument:", *(f"  {line}" for line in lines)) if lines else ()


def _modelled(run: RunRecord) -> bool:
    stage = run.stages.get(Stage.INFER)
    return stage is not None and stage.energy_uj is not None and run.npu is None


def _lender(board: Board, run: RunRecord) -> tuple[str, ...] | str:
    """``--as`` with the part that lends the board its power, nothing where it has its own; or why
    a simulated instrument would see nothing."""
    if board.power is not None:
        return ()
    power = board.part_power
    if power is None:
        return f"nothing was gathered of {board.id}'s power"
    with_npu = run.npu is not None
    lent = None if run.settings is None else run.settings.as_board
    if power.source and power.definition == "net":
        return "its power is known net of idle alone, and an instrument would see all"
    if power.source:
        return () if with_npu or power.cpu_alone is not None else power.missing
    for name in board_ids():
        part = load_board(name)
        if part.stand_in is None or part.part_power is None or not part.part_power.source:
            continue
        if lent is not None and lent != name:
            continue
        if _accelerator(part) == _accelerator(board) and part.cpu.core == board.cpu.core:
            if with_npu or part.part_power.cpu_alone is not None:
                return ("--as", name)
            return f"{name} could lend its part, but {part.part_power.missing}"
    return run.energy_missing or power.missing


def _accelerator(board: Board) -> object:
    return None if board.npu is None else board.npu.config.get("accelerator")


def _model_word(run: RunRecord) -> str | None:
    """What names the run's network on a command line: as its own command did, else the zoo's id;
    None for one that was imported in a way that the words alone do not tell."""
    if run.import_steps:
        return None
    for word in run.command[2:]:
        if word == run.model.name or (
            not word.startswith("-") and Path(word).name == run.model.source
        ):
            return word
    return run.model.name if run.model.name in zoo_ids() else None
