"""Why one operator costs another amount in another run: by what the two records differ in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from npubench.runs.schema import LayerRecord, RunRecord

Changed = Callable[[str], str | None]
"""What differs in the sources of a kernel between two runs, in words; None: nothing does."""

_MOVES = frozenset(
    (
        "RESHAPE", "PAD", "PADV2", "MIRROR_PAD", "CONCATENATION", "TRANSPOSE", "SLICE",
        "STRIDED_SLICE", "SPLIT", "SPLIT_V", "PACK", "UNPACK", "GATHER", "SPACE_TO_DEPTH",
        "DEPTH_TO_SPACE", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "SQUEEZE", "EXPAND_DIMS",
        "BROADCAST_TO", "REVERSE_V2", "READ_VARIABLE", "ASSIGN_VARIABLE",
    )
)  # fmt: skip
_RESCALES = frozenset(("QUANTIZE", "DEQUANTIZE"))
_COMPILERS = ("gcc", "clang")
_BUILDERS = ("platformio", "scons")
_LEVEL, _USUAL = "level", "O2"


class Cause(StrEnum):
    """What a part of a gap comes from."""

    CLOCK = "clock"
    FALLBACK = "NPU or CPU"
    WORK = "work left out"
    KERNEL = "choice of kernel"
    COMPILER = "compiler and flags"
    LEVEL = "optimisation level"
    NPU = "NPU, its clock and memories"
    CORE = "core and its memories"
    PLACEMENT = "placement"
    VERSION = "another version"
    SETTINGS = "settings of the backend"
    MOVEMENT = "copies and padding"
    REQUANTIZATION = "requantization"
    DISPATCH = "calls between operators"
    STAGES = "load, unload and post"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """A cause, and what of the two records it is seen by (empty: the part's own words say it)."""

    cause: Cause
    seen: str = ""


def why_operator(
    a: RunRecord, b: RunRecord, first: LayerRecord, second: LayerRecord, changed: Changed | None
) -> Why | None:
    """Why an operator of two runs differs; None where nothing known does.

    What is nearer to the operator counts first: the engine, what kind of operator it is, its work,
    its kernel; then core, compiler, level, placement, and the kernel's own sources or settings.
    """
    if first.engine != second.engine and "npu" in (first.engine, second.engine):
        return Why(cause=Cause.FALLBACK)
    if (first.executed_macs or first.macs) != (second.executed_macs or second.macs):
        return Why(cause=Cause.WORK)
    if first.engine == second.engine == "npu" and (a.board != b.board or a.options == b.options):
        left, right = _npu(a), _npu(b)
        if left != right:
            return Why(cause=Cause.NPU, seen=f"{left} and {right}")
    other = kernel_of(first) != kernel_of(second)
    around = next(_around(a, b), None)
    if other or around is None:
        if first.op in _MOVES:
            return Why(cause=Cause.MOVEMENT)
        if first.op in _RESCALES:
            return Why(cause=Cause.REQUANTIZATION)
    if other:
        return Why(cause=Cause.KERNEL)
    if around is not None:
        return around
    found = _sources(a, b, kernel_of(first), changed)
    if found is None and (a.backend != b.backend or a.options != b.options):
        return Why(cause=Cause.SETTINGS, seen=f"{_options(a)} and {_options(b)}")
    return found


def why_between(a: RunRecord, b: RunRecord) -> bool:
    """Whether the two runs differ in what may change the calls between operators."""
    return (
        a.backend != b.backend
        or a.options != b.options
        or next(_around(a, b), None) is not None
        or _engines(a) != _engines(b)
        or _versions(a) != _versions(b)
    )


def what_differs(a: RunRecord, b: RunRecord) -> Iterator[str]:
    """What differs and may be in every part of a gap."""
    pairs: Sequence[tuple[str, object, object]] = (
        ("board", a.board, b.board),
        ("flags", " ".join(a.environment.flags), " ".join(b.environment.flags)),
        ("compiler", _words(compilers(a)), _words(compilers(b))),
        ("level", _level(a), _level(b)),
        ("npubench", a.environment.npubench, b.environment.npubench),
        ("placement", _placement(a), _placement(b)),
    )
    for what, left, right in pairs:
        if left != right:
            yield f"{what}: {left or 'none'} and {right or 'none'}"


def kernel_of(layer: LayerRecord) -> str:
    """The kernel's name; of what has none, the engine's."""
    return layer.kernel or layer.engine


def compilers(record: RunRecord) -> tuple[tuple[str, str], ...]:
    """The compilers of a run's image, by name, with their versions."""
    return tuple(
        sorted(
            (name, version)
            for name, version in record.environment.tools.items()
            if any(word in name for word in _COMPILERS)
        )
    )


def _npu(record: RunRecord) -> str:
    """The NPU with its clock, and the memories that its timing assumes, in words."""
    npu = record.npu
    if npu is None:
        return ""
    hz = npu.details.get("npu_hz")
    clock = f" at {float(hz) / 1e6:g} MHz" if isinstance(hz, int | float) else ""
    system = npu.details.get("system_config")
    return f"{npu.accelerator}{clock}" + (f" ({system})" if system else "")


def _around(a: RunRecord, b: RunRecord) -> Iterator[Why]:
    """What differs around the kernels, the weightiest first."""
    if (a.board, a.environment.flags) != (b.board, b.environment.flags):
        yield Why(cause=Cause.CORE, seen=f"{a.board} and {b.board}")
    if compilers(a) != compilers(b):
        left, right = set(compilers(a)), set(compilers(b))
        sides = (tuple(sorted(left - right)) or compilers(a), tuple(sorted(right - left)))
        seen = " and ".join(_words(side or compilers(b)) for side in sides)
        yield Why(cause=Cause.COMPILER, seen=seen)
    if _level(a) != _level(b):
        yield Why(cause=Cause.LEVEL, seen=f"-{_level(a)} and -{_level(b)}")
    if _placement(a) != _placement(b):
        yield Why(cause=Cause.PLACEMENT, seen=f"{_placement(a)} and {_placement(b)}")


def _sources(a: RunRecord, b: RunRecord, kernel: str, changed: Changed | None) -> Why | None:
    """Another version of the engine, or of this project's own kernel."""
    if _engines(a) != _engines(b):
        return Why(cause=Cause.VERSION, seen=f"{_words(_engines(a))} and {_words(_engines(b))}")
    said = None if changed is None else changed(kernel)
    if said is None and changed is None and _versions(a) != _versions(b):
        said = f"npubench {' '.join(_versions(a))} and {' '.join(_versions(b))}"
    return None if said is None else Why(cause=Cause.VERSION, seen=said)


def _versions(record: RunRecord) -> tuple[str, ...]:
    return tuple(word for word in (record.environment.npubench, record.environment.git) if word)


def _engines(record: RunRecord) -> tuple[tuple[str, str], ...]:
    """What else made the image: a user's own engine, an NPU's compiler."""
    return tuple(
        sorted(
            (name, version)
            for name, version in record.environment.tools.items()
            if not any(word in name for word in (*_COMPILERS, *_BUILDERS))
        )
    )


def _level(record: RunRecord) -> str:
    return record.options.get(_LEVEL, _USUAL)


def _options(record: RunRecord) -> str:
    said = ", ".join(f"{name}={value}" for name, value in sorted(record.options.items()))
    return said or "none"


def _words(pairs: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(version for _, version in pairs)


def _placement(record: RunRecord) -> str:
    return "" if record.memory is None else ", ".join(record.memory.regions)
