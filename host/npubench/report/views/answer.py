"""The answer first: which target is better for a network, by how much, how sure, at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from npubench.core import format as fmt
from npubench.core.evidence import Evidence
from npubench.core.stages import Stage
from npubench.report.accuracy import value_words, worse_words
from npubench.report.library import Library, model_page, run_page
from npubench.report.selection import END_TO_END, NetworkRuns, Ranking, infer_per_mac, rankings
from npubench.report.speedup import NpuPair, npu_pairs, times_range
from npubench.report.view import View
from npubench.report.views.npu import claim, times
from npubench.report.views.where import Parts, colours_of, parts
from npubench.runs.schema import AccuracyRecord, RunRecord

TITLE = "Answer"
ORDER = 10

STAGE_WORDS = {Stage.END_TO_END: "end to end", Stage.INFER: "for the inference alone"}
_LEAST = {
    "instructions": "needs the fewest instructions",
    "cycles": "needs the fewest cycles",
    "us": "is the fastest",
    "us_modelled": "is the fastest by its model",
}
_AS = {"instructions": "as many", "cycles": "as many", "us": "as long", "us_modelled": "as long"}
WORTH = {
    Evidence.COUNTED: "an exact count, not a time",
    Evidence.MEASURED: "on physical boards",
    Evidence.MODELLED: "by a model; nothing was observed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a bar, ``start`` and ``share`` from 0 to 1."""

    name: str
    start: float
    share: float
    colour: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One target: what it costs, its bar by stage, and its memory and energy."""

    run: RunRecord
    page: str
    value: str
    times: str
    best: bool
    pieces: tuple[Piece, ...]
    span: tuple[float, float] | None
    per_mac: float | None
    energy: str
    answers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Targets that may stand in one table: one unit, one kind of evidence."""

    ranks: bool
    unit: str
    evidence: str
    stage_words: str
    answer: str
    trust: str
    lines: tuple[Line, ...]
    per_mac: bool
    energy: bool
    asked: bool
    stages: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One fact of the answer: what it is, its figure, what it rests on."""

    label: str
    figure: str
    words: str
    badge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All of a network that a reader wants at a glance."""

    network: NetworkRuns
    page: str
    headline: str
    sure: str
    tiles: tuple[Tile, ...]
    groups: tuple[Group, ...]
    left_out: tuple[tuple[RunRecord, str, str], ...]
    where: tuple[Piece, ...]
    where_target: str
    lead: RunRecord | None


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """The answer of one network, in a form of its own."""
    return View(template="views/answer.html.j2", values={"answer": answer(network, library)})


def answer(network: NetworkRuns, library: Library) -> Answer:
    """What is known, and of what is not known, why."""
    groups = rankings(network.runs)
    ranked = {run.run_id for group in groups for run in group.runs}
    pairs = sorted(
        (pair for pair in npu_pairs([network]) if claim(pair)),
        key=lambda pair: -(pair.speedup.low or 0),
    )
    lead = _lead(groups, pairs)
    split = () if lead is None else parts(lead)
    return Answer(
        network=network,
        page=library.page(model_page(network.name, network.network_sha256)),
        headline=_headline(groups, pairs),
        sure=_sure(groups, pairs),
        tiles=() if lead is None else tuple(_tiles(lead, pairs, split)),
        groups=tuple(_group(group, library, _answers(network)) for group in groups),
        left_out=tuple(
            (run, why_left_out(run), library.page(run_page(run.run_id)))
            for run in network.runs
            if run.run_id not in ranked
        ),
        where=_pieces(split),
        where_target="" if lead is None else lead.target,
        lead=lead,
    )


def why_left_out(run: RunRecord) -> str:
    """Why a run has no place among the others."""
    if not run.valid:
        return run.why_invalid or ""
    infer = run.stages.get(Stage.INFER)
    if infer is None:
        return "the run has no inference stage"
    return infer.reason or "its inference was not timed"


def _lead(groups: Sequence[Ranking], pairs: Sequence[NpuPair]) -> RunRecord | None:
    """The run that the tiles tell of: the best where something ranks, else where an NPU pays."""
    for group in sorted(groups, key=lambda group: list(Evidence).index(group.evidence)):
        if group.ranks:
            return group.best
    if pairs:
        return pairs[0].npu
    return groups[0].runs[0] if groups else None


def _headline(groups: Sequence[Ranking], pairs: Sequence[NpuPair]) -> str:
    """The sentence that a reader came for."""
    for pair in pairs:
        return claim(pair)
    for group in groups:
        if group.ranks:
            return _answer(group)
    if groups and len(groups[0].runs) > 1:
        return "Counts of different cores: no target is called the best."
    return _answer(groups[0]) if groups else "No target has a valid result."


def _sure(groups: Sequence[Ranking], pairs: Sequence[NpuPair]) -> str:
    for group in groups:
        if group.ranks or (pairs and any(run is pairs[0].npu for run in group.runs)):
            return _trust(group)
    return _trust(groups[0]) if groups else ""


