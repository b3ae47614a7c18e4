"""The process in which foreign interpreters run: ``python -m npubench.golden.worker VERB FOLDER``.

``tflm FOLDER SEED TIMES`` runs ``model.tflite`` through TensorFlow Lite Micro, with the input of
``SEED`` or, where that is ``-``, ``input.bin``; the last answer counts. ``kept.json``, where it is
there, says which channels of an operator's output count. ``walk FOLDER`` asks TFLM, LiteRT and the
float truth about every operator, on ``input.bin`` and what ``board.json`` says of the board's
answers. ``cut FOLDER
FIRST LAST`` writes a stretch of operators as ``cut.tflite`` (FIRST ``-``: from the network's inputs
to LAST's first output). ``many FOLDER`` runs the arrays of ``inputs.npz``, input i's samples in
array i, through TFLM into ``outputs.npz``. ``float FOLDER LAST FORM`` writes the network on
float32, up to LAST (``-``: the whole), as ``float.tflite`` (FORM ``saturates``: where int8 does);
``real`` runs such a one as ``many`` does, through LiteRT. The answer is ``answer.json`` in the
folder.

``serve`` alone answers the words of a request per line of stdin, each in a fork of its own, so that
a network that ends the process ends no other's; the exit code comes back on stdout.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def _answer(verb: str, folder: Path, words: list[str]) -> dict[str, object]:
    model = (folder / "model.tflite").read_bytes()
    if verb == "tflm":
        from npubench.golden.interpreter import answer_of

        kept_file = folder / "kept.json"
        kept = json.loads(kept_file.read_bytes()) if kept_file.is_file() else None
        if words[0] == "-":
            raw = (folder / "input.bin").read_bytes()
            return answer_of(model, seed=None, raw=raw, inferences=int(words[1]), kept=kept)
        return answer_of(model, seed=int(words[0]), raw=None, inferences=int(words[1]), kept=kept)
    if verb == "walk":
        from npubench.golden.walk import walk

        board = json.loads((folder / "board.json").read_text())
        return walk(
            model,
            (folder / "input.bin").read_bytes(),
            crcs={int(op): crc for op, crc in board["crcs"].items()},
            outputs=bytes.fromhex(board["outputs"]),
            values={int(op): bytes.fromhex(value) for op, value in board["values"].items()},
            inputs_of=board["inputs_of"],
        )
    if verb == "cut":
        from npubench.golden.surgery import Network

        network = Network(model)
        last = int(words[1])
        if words[0] == "-":
            inputs = [int(tensor) for tensor in network.graph.inputs]
            data = network.cut(network.needed_for(last), inputs=inputs, whole=True)
        else:
            data = network.cut(list(range(int(words[0]), last + 1)))
        (folder / "cut.tflite").write_bytes(data)
        return {"bytes": len(data)}
    if verb == "many":
        from npubench.golden.interpreter import run_many

        return {"samples": run_many(model, folder / "inputs.npz", folder / "outputs.npz")}
    if verb == "real":
        from npubench.golden.interpreter import run_real

        return {"samples": run_real(model, folder / "inputs.npz", folder / "outputs.npz")}
    if verb == "float":
        from npubench.golden.surgery import Network

        data = Network(model).float_network(
            None if words[0] == "-" else int(words[0]), saturates=words[1] == "saturates"
        )
        (folder / "float.tflite").write_bytes(data)
        return {"bytes": len(data)}
    raise ValueError(f"no verb {verb!r}")


def serve() -> int:
    """Answer requests until stdin ends; TFLM is loaded once, before the forks."""
    from npubench.golden import interpreter

    interpreter.load()
    for line in sys.stdin:
        words = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = main(words)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    return 0


def main(argv: list[str]) -> int:
    """Entry of the process: VERB FOLDER and the verb's own words."""
    if argv == ["serve"]:
        return serve()
    folder = Path(argv[1])
    try:
        answer = _answer(argv[0], folder, argv[2:])
    except Exception as error:  # whatever it is, the caller is told
        answer = {"error": f"{type(error).__name__}: {error}"}
    (folder / "answer.json").write_text(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
