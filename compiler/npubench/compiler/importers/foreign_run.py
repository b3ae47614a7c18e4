"""Run one of the foreign scripts in its tool's environment, and explain how it failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from npubench.compiler.quantize.words import keep_words
from npubench.core import errors
from npubench.core.errors import CompileError, ToolError
from npubench.toolenv.environment import environment

SCRIPTS = Path(__file__).resolve().parent / "foreign"
TIMEOUT_S = 1200.0


def run_foreign(tool: str, script: str, job: dict[str, Any], folder: Path) -> tuple[Any, str]:
    """The script's answer and all that it printed. ``job`` has absolute paths.

    Raises ToolMissing when the tool is not set up, what the script refused, and CompileError when
    the converter crashed; its noise is kept in a log that the hint names.
    """
    found = environment(tool)
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    answer = folder / "answer.json"
    place = folder / "scratch"
    place.mkdir(exist_ok=True)
    result = found.run(
        [found.python, SCRIPTS / script, folder / "job.json", answer],
        cwd=place,
        timeout_s=TIMEOUT_S,
        check=False,
        variables={"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    said = result.stdout + result.stderr
    title = f"{found.tool.file.title} {found.version}"
    return answered(answer, said, result.code, title=title, model=job["model"]), said


def answered(answer: Path, said: str, code: int, *, title: str, model: str) -> Any:
    """What a script left in ``answer``; ``said`` and ``code``: what it printed, how it ended.

    Raises what the script refused, and CompileError when it crashed.
    """
    try:
        document = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CompileError(
            f"{title} crashed: {_last_words(said, code)}",
            hint=f"its own words: {keep_words(said, Path(model).stem)}",
        ) from error
    if "error" in document:
        refused = document["error"]
        kind = getattr(errors, refused["kind"], ToolError)
        hint = refused["hint"]
        if "log" in hint:
            hint += f": {keep_words(said, Path(model).stem)}"
        raise kind(refused["message"], hint=hint)
    return document


def _last_words(said: str, code: int) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"exit code {code}, without a word"
