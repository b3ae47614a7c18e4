"""NPU against CPU on one board: a speed-up only as a range."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.beside import sources_of_time
from npubench.report.charts import bars
from npubench.report.figure import Figure, Row
from npubench.report.grid import Cell, Grid, columns, number, text
from npubench.report.library import Library, run_page
from npubench.report.npu_costs import costs_grid, said, told
from npubench.report.selection import NetworkRuns
from npubench.report.speedup import NpuPair, detail, npu_pairs
from npubench.report.view import View
from npubench.report.views.stages import unit_of
from npubench.runs.schema import RunRecord, StageRecord

TITLE = "NPU against CPU"
ORDER = 15

STAGES = (
    Stage.INIT_COLD,
    Stage.INIT_WARM,
    Stage.LOAD,
    Stage.INFER,
    Stage.UNLOAD,
    Stage.POST,
    Stage.END_TO_END,
)
MODELLED = (
    "The CPU's instructions are counted in an emulator, the NPU's cycles come from a model that "
    "few figures of silicon stand beside. They are different units and are never added; a time "
    "follows from both with the board's clocks and its range of cycles per instruction, or per "
    "class of instructions where the part is known. A speed-up is named only where it keeps its "
    "sign over the whole range."
)


def claim(pair: NpuPair) -> str:
    """What may be said of a pair, as a sentence."""
    low, high = pair.speedup.low, pair.speedup.high
    if low is None or high is None or not pair.speedup.holds:
        return ""
    if low > 1:
        return f"The NPU of {pair.npu.board} is {times(low, high)} faster than its CPU."
    return f"The NPU of {pair.npu.board} is {times(1 / high, 1 / low)} slower than its CPU."


def times(low: float, high: float) -> str:
    """``9.9 to 14.8 times``; once where both ends read the same."""
    left, right = (fmt.ratio(value).removesuffix("×") for value in (low, high))
    return f"{left} times" if left == right else f"{left} to {right} times"


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """Every valid run that used an NPU beside the same board's CPU."""
    pairs = npu_pairs([network])
    if not pairs:
        return None
    modelled = any(
        _whole(pair.npu) is not None and _unit(pair.npu) == "us_modelled" for pair in pairs
    )
    both = [pair for pair in pairs if pair.cpu is not None and _whole(pair.cpu) is not None]
    fallbacks = [
        f"{pair.npu.target}, on the CPU: {line}"
        for pair in pairs
        if pair.npu.npu is not None
        for line in pair.npu.npu.fallbacks
    ]
    return View(
        claim=" ".join(filter(None, map(claim, pairs))),
        lead=MODELLED if modelled else "",
        figures=(_figure(both),) if both else (),
        grids=tuple(filter(None, (_pairs(pairs, library), costs_grid(pairs)))),
        folded={
            "Cycles and traffic of the NPU": (_traffic(pairs),),
            **{
                f"{pair.npu.target}, stage by stage": (_by_stage(pair, at),)
                for at, pair in enumerate(pairs)
            },
        },
        notes=(
            *fallbacks,
            *said([pair for pair in pairs if told(pair)]),
            *sources_of_time([pair.npu for pair in pairs]),
        ),
    )


def _whole(run: RunRecord | None) -> StageRecord | None:
    stage = None if run is None else run.stages.get(Stage.END_TO_END)
    return None if stage is None or stage.median is None else stage


def _unit(run: RunRecord) -> str:
    stage = _whole(run)
    return "" if stage is None else stage.unit


