"""What results.txt says of itself: a median of its own windows, a throughput of its own duty cycle.

This needs no raw file, so that a claim which contradicts itself is found without one.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from npubench.audit.figures import (
    DUTY_DIGITS_RATIO,
    ENERGY_TOLERANCE_RATIO,
    THROUGHPUT_TOLERANCE_RATIO,
)
from npubench.audit.result import AuditResult
from npubench.audit.rules import Finding

# Half a unit of the third decimal, of either figure.
PRINTED_HALF_UNIT = 0.0005


def check_consistency(result: AuditResult) -> Iterator[Finding]:
    """Medians, and what follows from other printed figures."""
    printed, windows = result.printed, result.published_windows
    energies = [item.energy_uj for item in windows if item.energy_uj is not None]
    rates = [item.ips for item in windows if item.ips is not None]
    checks: list[tuple[str, float | None, float | None, float]] = []
    if result.mode == "energy" and energies:
        name = "median energy in uJ"
        checks.append((name, printed.median_uj, median(energies), ENERGY_TOLERANCE_RATIO))
    if rates and not result.streaming:
        name = "median throughput"
        checks.append((name, printed.median_ips, median(rates), THROUGHPUT_TOLERANCE_RATIO))
    for item in windows:
        if item.ips and item.inferences and item.seconds:
            ratio = THROUGHPUT_TOLERANCE_RATIO + PRINTED_HALF_UNIT / item.seconds
            checks.append(
                ("throughput of a window", item.ips, item.inferences / item.seconds, ratio)
            )
    if result.streaming and printed.duty_ratio and printed.period_s:
        each_s = printed.duty_ratio * printed.period_s
        checks.append(("throughput", printed.median_ips, 1.0 / each_s, DUTY_DIGITS_RATIO))
    if result.streaming and result.mode == "energy" and printed.power_mw:
        for item in windows:
            if item.energy_uj and item.seconds:
                power_mw = item.energy_uj / item.seconds / 1000.0
                checks.append(("power in mW", printed.power_mw, power_mw, ENERGY_TOLERANCE_RATIO))
    for name, said, follows, ratio in checks:
        if said is None or follows is None or not follows:
            continue
        if abs(said - follows) > ratio * abs(follows) + 2 * PRINTED_HALF_UNIT:
            moves_pct = 100.0 * (said / follows - 1.0)
            yield Finding(
                rule="published-inconsistent",
                folder=result.folder,
                detail=f"results.txt prints a {name} of {said:.6g}, but {follows:.6g} follows "
                f"from its other lines ({moves_pct:+.2f} %)",
                moves_pct=abs(moves_pct),
            )
