"""Which operator adds most noise, where a vendor's arithmetic is too far off: parts of the network
are run on the vendor's simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from npubench.bench.forms import Forms
from npubench.bench.portions import Pace
from npubench.bench.scheme import Array, real, signal_to_noise_db
from npubench.compiler.graph import Graph
from npubench.core.errors import NpubenchError
from npubench.stats.noise import noisiest

SEARCH_SAMPLES, SLOW_SEARCH_SAMPLES = 4, 2
"""Inputs that each operator is looked at with; the latter on a slow simulator."""
ALL_OPERATORS, SPANS = 12, 6
"""A network of more operators than the former is looked at in so many spans, then within the span
that adds most."""


def sources_of(graph: Graph) -> dict[int, tuple[int, ...]]:
    """Of each operator those whose outputs it takes."""
    makers = {index: op.index for op in graph.ops for index in op.outputs}
    return {
        op.index: tuple(makers[index] for index in op.inputs if index in makers) for op in graph.ops
    }


def worst_of(
    layers: Mapping[str, float | None], sources: Mapping[int, Sequence[int]]
) -> int | None:
    """The operator that adds most noise; ``layers``: signal to noise after some, in dB, None where
    nothing differs."""
    noise = {
        int(name): 0.0 if value is None else 10.0 ** (-value / 10.0)
        for name, value in layers.items()
    }
    return noisiest(noise, sources)


def by_operator(
    forms: Forms, setting: str, codes: tuple[Array, ...], pace: Pace
) -> dict[str, float | None]:
    """Signal to noise after each operator that was looked at, in dB, on a few inputs. What cannot
    be cut there is left out."""
    count = SLOW_SEARCH_SAMPLES if forms.simulator.is_slow else SEARCH_SAMPLES
    few = tuple(array[:count] for array in codes)
    graph = forms.network.graph
    sources = sources_of(graph)
    found: dict[int, float | None] = {}

    def look(operators: Sequence[int]) -> None:
        for place, index in enumerate(operators):
            tensor = graph.tensor(graph.ops[index].outputs[0])
            pace.begin(f"operator {index}, {place + 1} of {len(operators)}: ")
            try:
                (wanted,) = forms.truth(few, index)
                got = forms.simulator.simulate(
                    forms.asked(few, setting=setting, last=index, heard=pace.heard)
                )
            except NpubenchError:
                continue
            if got.outputs[0].size == wanted.size:
                found[index] = signal_to_noise_db(
                    real(tensor, wanted), real(tensor, got.outputs[0])
                )

    look(first_looks(len(graph.ops)))
    worst = worst_of(_named(found), sources)
    if worst is not None:
        look(sorted(unseen_before(worst, set(found), sources)))
    return _named(dict(sorted(found.items())))


def first_looks(operators: int) -> list[int]:
    """Every operator of a small network, else the last one of each span."""
    if operators <= ALL_OPERATORS:
        return list(range(operators))
    return [operators * (span + 1) // SPANS - 1 for span in range(SPANS)]


def unseen_before(operator: int, seen: set[int], sources: Mapping[int, Sequence[int]]) -> set[int]:
    """The operators from which ``operator`` takes, back to those that were looked at."""
    found: set[int] = set()
    left = list(sources[operator])
    while left:
        index = left.pop()
        if index not in seen and index not in found:
            found.add(index)
            left += sources[index]
    return found


def _named(found: Mapping[int, float | None]) -> dict[str, float | None]:
    return {f"{index}": value for index, value in found.items()}