def _tiles(run: RunRecord, pairs: Sequence[NpuPair], split: Parts) -> list[Tile]:
    stage = run.stages.get(Stage.END_TO_END) or run.stages[Stage.INFER]
    figure = fmt.quantity(stage.median, stage.unit)
    if stage.low is not None and stage.high is not None:
        figure = fmt.between(stage.low, stage.high, "s")
    elif stage.unit == "us":
        figure = fmt.micro(stage.median, "s")
    tiles = [Tile(label="One inference, end to end", figure=figure, words=run.target)]
    pair = next((pair for pair in pairs if pair.npu is run), None)
    if pair is not None and pair.speedup.low is not None and pair.speedup.high is not None:
        low, high = pair.speedup.low, pair.speedup.high
        word = "faster than its CPU" if low > 1 else "slower than its CPU"
        figure = (times(low, high) if low > 1 else times(1 / high, 1 / low)).replace(
            " times", "\u202f×"
        )
        tiles.append(Tile(label="The NPU brings", figure=figure, words=word))
    if split:
        name, share = split[0]
        tiles.append(Tile(label="Most of it goes to", figure=name, words=fmt.percent(share)))
    if run.memory is not None:
        tiles.append(
            Tile(
                label="Memory",
                figure=fmt.size(run.memory.flash_bytes),
                words=f"flash, and {fmt.size(run.memory.ram_bytes)} of RAM",
            )
        )
    energy = run.energy
    whole = None if energy is None else energy.stages.get(Stage.END_TO_END)
    if energy is not None and whole is not None and energy.verdict != "refused":
        tiles.append(
            Tile(
                label="Energy of one inference",
                figure=fmt.micro(whole.gross_uj, "J"),
                words=_interval(whole.gross_uj, whole.gross_low_uj, whole.gross_high_uj),
                badge=str(energy.evidence),
            )
        )
    checked = {"match": "golden answer, bit by bit", "unavailable": "outputs not compared"}
    if run.golden.status == "match" and run.golden.mismatches:
        checked["match"] = "right by a second opinion"
    tiles.append(
        Tile(
            label="What it is worth",
            figure=str(stage.evidence),
            words=checked.get(run.golden.status, run.golden.status),
            badge=str(stage.evidence),
        )
    )
    return tiles


