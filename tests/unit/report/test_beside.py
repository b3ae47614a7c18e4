"""Promise: a part's modelled time says where its ends are from, and what others measured of the
part stands beside it, held apart."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console, RenderableType

from npubench.boards import load_board
from npubench.published import networks
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


def test_what_was_published_of_the_network_stands_beside_with_both_readings_of_a_clock(
    make_record: Make,
) -> None:
    macs = networks()["yolov1"].macs
    run = on_part(make_record(board=BOARD, model="yolo", macs=macs, unit="us_modelled", infer=1800))
    (part,) = of_parts([run])
    assert part.rows
    assert {item.row.published.result.network for item in part.beside} == {"yolov1"}
    text = told(beside_table([run]))
    for words in (
        "207 µJ*", "Our power is from this very figure", "8.45 ms or 2.11 ms", "0.213× or 0.852×",
        "divides a counter by 100 MHz", "same kind and about the same size",
        "Of other networks: autoencoder, nas", "Against silicon: see",
    ):  # fmt: skip
        assert words in text, words


def test_results_of_other_networks_are_named_but_not_set_beside(make_record: Make) -> None:
    run = on_part(make_record(board=BOARD))
    (part,) = of_parts([run])
    assert part.beside == ()
    assert "none of a network that ran. Of other networks: autoencoder, nas" in part.words
    assert "µJ" not in told(beside_table([run]))


def test_the_same_npu_in_another_part_stands_beside_too(make_record: Make) -> None:
    run = on_part(make_record(board="alif-e7-devkit", macs=300_775_552))
    npu = NPU.model_copy(update={"accelerator": "ethos-u55-256"})
    found = [run.model_copy(update={"npu": npu}), run]
    there, none = (of_parts([item])[0].beside for item in found)
    assert {item.row.published.result.board for item in there} == {"alif-e8"}
    assert none == (), "another size of the NPU"


def test_a_part_without_its_cpu_says_what_does_both(make_stored: MakeStored) -> None:
    stored = make_stored(board=BOARD)
    run = StoredRun(path=stored.path, record=on_part(stored.record))
    text = told(costs_table(npu_pairs(by_network([run]))))
    assert "With the NPU: time, energy, memory" in text
    assert "--backend ethos-u --backend cpu does both" in text
    assert "on the CPU" not in text
    assert "no source" in text
