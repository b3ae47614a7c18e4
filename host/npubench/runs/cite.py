"""One line that says a number so that a stranger can find it again, and take the line apart.

The line names network, target, metric with value and interval, evidence, the versions that define
it, and the hash of the run's manifest: whoever has the run folder can prove that it is the one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from npubench.core.errors import ResultError, UsageError
from npubench.runs.gate import metric_value
from npubench.runs.manifest import manifest_sha256
from npubench.runs.policy import check_metric
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun

_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?"
_LINE = re.compile(
    rf"(?P<model>\S+) \(network sha256:(?P<network>[0-9a-f]{{64}})\) on (?P<target>\S+): "
    rf"(?P<metric>[a-z_.]+) (?P<value>{_NUMBER})(?: \[(?P<low>{_NUMBER}), (?P<high>{_NUMBER})\])? "
    rf"(?P<unit>[\wµ]+), (?P<evidence>[a-z]+), n = (?P<n>[0-9]+); "
    rf"npubench (?P<version>\S+), stage contract (?P<contract>[0-9]+), run (?P<run>\S+), "
    rf"manifest sha256:(?P<manifest>[0-9a-f]{{64}})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A cited number. ``low`` and ``high``: its interval or modelled range, None where it is exact
    or has none."""

    model: str
    network: str
    target: str
    metric: str
    value: float
    low: float | None
    high: float | None
    unit: str
    evidence: str
    n: int
    version: str
    contract: int
    run: str
    manifest: str

    def line(self) -> str:
        """The citation; ``parse_citation`` is its inverse."""
        span = "" if self.low is None else f" [{_text(self.low)}, {_text(self.high or 0.0)}]"
        return (
            f"{self.model} (network sha256:{self.network}) on {self.target}: "
            f"{self.metric} {_text(self.value)}{span} {self.unit}, {self.evidence}, n = {self.n}; "
            f"npubench {self.version}, stage contract {self.contract}, run {self.run}, "
            f"manifest sha256:{self.manifest}"
        )

    def bibtex(self) -> str:
        """The same as an entry for a bibliography."""
        year = self.run[:4] if self.run[:4].isdigit() else ""
        return (
            f"@misc{{npubench-{self.manifest[:12]},\n"
            f"  title = {{{_plain(self.model)} on {_plain(self.target)}: {self.metric}}},\n"
            f"  year = {{{year}}},\n"
            f"  howpublished = {{npubench {self.version} run}},\n"
            f"  note = {{{_plain(self.line())}}}\n"
            "}\n"
        )

    def document(self) -> dict[str, Any]:
        """The citation as JSON values, the line among them."""
        return {**asdict(self), "line": self.line(), "bibtex": self.bibtex()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One part of a citation against the run that it names."""

    what: str
    status: Literal["ok", "differs"]
    expected: str
    found: str


def cite(run: StoredRun, metric: str = "infer") -> Citation:
    """The citation of a run's metric (as in a gate).

    Raises ResultError for a run that failed, lacks the metric or was stored without a manifest.
    """
    check_metric(metric)
    record = run.record
    if record.status != "ok":
        raise ResultError(f"{record.run_id} is {record.status}: it has no number to cite")
    value, unit = metric_value(record, metric)
    if value is None:
        raise ResultError(f"{record.run_id} has no {metric}")
    manifest = manifest_sha256(run.path)
    if manifest is None:
        raise ResultError(
            f"{record.run_id} was stored without a manifest",
            hint="bring it through an archive: npubench runs export, then runs import",
        )
    low, high, n, evidence = _certainty(record, metric)
    return Citation(
        model=re.sub(r"\s", "_", record.model.name),
        network=record.model.network_sha256,
        target=record.target,
        metric=metric,
        value=value,
        low=low,
        high=high,
        unit=unit,
        evidence=evidence,
        n=n,
        version=record.environment.npubench,
        contract=record.stage_contract,
        run=record.run_id,
        manifest=manifest,
    )


def parse_citation(line: str) -> Citation:
    """Take a citation apart. Raises UsageError when it is none."""
    match = _LINE.fullmatch(" ".join(line.split()))
    if match is None:
        raise UsageError(
            "that is no citation of npubench", hint="npubench cite RUN prints one: one line"
        )
    part = match.groupdict()
    return Citation(
        model=part["model"],
        network=part["network"],
        target=part["target"],
        metric=part["metric"],
        value=float(part["value"]),
        low=None if part["low"] is None else float(part["low"]),
        high=None if part["high"] is None else float(part["high"]),
        unit=part["unit"],
        evidence=part["evidence"],
        n=int(part["n"]),
        version=part["version"],
        contract=int(part["contract"]),
        run=part["run"],
        manifest=part["manifest"],
    )


def is_citation(text: str) -> bool:
    """Whether a word of the command line means a citation."""
    return "manifest sha256:" in text


def find_cited(citation: Citation, runs: Iterable[StoredRun]) -> StoredRun:
    """The run whose manifest is the cited one. Raises ResultError, naming a run of the same id
    that is another one."""
    namesake = None
    for run in runs:
        if manifest_sha256(run.path) == citation.manifest:
            return run
        if run.record.run_id == citation.run:
            namesake = run
    if namesake is not None:
        raise ResultError(
            f"{namesake.path} has the id of the cited run, but is another one: its manifest is "
            f"{(manifest_sha256(namesake.path) or 'missing')[:16]}, the cited one "
            f"{citation.manifest[:16]}"
        )
    raise ResultError(
        f"the cited run {citation.run} is not here",
        hint="get it from whoever cited it: npubench runs import",
    )


def check_citation(citation: Citation, run: StoredRun) -> tuple[Claim, ...]:
    """Each part of a citation against what its run says."""
    actual = cite(run, citation.metric)
    return tuple(
        Claim(
            what=f"cited {what}",
            status="ok" if claimed == found else "differs",
            expected=str(found),
            found=str(claimed),
        )
        for what, claimed in asdict(citation).items()
        for found in (asdict(actual)[what],)
    )


def _certainty(record: RunRecord, metric: str) -> tuple[float | None, float | None, int, str]:
    """Interval or range, number of repetitions, evidence."""
    if metric.startswith("energy."):
        energy = record.energy
        assert energy is not None
        stage = energy.stages[metric[7:]]
        return stage.gross_low_uj, stage.gross_high_uj, stage.windows, str(energy.evidence)
    found = record.stages.get(metric)
    if found is None:
        return None, None, 1, "static"
    if found.low is not None and found.high is not None:
        return float(found.low), float(found.high), found.n, str(found.evidence)
    if found.deterministic or found.ci95_low is None or found.ci95_high is None:
        return None, None, found.n, str(found.evidence)
    return float(found.ci95_low), float(found.ci95_high), found.n, str(found.evidence)


def _text(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def _plain(text: str) -> str:
    return re.sub(r"([{}%&#_$\\])", r"\\\1", text)