def _interval(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None or not value:
        return "no interval: the instrument's accuracy has no source"
    return f"± {fmt.percent((high - low) / 2 / value)} (k = 2)"


def _pieces(split: Parts) -> tuple[Piece, ...]:
    colours = colours_of([name for name, _ in split])
    found, start = [], 0.0
    for name, share in split:
        words = f"{name}: {fmt.percent(share)}"
        found.append(
            Piece(name=name, start=start, share=share, colour=_class(colours[name]), words=words)
        )
        start += share
    return tuple(found)


def _class(colour: str) -> str:
    """``c3`` of ``var(--c3)``: the class that fills a shape with it."""
    return colour.removeprefix("var(--").removesuffix(")")


_STAGE_CLASS = {
    Stage.LOAD: "c2",
    Stage.INFER: "c1",
    Stage.UNLOAD: "c3",
    Stage.POST: "c4",
}


def _answers(network: NetworkRuns) -> Mapping[str, AccuracyRecord]:
    """What each target itself answered."""
    return {
        target: item
        for target, records in network.accuracy.items()
        for item in records
        if item.form == "target"
    }


def _worse(ranking: Ranking, answers: Mapping[str, AccuracyRecord]) -> str:
    """That the winner answers worse than another, where it does."""
    if not ranking.ranks:
        return ""
    best = ranking.best.target
    others = [(run.target, answers.get(run.target)) for run in ranking.runs if run.target != best]
    return worse_words(answers.get(best), best, others)


def _group(ranking: Ranking, library: Library, answers: Mapping[str, AccuracyRecord]) -> Group:
    best = ranking.value(ranking.best)
    scale = max(_high(ranking, run) for run in ranking.runs) or 1.0
    lines = []
    for run in ranking.runs:
        stage = run.stages[ranking.stage]
        value = ranking.value(run)
        span = None
        if stage.low is not None and stage.high is not None:
            span = (stage.low / scale, (stage.high - stage.low) / scale)
        lines.append(
            Line(
                run=run,
                page=library.page(run_page(run.run_id)),
                value=fmt.stage(value, ranking.unit, low=stage.low, high=stage.high),
                times=_times(ranking, run),
                best=ranking.ranks and value == best,
                pieces=_stage_pieces(ranking, run, scale),
                span=span,
                per_mac=infer_per_mac(run),
                energy=energy_words(run),
                answers=value_words(answers.get(run.target)),
            )
        )
    return Group(
        ranks=ranking.ranks,
        unit=ranking.unit,
        evidence=str(ranking.evidence),
        stage_words=STAGE_WORDS[Stage(ranking.stage)],
        answer=f"{_answer(ranking)} {_worse(ranking, answers)}".strip(),
        asked=any(run.target in answers for run in ranking.runs),
        trust=_trust(ranking),
        lines=tuple(lines),
        per_mac=any(line.per_mac is not None for line in lines),
        energy=any(line.energy for line in lines),
        stages=tuple(
            Piece(name=str(stage), start=0, share=0, colour=_STAGE_CLASS[stage], words="")
            for stage in END_TO_END
        )
        if ranking.stage == Stage.END_TO_END
        else (),
    )


def energy_words(run: RunRecord) -> str:
    """Energy of one inference; nothing where no power was captured."""
    if run.energy is None:
        return ""
    if run.energy.verdict == "refused":
        return "refused"
    whole = run.energy.stages.get(Stage.END_TO_END)
    return "" if whole is None else fmt.micro(whole.gross_uj, "J")


def _stage_pieces(ranking: Ranking, run: RunRecord, scale: float) -> tuple[Piece, ...]:
    stages = END_TO_END if ranking.stage == Stage.END_TO_END else (Stage.INFER,)
    found, start = [], 0.0
    for name in stages:
        stage = run.stages.get(name)
        if stage is None or stage.median is None or stage.unit != ranking.unit:
            continue
        share = float(stage.median) / scale
        words = f"{name}: {fmt.stage(stage.median, stage.unit)}"
        colour = _STAGE_CLASS[name]
        found.append(Piece(name=str(name), start=start, share=share, colour=colour, words=words))
        start += share
    return tuple(found)


def _high(ranking: Ranking, run: RunRecord) -> float:
    high = run.stages[ranking.stage].high
    return max(float(ranking.value(run)), float(high or 0))


def _answer(ranking: Ranking) -> str:
    best, words = ranking.best, STAGE_WORDS[Stage(ranking.stage)]
    if not ranking.ranks and len(ranking.runs) > 1:
        return (
            "Counts of different cores, whose instructions do different work in different times: "
            "they are not ranked."
        )
    cost = fmt.stage(ranking.value(best), ranking.unit)
    if len(ranking.runs) == 1:
        return f"{best.target}: {cost} {words}; no other target to compare with."
    second = ranking.runs[1]
    if ranking.value(second) == ranking.value(best):
        return f"{best.target} and {second.target} cost the same {words}: {cost}."
    if _overlap(ranking, best, second):
        return (
            f"Undecided between {best.target} and {second.target}: their modelled ranges overlap."
        )
    return (
        f"{best.target} {_LEAST[ranking.unit]} {words}: {cost}; {second.target} "
        f"{_ratio_words(ranking, second)}."
    )


def _ratio_words(ranking: Ranking, run: RunRecord) -> str:
    best = ranking.value(ranking.best)
    if not best:
        return "takes more"
    if ranking.evidence is not Evidence.MODELLED and ranking.value(run) / best < 1.1:
        return f"takes {fmt.percent(ranking.value(run) / best - 1)} more"
    return f"takes {_times(ranking, run)} times {_AS[ranking.unit]}"


def _times(ranking: Ranking, run: RunRecord) -> str:
    """How many times the best's cost: of modelled values only a range, the worst of one against
    the best of the other, and no figure where the ranges overlap."""
    best, value = ranking.value(ranking.best), ranking.value(run)
    if run is ranking.best or not best or ranking.evidence is not Evidence.MODELLED:
        return fmt.ratio(value / best if best else None).removesuffix("×")
    if _overlap(ranking, ranking.best, run):
        return "undecided"
    ratio = times_range(ranking.best.stages[ranking.stage], run.stages[ranking.stage])
    if ratio is None:
        return fmt.NONE
    return " to ".join(fmt.ratio(value).removesuffix("×") for value in ratio)


def _overlap(ranking: Ranking, best: RunRecord, second: RunRecord) -> bool:
    high = best.stages[ranking.stage].high
    low = second.stages[ranking.stage].low
    return high is not None and low is not None and low <= high


def _trust(ranking: Ranking) -> str:
    """How far the order of a ranking may be trusted, from its repetitions."""
    stages = [run.stages[ranking.stage] for run in ranking.runs]
    counts = sorted({stage.n for stage in stages})
    told = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    if ranking.evidence is Evidence.MODELLED:
        return "By a model; nothing was observed."
    if all(stage.deterministic for stage in stages):
        every = "Both" if told == "2" else f"All {told}"
        agree = f"{every} repetitions gave the same value on each target."
        if ranking.evidence is Evidence.COUNTED:
            return f"{agree} An exact count; not a time."
        return f"{agree} One session each: a claim between sessions needs three boots."
    if max(counts) < 2:
        return "Run once: nothing shows yet that it repeats."
    boots = min(
        (run.stages[Stage.INIT_COLD].n for run in ranking.runs if Stage.INIT_COLD in run.stages),
        default=1,
    )
    scope = ""
    if boots < 3:
        scope = " Within one session: a claim between sessions needs three boots or more."
    return f"Median of {told} repetitions.{scope}"
