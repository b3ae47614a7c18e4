"""Judges images, each in a process of its own that ends when its time is over."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from npubench.boards import load_board
from npubench.core.errors import NpubenchError, ToolError, UsageError
from npubench.core.progress import Event, Reporter
from npubench.core.tool import run_tool
from npubench.cycles.images import image_of
from npubench.cycles.weights import cycles_range, sentence, weights_of
from npubench.emulators.board_model.powered import import_unicorn
from npubench.referee.fetch import choose_images, fetch_images
from npubench.referee.golden_check import compare
from npubench.referee.identify import identify
from npubench.referee.result import Verdict

SUFFIXES = (".bin", ".hex", ".elf")
LIMIT_S = 600.0
BOOT_LIMIT_S = 18.0
GRACE_S = 5.0
SEED = 1


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


def judge_image(
    path: Path,
    *,
    board_id: str | None,
    references: Sequence[Path],
    limit_s: float = LIMIT_S,
    boot_limit_s: float = BOOT_LIMIT_S,
) -> Verdict:
    """Boot one image on its board's model and say what it does. Never raises for the image."""
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    known = image_of(sha256)
    published = None if known is None else known.published_cycles
    try:
        board = load_board(board_id if board_id is not None else identify(path))
    except UsageError as error:
        if board_id is not None:
            raise
        return Verdict(
            path=path, sha256=sha256, board=None, model=None, status="refused",
            reason=error.message, published_cycles=published,
        )  # fmt: skip
    try:
        seen = _play(path, board.id, limit_s=limit_s, boot_limit_s=boot_limit_s)
    except NpubenchError as error:
        return Verdict(
            path=path, sha256=sha256, board=board.id, model=None, status="failed",
            reason=error.message, published_cycles=published,
        )  # fmt: skip
    weights = weights_of(board.part) if seen["status"] == "ok" else None
    model = seen.get("model")
    return Verdict(
        path=path,
        sha256=sha256,
        board=board.id,
        model=model,
        status=seen["status"],
        reason=seen["reason"],
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


def judge_images(
    paths: Sequence[Path],
    *,
    board_id: str | None,
    references: Sequence[Path],
    reporter: Reporter,
    limit_s: float = LIMIT_S,
) -> list[Verdict]:
    """Judge images one after the other. Raises ToolMissing without Unicorn."""
    import_unicorn()
    if board_id is not None:
        load_board(board_id)
    found = []
    for path in find_images(paths):
        reporter.event(Event(job=path.name, step="referee", state="start"))
        verdict = judge_image(path, board_id=board_id, references=references, limit_s=limit_s)
        state = "done" if verdict.status == "ok" else "fail"
        reporter.event(
            Event(job=path.name, step="referee", state=state, detail=verdict.reason or "")
        )
        found.append(verdict)
    return found


def referee_images(
    paths: Sequence[Path],
    *,
    board_id: str | None,
    references: Sequence[Path],
    fetch_into: Path | None,
    reporter: Reporter,
    limit_s: float = LIMIT_S,
) -> tuple[Verdict, ...]:
    """Judge images, with those that others published for the board where ``fetch_into`` names a
    folder for them. Raises UsageError without any image, and what fetching and judging raise."""
    images = list(paths)
    if fetch_into is not None:
        images += fetch_images(fetch_into, choose_images(board_id), reporter=reporter)
    if not images:
        raise UsageError(
            "no image is named", hint="name files or folders, or --fetch FOLDER for published ones"
        )
    return tuple(
        judge_images(
            images, board_id=board_id, references=references, reporter=reporter, limit_s=limit_s
        )
    )


def _play(path: Path, board_id: str, *, limit_s: float, boot_limit_s: float) -> dict[str, Any]:
    words = (board_id, path.absolute(), str(SEED), str(limit_s), str(boot_limit_s))
    result = run_tool(
        (sys.executable, "-P", "-m", "npubench.referee", *words),
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        timeout_s=limit_s + boot_limit_s + GRACE_S,
        check=False,
    )
    try:
        document = json.loads(result.stdout)
    except ValueError:
        tail = result.stderr.strip().splitlines()[-1:] or ["nothing was said"]
        raise ToolError(
            f"the board model ended with {result.code}: {tail[0]}", code=result.code
        ) from None
    assert isinstance(document, dict)
    return document
