"""Promise: a part's modelled time says where its ends are from, and what others measured of the
part stands beside it, held apart."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console, RenderableType

from npubench.boards import load_board
from npubench.report.beside import beside_table, of_parts, sources_of_time
from npubench.report.npu_costs import costs_table
from npubench.report.selection import by_network
from npubench.report.speedup import npu_pairs
from npubench.runs.schema import NpuRecord, RangeRecord, RunRecord
from npubench.runs.store import StoredRun
from npubench.target import Place

Make = Callable[..., RunRecord]
MakeStored = Callable[..., StoredRun]
BOARD = "grove-vision-ai-v2"
NPU = NpuRecord(
    accelerator="ethos-u55-64",
    config_sha256="0" * 64,
    macs_share=1.0,
    details={"npu_hz": 400_000_000},
)


def on_part(record: RunRecord) -> RunRecord:
    """A record as of the part's NPU on model."""
    bounds = RangeRecord(low=1.0, mid=2.0, high=3.0, model="the core's share, by rules; and more")
    infer = record.stages["infer"].model_copy(update={"cycles": bounds})
    return record.model_copy(
        update={
            "target": f"{BOARD}:ethos-u@model",
            "backend": "ethos-u",
            "place": Place.MODEL,
            "npu": NPU,
            "stages": {**record.stages, "infer": infer},
            "energy_missing": "nothing was published",
        }
    )


def told(view: RenderableType | None) -> str:
    assert view is not None
    console = Console(file=io.StringIO(), width=400)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return plain(console.file.getvalue())


def plain(text: str) -> str:
    """With plain spaces between a number and its unit."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def test_the_time_of_a_part_names_clocks_rules_and_memories(make_record: Make) -> None:
    stand_in = load_board(BOARD).stand_in
    assert stand_in is not None
    (line,) = sources_of_time([on_part(make_record(board=BOARD))] * 2)
    for words in ("the core's share, by rules)", "ethos-u55-64 at 400 MHz", stand_in.memories):
        assert words in plain(line)
    assert line.endswith("Error against silicon: unknown.")
    assert sources_of_time([make_record()]) == (), "a board that is no part has none"


def test_what_was_published_stands_beside_with_what_its_source_says(make_record: Make) -> None:
    run = on_part(make_record(board=BOARD))
    (part,) = of_parts([run])
    assert part.rows
    assert all(row.origin == "measured" for row in part.rows)
    text = told(beside_table([run]))
    assert "207 µJ" in text
    assert "divides cycles by a constant clock" in text


def test_a_part_without_its_cpu_says_what_does_both(make_stored: MakeStored) -> None:
    stored = make_stored(board=BOARD)
    run = StoredRun(path=stored.path, record=on_part(stored.record))
    text = told(costs_table(npu_pairs(by_network([run]))))
    assert "With the NPU: time, energy, memory" in text
    assert "--backend ethos-u --backend cpu does both" in text
    assert "on the CPU" not in text
    assert "no source" in text
