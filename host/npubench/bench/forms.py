"""A network in the form that a vendor's simulator takes, with what it is told beside it and the
truth that judges its answers. One way for the simulator's runs and for the artifact of an image."""

from __future__ import annotations

from dataclasses import dataclass

from npubench.bench.job import Job
from npubench.bench.scheme import (
    CALIBRATION_SAMPLES,
    Array,
    Nearness,
    is_classifier,
    nearness,
    ranges_of,
    real,
    sample_codes,
)
from npubench.bench.setting import SETTING_SAMPLES, Chosen, chosen
from npubench.compiler.backends import configured_backend, drops_dead_channels
from npubench.compiler.compiled import Network, without_dead_channels
from npubench.compiler.graph import Graph
from npubench.compiler.vendor.simulation import Asked, Heard, Ranges, Simulator
from npubench.core.errors import CompileError, UsageError
from npubench.golden.many import cut_network, float_network, many_answers, real_answers

CALIBRATION_SEED = 1
"""The calibration is part of the compiler's input: no artifact changes with a run's seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """``network``: what is compiled; ``calibration``: codes, (samples, ...) for each input."""

    simulator: Simulator
    network: Network
    calibration: tuple[Array, ...]

    @property
    def ranges(self) -> Ranges:
        """See scheme.ranges_of."""
        return ranges_of(self.network.graph)

    def standard(self, last: int | None = None) -> bytes:
        """The network that the answers are judged by, up to operator ``last``."""
        if self.simulator.form != "int8":
            return float_network(self.network.data, last=last)
        return self.network.data if last is None else cut_network(self.network.data, last)

    def given(self, last: int | None = None) -> bytes:
        """The network that the tool gets, up to operator ``last``."""
        if self.simulator.form == "ranged":
            return float_network(self.network.data, last=last, saturates=False)
        return self.standard(last)

    def told(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        """Codes of the inputs as the tool takes them."""
        if self.simulator.form == "int8":
            return arrays
        return inputs_in_real(self.network.graph, arrays)

    def asked(
        self,
        codes: tuple[Array, ...],
        *,
        setting: str = "",
        last: int | None = None,
        heard: Heard | None = None,
    ) -> Asked:
        """What the simulator is asked: codes of the inputs through the network up to operator
        ``last``."""
        return Asked(
            model=self.given(last),
            inputs=self.told(codes),
            calibration=self.told(self.calibration),
            ranges=self.ranges,
            setting=setting,
            heard=heard,
        )

    def truth(self, arrays: tuple[Array, ...], last: int | None = None) -> tuple[Array, ...]:
        """The right answers, as the tool gives its own."""
        if self.simulator.form == "int8":
            return many_answers(self.standard(last), arrays)
        return real_answers(self.standard(last), self.told(arrays))

    def way(self, heard: Heard | None = None) -> Chosen:
        """Which of the tool's ways to compile is taken."""
        few = tuple(array[:SETTING_SAMPLES] for array in self.calibration)
        return chosen(
            self.simulator,
            self.asked(few, heard=heard),
            truth=lambda: in_real(self.network.graph, self.truth(few)),
            real=lambda outputs: in_real(self.network.graph, outputs),
            classifier=is_classifier(self.network.graph),
        )


def simulator_of(job: Job) -> Simulator:
    """Of a job whose backend has one."""
    found: Simulator = getattr(configured_backend(job.backend, job.options), "simulator")  # noqa: B009
    return found


def forms_of(job: Job, network: Network) -> Forms:
    """Of a job whose backend has a simulator. Raises UsageError for options that it cannot keep."""
    simulator = simulator_of(job)
    if drops_dead_channels(job.options):
        if simulator.form != "int8":
            raise UsageError(
                "dead channels are dead in int8 arithmetic, and this simulator's compiler takes "
                "the network on real numbers",
                hint=f"leave --set {job.backend}.dead-channels=drop out",
            )
        network = without_dead_channels(network)[0] or network
    return Forms(
        simulator=simulator,
        network=network,
        calibration=sample_codes(
            network.graph, count=CALIBRATION_SAMPLES, calibration=True, seed=CALIBRATION_SEED
        ),
    )


def inputs_in_real(graph: Graph, codes: tuple[Array, ...]) -> tuple[Array, ...]:
    """Codes of a network's inputs in real numbers."""
    tensors = [graph.tensor(index) for index in graph.inputs]
    return tuple(real(tensor, array) for tensor, array in zip(tensors, codes, strict=True))


def in_real(graph: Graph, outputs: tuple[Array, ...]) -> list[Array]:
    """A network's outputs, codes or not, in real numbers."""
    tensors = [graph.tensor(index) for index in graph.outputs]
    return [real(tensor, array) for tensor, array in zip(tensors, outputs, strict=True)]


def own_nearness(network: Network, codes: tuple[Array, ...]) -> Nearness | None:
    """How near the int8 network, by TFLM, comes to itself on real numbers; None where it has no
    such form. Raises ReferenceUnavailable."""
    graph = network.graph
    try:
        real_form = float_network(network.data)
    except CompileError:
        return None
    return nearness(
        in_real(graph, real_answers(real_form, inputs_in_real(graph, codes))),
        in_real(graph, many_answers(network.data, codes)),
        classifier=is_classifier(graph),
    )
