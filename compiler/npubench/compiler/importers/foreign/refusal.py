"""What the scripts beside this file share: how one says why a model is not taken, and how it leaves
its answer. A script runs alone in a foreign environment, with this folder on its path; nothing here
knows npubench."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Refused(Exception):
    """Why a model is not taken: kind of error, message, hint."""

    def __init__(self, kind: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.document = {"kind": kind, "message": message, "hint": hint}


def first_line(error: BaseException, most: int = 300) -> str:
    """The first line of an error that says anything, at most that many characters of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:most]


def answer_job(main: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """``SCRIPT JOB ANSWER``: what ``main`` makes of the JSON file JOB goes to ANSWER, a refusal
    too."""
    job, answer = (Path(word) for word in sys.argv[1:3])
    try:
        document = main(json.loads(job.read_text(encoding="utf-8")))
    except Refused as refused:
        traceback.print_exc()
        document = {"error": refused.document}
    answer.write_text(json.dumps(document), encoding="utf-8")
