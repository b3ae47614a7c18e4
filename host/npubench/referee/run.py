"""Judges images, each in a process of its own that ends when its time is over."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.boards import Board, load_board
from npubench.core.errors import NpubenchError, UsageError
from npubench.core.progress import Event, Reporter
from npubench.cycles.images import image_of
from npubench.cycles.weights import cycles_range, sentence, weights_of
from npubench.emulators.board_model.powered import import_unicorn
from npubench.farm.address import executor_of
from npubench.farm.executor import Executor
from npubench.farm.matrix import watched
from npubench.referee.fetch import choose_images, fetch_images
from npubench.referee.golden_check import compare
from npubench.referee.identify import identify, told_apart
from npubench.referee.play import SEED, Limits, Seen, play, play_there, seen_of, task_of
from npubench.referee.result import Verdict

SUFFIXES = (".bin", ".hex", ".elf")
LIMIT_S = 600.0
BOOT_LIMIT_S = 18.0


def find_images(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Files as they are, folders as the images in them, sorted. Raises UsageError for a path that
    does not exist, or when nothing is found."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(
                item for item in path.rglob("*") if item.suffix in SUFFIXES and item.is_file()
            )
        elif path.is_file():
            found.append(path)
        else:
            raise UsageError(f"there is no file or folder {path}")
    if not found:
        raise UsageError(
            "no image was found in the folders",
            hint=f"images end in {', '.join(SUFFIXES)}; a file is taken whatever its name",
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image and the board that plays it, or why there is none."""

    path: Path
    sha256: str
    board: Board | None
    refusal: str = ""


def judge_image(
    path: Path,
    *,
    board_id: str | None,
    references: Sequence[Path],
    limit_s: float = LIMIT_S,
    boot_limit_s: float = BOOT_LIMIT_S,
) -> Verdict:
    """Boot one image on its board's model and say what it does. Never raises for the image."""
    image = _image(path, board_id)
    limits = Limits(limit_s=limit_s, boot_limit_s=boot_limit_s)
    seen: Seen | NpubenchError | None = None
    if image.board is not None:
        try:
            seen = play(path, image.board.id, limits)
        except NpubenchError as error:
            seen = error
    return _verdict(image, seen, references)


def judge_images(
    paths: Sequence[Path],
    *,
    board_id: str | None,
    references: Sequence[Path],
    reporter: Reporter,
    limit_s: float = LIMIT_S,
    executor: Executor | None = None,
) -> list[Verdict]:
    """Judge images, in the order in which they are found: one after the other here, or on
    ``executor``, whose workers see the images alone. Raises ToolMissing without Unicorn, and what
    the executor raises."""
    if board_id is not None:
        load_board(board_id)
    images = [_image(path, board_id) for path in find_images(paths)]
    limits = Limits(limit_s=limit_s, boot_limit_s=BOOT_LIMIT_S)
    if executor is not None:
        return _judged_on(executor, images, limits, references, reporter)
    import_unicorn()
    found = []
    for image in images:
        reporter.event(Event(job=image.path.name, step="referee", state="start"))
        verdict = judge_image(image.path, board_id=board_id, references=references, limit_s=limit_s)
        _tell(reporter, verdict)
        found.append(verdict)
    return found


def _judged_on(
    executor: Executor,
    images: Sequence[Image],
    limits: Limits,
    references: Sequence[Path],
    reporter: Reporter,
) -> list[Verdict]:
    """Images of one content are played once."""
    tasks = {
        image.path: task_of(image.path, image.board.id, limits)
        for image in images
        if image.board is not None
    }
    seen: dict[str, Seen | NpubenchError] = {}
    with executor:
        distinct = list({task.key: task for task in tasks.values()}.values())
        for done in watched(executor.map(play_there, distinct), len(distinct), reporter):
            seen[done.task.key] = seen_of(done)
    found = []
    for image in images:
        task = tasks.get(image.path)
        verdict = _verdict(image, None if task is None else seen[task.key], references)
        _tell(reporter, verdict)
        found.append(verdict)
    return found


def _image(path: Path, board_id: str | None) -> Image:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        board = load_board(board_id if board_id is not None else identify(path))
    except UsageError as error:
        if board_id is not None:
            raise
        return Image(path=path, sha256=sha256, board=None, refusal=error.message)
    return Image(path=path, sha256=sha256, board=board)


def _reason(path: Path, seen: Seen, board: Board) -> str | None:
    """Why an image was refused; on a board that is not its own, whose registers it names."""
    reason: str | None = seen["reason"]
    other = None if reason is None else told_apart(path, board.id)
    return reason if other is None else f"{reason}; the registers that it names are {other}'s"


def _verdict(
    image: Image, seen: Seen | NpubenchError | None, references: Sequence[Path]
) -> Verdict:
    """What was seen of an image, held against the references, with the part's cycles."""
    known = image_of(image.sha256)
    published = None if known is None else known.published_cycles
    board = image.board
    if board is None or seen is None:
        return Verdict(
            path=image.path, sha256=image.sha256, board=None, model=None, status="refused",
            reason=image.refusal, published_cycles=published,
        )  # fmt: skip
    if isinstance(seen, NpubenchError):
        return Verdict(
            path=image.path, sha256=image.sha256, board=board.id, model=None, status="failed",
            reason=seen.message, published_cycles=published,
        )  # fmt: skip
    weights = weights_of(board.part) if seen["status"] == "ok" else None
    model = seen.get("model")
    return Verdict(
        path=image.path,
        sha256=image.sha256,
        board=board.id,
        model=model,
        status=seen["status"],
        reason=_reason(image.path, seen, board),
        golden=compare(model or "", seen["results"], references, SEED)
        if seen["status"] == "ok"
        else "unavailable: it gave no result",
        bounded_by=seen.get("bounded_by"),
        instructions=seen.get("instructions"),
        cycles=None if weights is None else cycles_range(weights, seen["counts"]),
        sentence=None if weights is None else sentence(weights),
        published_cycles=published,
        details=seen,
    )


def _tell(reporter: Reporter, verdict: Verdict) -> None:
    state = "done" if verdict.status == "ok" else "fail"
    name = verdict.path.name
    reporter.event(Event(job=name, step="referee", state=state, detail=verdict.reason or ""))


def referee_images(
    paths: Sequence[Path],
    *,
    board_id: str | None,
    references: Sequence[Path],
    fetch_into: Path | None,
    reporter: Reporter,
    limit_s: float = LIMIT_S,
    on: str | None = None,
    insecure: bool = False,
) -> tuple[Verdict, ...]:
    """Judge images, with those that others published for the board where ``fetch_into`` names a
    folder for them. ``on``: where they are played, as in farm.address. Raises UsageError without
    any image, and what fetching and judging raise."""
    images = list(paths)
    if fetch_into is not None:
        images += fetch_images(fetch_into, choose_images(board_id), reporter=reporter)
    if not images:
        raise UsageError(
            "no image is named", hint="name files or folders, or --fetch FOLDER for published ones"
        )
    return tuple(
        judge_images(
            images,
            board_id=board_id,
            references=references,
            reporter=reporter,
            limit_s=limit_s,
            executor=None if on is None else executor_of(on, insecure=insecure),
        )
    )
