"""What keeps an NPU's speed-up from being told."""

from __future__ import annotations

from typing import Final

from npubench.core.finding import Finding, Severity, Spoils

CPU_NOT_RUN: Final = Finding(
    id="report.cpu-not-run",
    severity=Severity.WARNING,
    meaning="no speed-up is told: the CPU was not run",
    remedy="run the same network on the board with --backend cpu",
    spoils=Spoils.COMPARISON,
    text="the CPU was not run",
)
CPU_RUN_INVALID: Final = Finding(
    id="report.cpu-run-invalid",
    severity=Severity.WARNING,
    meaning="no speed-up is told: the CPU's run is not valid",
    remedy="see why that run failed",
    spoils=Spoils.COMPARISON,
    text="the CPU's run is not valid",
)
CONTRACTS_DIFFER: Final = Finding(
    id="report.contracts-differ",
    severity=Severity.WARNING,
    meaning="no speed-up is told: the runs keep to different stage contracts",
    remedy="run both with one npubench",
    spoils=Spoils.COMPARISON,
    text="the runs keep to different stage contracts",
)
NO_END_TO_END: Final = Finding(
    id="report.no-end-to-end",
    severity=Severity.WARNING,
    meaning="no speed-up is told: a run has no end-to-end time",
    remedy="see that run's stages",
    spoils=Spoils.COMPARISON,
    text="a run has no end-to-end time",
)
KINDS_DIFFER: Final = Finding(
    id="report.kinds-differ",
    severity=Severity.WARNING,
    meaning="no speed-up is told: the runs differ in unit or evidence",
    remedy="run both on one kind of board",
    spoils=Spoils.COMPARISON,
    text="the runs differ in unit or evidence",
)
