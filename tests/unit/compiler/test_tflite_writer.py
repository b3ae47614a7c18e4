"""A Graph that is written reads back as itself, and TensorFlow Lite Micro answers as before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from npubench.compiler.graph import Op
from npubench.compiler.tflite.reader import load_tflite, read_tflite
from npubench.compiler.tflite.writer import write_tflite
from npubench.core.errors import CompileError
from npubench.golden import golden_outputs, tflm_version

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "tests" / "data" / "ops").glob("*.tflite"))
ZOO = sorted((ROOT / "models").glob("*/*.tflite"))


def test_reads_back_as_itself() -> None:
    written = 0
    for path in (*ZOO, *FILES):
        _, graph = load_tflite(path)
        if graph.variables:
            with pytest.raises(CompileError, match="keeps state"):
                write_tflite(graph)
            continue
        data = write_tflite(graph)
        again = read_tflite(data, name=path.stem)
        assert replace(again, sha256=graph.sha256) == graph, path.stem
        assert write_tflite(again) == data, path.stem
        written += 1
    assert written >= len(ZOO) + len(FILES) - 10


@pytest.mark.skipif(tflm_version() is None, reason="tflite-micro is not installed")
def test_others_read_it_as_well() -> None:
    data, graph = load_tflite(ROOT / "models" / "kws" / "kws.tflite")
    ours = golden_outputs(write_tflite(graph), 3, all_tensors=True)
    theirs = golden_outputs(data, 3, all_tensors=True)
    assert ours == theirs


def test_refuses_what_it_cannot_write() -> None:
    _, graph = load_tflite(ROOT / "models" / "digits" / "digits.tflite")
    op = graph.ops[0]
    strange = Op(
        index=0, kind="ABS", inputs=op.inputs[:1], outputs=op.outputs, options={"power": 2}
    )
    with pytest.raises(CompileError, match=r"operator 0 ABS: its options \['power'\]"):
        write_tflite(replace(graph, ops=(strange, *graph.ops[1:])))
    with pytest.raises(CompileError, match="no operator of the schema"):
        write_tflite(replace(graph, ops=(replace(op, kind="FANCY", options={}), *graph.ops[1:])))
