"""What keeps runs from being set against each other, whole or in a stage."""

from __future__ import annotations

from typing import Final

from npubench.core.finding import Finding, Severity, Spoils

NETWORKS_DIFFER: Final = Finding(
    id="runs.networks-differ",
    severity=Severity.REFUSAL,
    meaning="two runs are of different networks",
    remedy="compare runs of one network, made with the same stage contract",
    spoils=Spoils.COMPARISON,
    text="the runs cannot be compared: their networks differ ({a}, {b})",
    values={"a": str, "b": str},
)
CONTRACTS_DIFFER: Final = Finding(
    id="runs.contracts-differ",
    severity=Severity.REFUSAL,
    meaning="two runs were made with different boundaries of the stages",
    remedy="compare runs of one network, made with the same stage contract",
    spoils=Spoils.COMPARISON,
    text="the runs cannot be compared: their stage contracts differ ({a}, {b})",
    values={"a": int, "b": int},
)
RUN_WITHOUT_SPEED: Final = Finding(
    id="runs.without-speed",
    severity=Severity.REFUSAL,
    meaning="a run that failed, or whose capture was refused, takes part in no comparison",
    remedy="a run that failed has no speed; run it again",
    spoils=Spoils.COMPARISON,
    text="run {run} is {status}{why}",
    values={"run": str, "status": str, "why": str},
)
EVIDENCE_DIFFERS: Final = Finding(
    id="runs.evidence-differs",
    severity=Severity.REFUSAL,
    meaning="one run was measured, counted or modelled otherwise than the other",
    remedy="--mix-evidence compares them all the same",
    spoils=Spoils.COMPARISON,
    text="the runs are of different evidence: {a} and {b}",
    values={"a": str, "b": str},
)
UNITS_DIFFER: Final = Finding(
    id="runs.units-differ",
    severity=Severity.REFUSAL,
    meaning="a stage has one unit in one run and another in the other",
    remedy="compare runs of boards of one kind",
    spoils=Spoils.COMPARISON,
    text="different units are never set against each other",
)
STAGE_EVIDENCE_DIFFERS: Final = Finding(
    id="runs.stage-evidence-differs",
    severity=Severity.WARNING,
    meaning="a stage was measured, counted or modelled otherwise in the other run",
    remedy="none: the ratio is shown, nothing is claimed",
    spoils=Spoils.COMPARISON,
    text="different evidence: no claim is made",
)
RANGES_OVERLAP: Final = Finding(
    id="runs.ranges-overlap",
    severity=Severity.WARNING,
    meaning="two modelled values may be equal within their bounds",
    remedy="measure on a board",
    spoils=Spoils.COMPARISON,
    text="the modelled ranges overlap",
)
NOT_RUN_AGAIN: Final = Finding(
    id="runs.not-run-again",
    severity=Severity.REFUSAL,
    meaning="a network on a target is in the older set of a gate and not in the newer one",
    remedy='run it, or say missing = "pass" in the policy',
    spoils=Spoils.COMPARISON,
    text="it was not run again",
)
NOTHING_BEFORE: Final = Finding(
    id="runs.nothing-before",
    severity=Severity.REMARK,
    meaning="a network on a target is only in the newer set of a gate",
    remedy="none: it becomes part of the next baseline",
    spoils=Spoils.COMPARISON,
    text="there is no run to measure it against",
)
POLICY_WANTS_SAME: Final = Finding(
    id="runs.policy-wants-same",
    severity=Severity.REFUSAL,
    meaning="a policy wants something to be equal in both runs that is not",
    remedy="run both with the same, or take it from `same` in the policy",
    spoils=Spoils.COMPARISON,
    text="the policy wants the same {names}",
    values={"names": str},
)
NEW_FINDING: Final = Finding(
    id="runs.new-finding",
    severity=Severity.REFUSAL,
    meaning="the newer run has warnings or refusals that the older one does not have",
    remedy="see them in the run; those that are known go into `accept` of the policy",
    spoils=Spoils.COMPARISON,
    text="the newer run has what the older one has not: {findings}",
    values={"findings": str},
)
BEYOND_LIMIT: Final = Finding(
    id="runs.beyond-limit",
    severity=Severity.REFUSAL,
    meaning="a metric grew by more than a gate's policy allows",
    remedy="the sentence names the layers that it grew in",
    spoils=Spoils.NOTHING,
    text="{sentence}",
    values={"sentence": str},
)
METRIC_GONE: Final = Finding(
    id="runs.metric-gone",
    severity=Severity.REFUSAL,
    meaning="a metric of the older run is missing in the newer one",
    remedy='run it as the older one was, or say missing = "pass" in the policy',
    spoils=Spoils.COMPARISON,
    text="{sentence}",
    values={"sentence": str},
)
UNDECIDED: Final = Finding(
    id="runs.undecided",
    severity=Severity.WARNING,
    meaning="a metric is beyond a gate's limit, and the data does not carry that it differs",
    remedy="measure more boots and repetitions, or on a board",
    spoils=Spoils.COMPARISON,
    text="{sentence}",
    values={"sentence": str},
)
