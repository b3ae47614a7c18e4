"""What a stage's energy means for a device that infers now and then and idles between."""

from __future__ import annotations


def duty_power_uw(
    *, idle_uw: float, net_uj: float, duration_us: float, per_second: float
) -> float | None:
    """Mean power in microwatts at a rate of inferences per second; None when they do not fit."""
    if per_second * duration_us > 1e6:
        return None
    return idle_uw + per_second * net_uj


def break_even_per_second(
    *, idle_uw: float, net_uj: float, other_idle_uw: float, other_net_uj: float
) -> float | None:
    """The rate at which both take the same power; None when one is better at every rate.

    From ``idle + rate * net`` of both sides.
    """
    saved_uj = other_net_uj - net_uj
    if saved_uj == 0:
        return None
    rate = (idle_uw - other_idle_uw) / saved_uj
    return rate if rate > 0 else None
