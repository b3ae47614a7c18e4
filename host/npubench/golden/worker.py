"""The process in which foreign interpreters run: ``python -m npubench.golden.worker VERB FOLDER``.

``tflm FOLDER SEED`` runs ``model.tflite`` through TensorFlow Lite Micro, with the input of ``SEED``
or, where that is ``-``, ``input.bin``. The answer is ``answer.json`` in the folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def _answer(verb: str, folder: Path, words: list[str]) -> dict[str, object]:
    model = (folder / "model.tflite").read_bytes()
    if verb == "tflm":
        from npubench.golden.interpreter import answer_of

        if words[0] == "-":
            return answer_of(model, seed=None, raw=(folder / "input.bin").read_bytes())
        return answer_of(model, seed=int(words[0]), raw=None)
    raise ValueError(f"no verb {verb!r}")


def main(argv: list[str]) -> int:
    """Entry of the process: VERB FOLDER and the verb's own words."""
    folder = Path(argv[1])
    try:
        answer = _answer(argv[0], folder, argv[2:])
    except Exception as error:  # whatever it is, the caller is told
        answer = {"error": f"{type(error).__name__}: {error}"}
    (folder / "answer.json").write_text(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
