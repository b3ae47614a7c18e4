"""Which of Vela's ways to compile a network: its default core, the older one, operators kept back.

Each core miscompiles some patterns (``faults``). With ``core=auto`` such a network goes to
the older core; where that cannot take it, the operator at fault stays on the CPU; where no kernel
runs it, the network is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from npubench.compiler.backends.ethos_u.check import BrokenStream
from npubench.compiler.backends.ethos_u.faults import VelaFault, known_faults, legacy_faults
from npubench.compiler.backends.ethos_u.options import Core, VelaSettings
from npubench.compiler.backends.ethos_u.output import read_vela
from npubench.compiler.backends.ethos_u.partition import Partition, partition
from npubench.compiler.backends.ethos_u.vela import VelaResult, compile_with_vela
from npubench.compiler.findings import (
    KEPT_ON_CPU,
    KNOWN_MISCOMPILATION,
    VELA_CORE_CHANGED,
)
from npubench.compiler.graph import Graph
from npubench.compiler.lower import lower_op
from npubench.core.errors import CompileError, NpubenchError, ToolError
from npubench.core.finding import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A compilation that can run. ``findings``: what was decided for the user, and why."""

    settings: VelaSettings
    result: VelaResult
    split: Partition
    findings: tuple[Found, ...] = ()


def choose(graph: Graph, model: bytes, settings: VelaSettings, core: Core) -> Choice:
    """Compile ``model`` in the first way that is known to be right.

    ``settings``: with the core that the user named, if one. Raises CompileError when every way
    fails, else what Vela raises.
    """
    try:
        first = _attempt(graph, model, settings)
    except (BrokenStream, ToolError) as error:
        return _instead(graph, model, settings, core, error)
    faults = _faults(graph, first)
    if core != "auto" or all(fault.slight for fault in faults):
        return replace(first, findings=_named(faults, first))
    faults = tuple(fault for fault in faults if not fault.slight)
    what = faults[0].text
    culprits = tuple(sorted({graph.ops[fault.culprit].kind for fault in faults}))
    named = ", ".join(culprits)
    ways = (
        (
            "compiled by Vela's legacy core",
            VELA_CORE_CHANGED.found(fault=what),
            replace(settings, legacy=True),
        ),
        (
            f"{named} kept on the CPU",
            KEPT_ON_CPU.found(operators=named, fault=what),
            replace(settings, ignored=culprits),
        ),
    )
    refusals: list[str] = []
    for name, remark, way in ways:
        try:
            found = _attempt(graph, model, way)
            for index in found.split.cpu_ops:
                lower_op(graph, graph.ops[index])
        except NpubenchError as error:
            refusals.append(f"not {name}: {error.message}")
            continue
        others = _faults(graph, found) if way.legacy else ()
        worse = [fault.text for fault in others if not fault.slight]
        if worse:
            refusals.append(f"not {name}: its {worse[0]}")
            continue
        return replace(found, findings=(remark, *_named(others, found)))
    raise CompileError(
        f"{graph.name}: Vela would miscompile it: {what}; {'; '.join(refusals)}"[:900],
        hint="compile it for the CPU (--backend cpu); --set ethos-u.core=default insists",
    )


def _instead(
    graph: Graph, model: bytes, settings: VelaSettings, core: Core, error: BrokenStream | ToolError
) -> Choice:
    """The legacy core's work, where the default core crashed, or wrote what the NPU cannot run, and
    the user has named no core. Raises ``error`` where that does not help."""
    what = f"output cannot be run: {error.message}"[:400]
    if isinstance(error, ToolError):
        if error.code is None or error.code >= 0:
            raise error
        what = f"process crashed (signal {-error.code})"
    if core != "auto":
        raise error
    try:
        found = _attempt(graph, model, replace(settings, legacy=True))
        for index in found.split.cpu_ops:
            lower_op(graph, graph.ops[index])
    except NpubenchError:
        raise error from None
    faults = _faults(graph, found)
    if not all(fault.slight for fault in faults):
        raise error
    remark = VELA_CORE_CHANGED.found(fault=what)
    return replace(found, findings=(remark, *_named(faults, found)))


def _named(faults: tuple[VelaFault, ...], choice: Choice) -> tuple[Found, ...]:
    """What a compilation is known to get wrong, as one finding: the worst, and how many more."""
    if not faults:
        return ()
    texts = [fault.text for fault in sorted(faults, key=lambda fault: fault.slight)]
    more = f"; and {len(texts) - 1} more" if len(texts) > 1 else ""
    core = "legacy" if choice.settings.legacy else "default"
    return (KNOWN_MISCOMPILATION.found(core=core, fault=f"{texts[0]}{more}"),)


def _faults(graph: Graph, choice: Choice) -> tuple[VelaFault, ...]:
    """What the core that compiled is known to get wrong in it."""
    known = legacy_faults(graph) if choice.settings.legacy else known_faults(graph)
    return tuple(_met(choice, known))


def _attempt(graph: Graph, model: bytes, settings: VelaSettings) -> Choice:
    result = compile_with_vela(model, settings)
    split = partition(graph, read_vela(result.model, name=graph.name))
    return Choice(settings=settings, result=result, split=split)


def _met(choice: Choice, faults: tuple[VelaFault, ...]) -> Iterator[VelaFault]:
    """Faults whose operators Vela put into one job."""
    for fault in faults:
        if any(
            fault.op_index in segment.op_indices and fault.culprit in segment.op_indices
            for segment in choice.split.segments
        ):
            yield fault
