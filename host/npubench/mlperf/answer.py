"""What a device's results should be, where the network that it runs is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npubench.compiler.benchmark import check_fit
from npubench.compiler.graph import Graph
from npubench.core.errors import UsageError
from npubench.core.finding import Found
from npubench.golden import golden_outputs
from npubench.mlperf import findings as kinds
from npubench.mlperf.form import network_input, printed_results
from npubench.zoo import BENCHMARKS, Mlperf

# Three decimals are printed, from single precision: half a digit, and a rounding in its seventh.
PRINTED = 0.0006
RELATIVE = 2e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A network as a benchmark's: ``data`` is its file, ``form`` how the firmware is fed."""

    data: bytes
    graph: Graph
    form: Mlperf
    reference: str = "TFLM"

    def judge(self, answers: Sequence[tuple[str, bytes, tuple[int, ...]]]) -> list[Found]:
        """What is wrong with answers: each with its input's name, its upload and its results in
        thousandths. Raises ReferenceUnavailable."""
        wrong = [
            (name, *difference)
            for name, upload, given in answers
            if (difference := self._difference(upload, given)) is not None
        ]
        if not wrong:
            return []
        name, index, printed, expected = wrong[0]
        return [
            kinds.OTHER_ANSWER.found(
                count=len(wrong),
                inputs=len(answers),
                reference=self.reference,
                input=name,
                printed=printed,
                index=index,
                expected=expected,
            )
        ]

    def _difference(self, upload: bytes, given: tuple[int, ...]) -> tuple[int, str, str] | None:
        """The first value that is not the network's: its place, what is printed, what is right."""
        golden = golden_outputs(self.data, network_input(upload, self.form, self.graph))
        right = printed_results(golden.output_bytes, upload, self.form, self.graph)
        if len(right) != len(given):
            return 0, f"a list of {len(given)}", f"a list of {len(right)}"
        for index, (milli, value) in enumerate(zip(given, right, strict=True)):
            if abs(milli / 1000 - value) > PRINTED + RELATIVE * abs(value):
                return index, f"{milli / 1000:.3f}", f"{value:.6f}"
        return None


def expectation(data: bytes, graph: Graph, model: str) -> Expectation:
    """What a firmware that says it runs ``model`` should answer with this network.

    Raises UsageError when ``model`` is no benchmark, or the network is none of its kind.
    """
    if model not in BENCHMARKS:
        raise UsageError(
            f"the firmware runs {model!r}, which is no benchmark of MLPerf Tiny: how its data and "
            "results look is not known",
            hint=f"known: {', '.join(BENCHMARKS)}; leave --model out",
        )
    check_fit(model, graph)
    return Expectation(data=data, graph=graph, form=BENCHMARKS[model])
