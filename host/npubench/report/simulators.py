"""What vendors' simulators gave, as a table for a document: of stored runs, the newest of each
network and target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from npubench.core.format import NONE
from npubench.report.markdown import table
from npubench.report.scheme_cost import scheme_cost, way, with_class
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun
from npubench.zoo import load_zoo, zoo_ids

PLACE = "@simulator"
WORDS_CHARS = 160
NOT_RUN = "not run"


def simulators_table(runs: Iterable[StoredRun]) -> str:
    """Networks by targets, trained ones first, then in the zoo's order; a line with the tools'
    versions beneath."""
    newest: dict[tuple[str, str], RunRecord] = {}
    for run in runs:
        record = run.record
        if record.target.endswith(PLACE):
            newest[network_words(record), record.target.removesuffix(PLACE)] = record
    networks = sorted({name for name, _ in newest}, key=_order)
    targets = sorted({target for _, target in newest})
    head = ("network", "int8 itself", *(f"`{target}`" for target in targets))
    rows = []
    for name in networks:
        cells = [newest.get((name, target)) for target in targets]
        rows.append((name, _int8_words(cells), *(_cell(record) for record in cells)))
    return table(head, rows) + "\n" + _versions(newest.values()) + "\n"


def network_words(record: RunRecord) -> str:
    """A network of the zoo with where its weights are from, else the file's name."""
    for name in zoo_ids():
        entry = load_zoo(name)
        if entry.fetch is not None and entry.fetch.sha256 == record.model.network_sha256:
            return f"`{name}`, trained"
        if entry.sha256 == record.model.network_sha256:
            return f"`{name}`, {entry.weights}"
    return f"`{record.model.name}`"


def _order(words: str) -> tuple[bool, int, str]:
    ids = list(zoo_ids())
    name = words.split("`")[1]
    return not words.endswith("trained"), ids.index(name) if name in ids else len(ids), words


def _cell(record: RunRecord | None) -> str:
    if record is None:
        return NOT_RUN
    cost = scheme_cost(record)
    if cost is None:
        why = "no answer" if record.error is None else record.error.message
        why = why.rpartition("does not take this network: ")[2]
        return f"refused: {why if len(why) <= WORDS_CHARS else why[:WORDS_CHARS].rstrip() + '...'}"
    words = [with_class(cost.noise, cost.same_ratio)]
    if cost.samples < 100:
        words[0] += f" of {cost.samples}"
    if taken := way(record):
        words.append(taken.partition(" (")[0])
    share = None if record.npu is None else record.npu.macs_share
    if share is not None and share < 0.9995:
        words.append(f"{share:.0%} of the MACs on the NPU")
    cycles = None if (stage := record.stages.get("infer")) is None else stage.npu_cycles
    if cycles is not None:
        words.append(f"{cycles:,.0f} cycles")
    if record.status != "ok":
        words.append("**failed**" + (f", at {cost.worst}" if cost.worst else ""))
    return "; ".join(words)


def _int8_words(records: Sequence[RunRecord | None]) -> str:
    for record in records:
        cost = None if record is None else scheme_cost(record)
        if cost is not None and cost.int8_snr_db is not None:
            return cost.int8
    return NONE


def _versions(records: Iterable[RunRecord]) -> str:
    found = {
        f"{name} {version}"
        for record in records
        for name, version in record.environment.tools.items()
    }
    return f"Tools: {'; '.join(sorted(found))}."
