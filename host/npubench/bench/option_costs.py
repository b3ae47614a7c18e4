"""What each option of an NPU's compiler costs: compiled anew with one changed at a time.

Nothing is built or run: memory is the plan's, cycles are the timing model's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from npubench.bench.job import Job
from npubench.bench.prepare import compile_job
from npubench.compiler.backends import configured_backend
from npubench.compiler.compiled import Compiled, Network
from npubench.core.errors import NpubenchError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionCost:
    """One way to compile a network. ``changed`` is empty for the settings as they are. ``ram``: the
    arena; ``constants``: weights, command streams and tables. ``cycles_high``: with the slowest
    memories that the part may have. ``reason``: why it does not compile; then there are no
    figures."""

    changed: str
    ram_bytes: int | None = None
    constants_bytes: int | None = None
    npu_cycles: int | None = None
    npu_cycles_high: int | None = None
    on_cpu: int | None = None
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def option_costs(job: Job, network: Network, compiled: Compiled) -> tuple[OptionCost, ...]:
    """The network as it is compiled, then with each option changed. Raises UsageError for a
    backend whose compiler has no options to try."""
    backend = configured_backend(job.backend, job.options)
    ways = getattr(backend, "variants", None)
    if ways is None:
        raise UsageError(
            f"backend {job.backend} has no options whose costs could be compared",
            hint="name a board with an Ethos-U: --board qemu-m55-u55",
        )
    found = [_cost("", compiled)]
    for name, value in ways(job.board, compiled.plan.arena.size_bytes):
        options = tuple(sorted({**dict(job.options), name: value}.items()))
        changed = f"{job.backend}.{name}={value}"
        try:
            other = compile_job(replace(job, options=options), network)
        except NpubenchError as error:
            more = f"; {error.hint}" if error.hint else ""
            found.append(OptionCost(changed=changed, reason=error.message + more))
            continue
        found.append(_cost(changed, other))
    return tuple(found)


def _cost(changed: str, compiled: Compiled) -> OptionCost:
    plan = compiled.plan
    cycles = sum(item.cycles for item in plan.estimates)
    details = plan.npu.get("details")
    told = details if isinstance(details, dict) else {}
    ratio = float(told.get("npu_cycles_high_ratio", 1.0))
    return OptionCost(
        changed=changed,
        ram_bytes=plan.arena.size_bytes,
        constants_bytes=sum(len(constant.data) for constant in plan.constants),
        npu_cycles=cycles,
        npu_cycles_high=round(cycles * ratio),
        on_cpu=len(plan.fallbacks),
    )