def _figure(pairs: Sequence[NpuPair]) -> Figure:
    stages = [
        (pair, engine, stage)
        for pair in pairs
        for engine, run in (("CPU alone", pair.cpu), ("with the NPU", pair.npu))
        if (stage := _whole(run)) is not None
    ]
    unit = stages[0][2].unit
    same = [item for item in stages if item[2].unit == unit]
    factor, words = unit_of(unit, max(float(stage.median or 0) for _, _, stage in same))
    rows: list[Row] = [
        {
            "board": pair.npu.target,
            "engine": engine,
            "value": (stage.median or 0) / factor,
            "low": None if stage.low is None else stage.low / factor,
            "high": None if stage.high is None else stage.high / factor,
            "text": fmt.stage(stage.median, unit, low=stage.low, high=stage.high),
        }
        for pair, engine, stage in same
    ]
    return Figure(
        name="npu",
        title="One inference with the NPU and without, end to end",
        words="; ".join(f"{row['board']} {row['engine']}: {row['text']}" for row in rows),
        rows=tuple(rows),
        spec=bars(
            category="board",
            value="value",
            title=f"end to end, {words}",
            colour="engine",
            names=("CPU alone", "with the NPU"),
            colours=("var(--c2)", "var(--c1)"),
            offset=True,
            ranges=any(row["low"] is not None for row in rows),
            step=22,
        ),
    )


def _pairs(pairs: Sequence[NpuPair], library: Library) -> Grid:
    return Grid(
        name="pairs",
        columns=columns(
            "Target",
            "#CPU alone",
            "#With the NPU",
            "The NPU is",
            "#MACs on the NPU",
            "#MAC utilization",
            "#Reached",
            "#of at most",
        ),
        rows=tuple(_row(pair, library) for pair in pairs),
    ).without_empty()


def _row(pair: NpuPair, library: Library) -> tuple[Cell, ...]:
    npu = pair.npu.npu
    assert npu is not None
    return (
        Cell(text=pair.npu.target, page=library.page(run_page(pair.npu.run_id)),
             hint=npu.accelerator),
        _time(_whole(pair.cpu)),
        _time(_whole(pair.npu)),
        text(pair.speedup.words.replace("× to ", " to ").replace("×", " times")),
        number(npu.macs_share, fmt.percent),
        number(npu.mac_utilization_ratio, fmt.percent),
        number(detail(pair.npu, "effective_ops_per_s"), lambda value: fmt.si(value, "op/s")),
        number(detail(pair.npu, "peak_ops_per_s"), lambda value: fmt.si(value, "op/s")),
    )  # fmt: skip


def _traffic(pairs: Sequence[NpuPair]) -> Grid:
    rows = []
    for pair in pairs:
        npu = pair.npu.npu
        assert npu is not None
        beats = [
            value
            for key in ("axi0_read_beats", "axi0_write_beats")
            if (value := detail(pair.npu, key)) is not None
        ]
        rows.append(
            (
                Cell(text=pair.npu.target),
                text(npu.accelerator),
                number(detail(pair.npu, "cycles")),
                number(sum(beats) if beats else None),
                number(detail(pair.npu, "axi1_read_beats")),
                Cell(text=npu.config_sha256[:12], code=True),
            )
        )
    return Grid(
        name="traffic",
        columns=columns(
            "Target", "Accelerator", "#NPU cycles", "#AXI0 beats", "#AXI1 beats", "Configuration"
        ),
        rows=tuple(rows),
    ).without_empty()


def _time(stage: StageRecord | None) -> Cell:
    if stage is None:
        return Cell(text=fmt.NONE)
    words = fmt.stage(stage.median, stage.unit)
    if stage.low is not None and stage.high is not None:
        words = f"{fmt.micro(stage.low, 's')} to {fmt.micro(stage.high, 's')}"
    return Cell(text=words, value=stage.median)


def _by_stage(pair: NpuPair, at: int) -> Grid:
    rows = []
    for stage in STAGES:
        cpu = None if pair.cpu is None else pair.cpu.stages.get(stage)
        npu = pair.npu.stages.get(stage)
        rows.append(
            (
                Cell(text=stage.replace("_", " ")),
                number(None if cpu is None else cpu.cpu_instructions),
                _time(None if cpu is None or cpu.median is None else cpu),
                number(None if npu is None else npu.cpu_instructions),
                number(None if npu is None else npu.npu_cycles),
                _time(None if npu is None or npu.median is None else npu),
            )
        )
    return Grid(
        name=f"by-stage-{at}",
        columns=columns(
            "Stage",
            "#CPU alone: instructions",
            "#time",
            "#With NPU: instructions",
            "#NPU cycles",
            "#time",
        ),
        rows=tuple(rows),
        dense=True,
    )
