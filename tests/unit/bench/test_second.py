"""Promise: where a board's answer is not TFLM's, the one who is off is named, and a board counts as
right against TFLM only on proof.

The boards here are LiteRT's kernels with one fault each, so that the culprit is known.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import pytest

from npubench.bench.second import Answers, Verdict, second_opinion
from npubench.core.errors import ToolError
from npubench.core.seeded import seeded_bytes
from npubench.golden import golden_outputs, tflm_version
from support import disputed

pytest.importorskip("ai_edge_litert")
pytestmark = pytest.mark.skipif(
    tflm_version() is None, reason="the package tflite-micro is not made for this platform"
)

from npubench.golden.surgery import Array, Network  # noqa: E402 - needs LiteRT's schema
from npubench.golden.walk import run_litert  # noqa: E402

Fault = Callable[[str, list[str], Array], Array]
"""(operator, operators before it in the same network, right output) -> the board's output."""


class Board:
    """Computes operator by operator with LiteRT's kernels; ``fault`` changes outputs."""

    def __init__(
        self, fault: Fault | None = None, *, dead: bool = False, other: Board | None = None
    ) -> None:
        self._fault = fault
        self._dead = dead
        self._other = other
        self.asked = 0

    @property
    def other_way(self) -> str:
        return "" if self._other is None else "--set engine.core=other"

    def run(self, model: bytes, raw: bytes, *, other_way: bool = False) -> bytes:
        self.asked += 1
        if self._dead:
            raise ToolError("the emulator ended")
        if other_way:
            assert self._other is not None
            return self._other.run(model, raw)
        return self.answers(model, raw).outputs

    def answers(self, model: bytes, raw: bytes, *, tell: bool = False) -> Answers:
        network = Network(model)
        values: dict[int, Array] = {}
        at = 0
        for tensor in network.graph.inputs:
            shape, dtype = network.shape(tensor), np.dtype(network.dtype(tensor))
            count = int(np.prod(shape))
            values[int(tensor)] = np.frombuffer(raw, dtype, count, at).reshape(shape)
            at += values[int(tensor)].nbytes
        crcs, before = {}, []
        for op, item in enumerate(network.graph.operators):
            inputs = [values[tensor] for tensor in network.inputs_of([op])]
            (output,) = run_litert(network.cut([op]), inputs, 1)
            if self._fault is not None:
                output = self._fault(network.kind(op), before, output)
            values[int(item.outputs[0])] = output
            crcs[op] = zlib.crc32(output.tobytes())
            before.append(network.kind(op))
        outputs = b"".join(values[int(tensor)].tobytes() for tensor in network.graph.outputs)
        return Answers(outputs=outputs, crcs=crcs if tell else {})


def _verdict(
    model: bytes,
    board: Board,
    *,
    engine: str = "npu",
    tell: bool = False,
    look: bool = True,
    size: int = 256,
) -> Verdict:
    raw = seeded_bytes(1, size)
    answers = board.answers(model, raw, tell=tell)
    ops = len(Network(model).graph.operators)
    return second_opinion(
        model,
        raw,
        answers,
        engines=dict.fromkeys(range(ops), (engine, "nb_kernel" if engine == "cpu" else "job 0")),
        bench=board if look else None,
    )


def _shifted(kind: str, by: int, *, after: str | None = None) -> Fault:
    def fault(op: str, before: list[str], output: Array) -> Array:
        if op != kind or (after is not None and after not in before):
            return output
        return np.clip(output.astype(np.int64) + by, -128, 127).astype(output.dtype)

    return fault


@pytest.mark.parametrize("name", ["RELU6", "LOGISTIC", "RELU6_CONV"])
def test_a_right_board_against_a_wrong_tflm_is_proven_right(name: str) -> None:
    model = getattr(disputed, name)
    verdict = _verdict(model, Board())
    golden = golden_outputs(model, 1)
    assert Board().answers(model, seeded_bytes(1, 256)).outputs != golden.output_bytes
    assert verdict.proven, verdict
    assert (verdict.who, verdict.op) == ("tflm", 0)
    assert verdict.opinion is not None
    error = verdict.opinion.error_steps["tflm"]
    assert error is not None
    assert error > 1.5
    assert "TFLM is off at operator 0" in verdict.text


@pytest.mark.parametrize("tell", [True, False])
@pytest.mark.parametrize("engine", ["cpu", "npu"])
def test_a_kernel_that_is_off_is_named_with_its_operator(tell: bool, engine: str) -> None:
    board = Board(_shifted("CONV_2D", 5))
    verdict = _verdict(disputed.SLICE_CONV, board, engine=engine, tell=tell, size=1024)
    assert (verdict.who, verdict.op) == ("kernel" if engine == "cpu" else "npu", 1)
    assert "operator 1 (CONV_2D)" in verdict.text
    assert not verdict.proven
    if engine == "npu":
        assert "alone it is off as well" in verdict.text


def test_a_compiler_that_breaks_a_pair_is_told_from_the_npu() -> None:
    board = Board(_shifted("CONV_2D", 9, after="STRIDED_SLICE"))
    verdict = _verdict(disputed.SLICE_CONV, board, size=1024)
    assert (verdict.who, verdict.op) == ("npu-compiler", 1)
    assert "after operator 0 (STRIDED_SLICE)" in verdict.text


def test_a_fault_in_the_middle_is_found_by_cutting() -> None:
    """Nothing is told but the outputs; the fault of the first operator spreads to the last."""
    board = Board(_shifted("STRIDED_SLICE", 40))
    verdict = _verdict(disputed.SLICE_CONV, board, size=1024)
    assert (verdict.who, verdict.op, verdict.kind) == ("npu", 0, "STRIDED_SLICE")
    assert board.asked >= 2


def test_a_wrong_tflm_does_not_excuse_a_wrong_board() -> None:
    """TFLM is off at operator 0, and the board at operator 1: that is no proof."""
    verdict = _verdict(disputed.RELU6_CONV, Board(_shifted("CONV_2D", 7)))
    assert (verdict.who, verdict.op) == ("npu", 1)
    assert not verdict.proven


def test_where_both_are_off_it_is_said() -> None:
    verdict = _verdict(disputed.RELU6, Board(_shifted("RELU6", 30)))
    assert verdict.who == "npu"
    assert not verdict.proven


def test_one_step_is_rounding_and_nobodys_fault() -> None:
    def fault(op: str, before: list[str], output: Array) -> Array:
        del before
        if op != "CONV_2D":
            return output
        changed = output.copy()
        place = np.unravel_index(int(np.abs(output.astype(int)).argmin()), output.shape)
        changed[place] += 1
        return changed

    verdict = _verdict(disputed.SLICE_CONV, Board(fault), size=1024)
    assert verdict.who in ("rounding", "npu")
    if verdict.who == "rounding":
        assert verdict.opinion is not None
        board = verdict.opinion.error_steps["board"]
        assert board is not None
        assert board <= 1.001


def test_without_a_second_look_the_stretch_is_named() -> None:
    board = Board(_shifted("STRIDED_SLICE", 40))
    verdict = _verdict(disputed.SLICE_CONV, board, look=False, size=1024)
    assert (verdict.who, verdict.op) == ("npu", 1)
    assert "within operators 0 to 1" in verdict.text
    assert "no other network can be run" in verdict.text
    assert board.asked == 0


def test_a_board_that_dies_while_it_is_looked_at_ends_the_inquiry() -> None:
    healthy, dead = Board(_shifted("STRIDED_SLICE", 40)), Board(dead=True)
    raw = seeded_bytes(1, 1024)
    verdict = second_opinion(
        disputed.SLICE_CONV,
        raw,
        healthy.answers(disputed.SLICE_CONV, raw),
        engines={0: ("npu", ""), 1: ("npu", "")},
        bench=dead,
    )
    assert "the emulator ended" in verdict.text
    assert not verdict.proven


@pytest.mark.parametrize("other", ["right", "alike", "otherwise", "dead"])
def test_the_vendors_other_compiler_tells_its_compiler_from_the_npu(other: str) -> None:
    """An operator that is off alone, too: a second compiler's answer on the same NPU decides."""
    witness = {
        "right": Board(),
        "alike": Board(_shifted("LOGISTIC", 9)),
        "otherwise": Board(_shifted("LOGISTIC", -13)),
        "dead": Board(dead=True),
    }[other]
    board = Board(_shifted("LOGISTIC", 9), other=witness)
    verdict = _verdict(disputed.LOGISTIC, board)
    assert (verdict.who, verdict.op) == ("npu-compiler" if other == "right" else "npu", 0)
    said = {
        "right": "with --set engine.core=other the NPU computes that operator rightly",
        "alike": "the NPU's model is off",
        "otherwise": "it is off in another way",
        "dead": "not told apart by --set engine.core=other: the emulator ended",
    }[other]
    assert said in verdict.text
    assert not verdict.proven


@pytest.mark.parametrize("name", sorted(disputed.SUMS))
def test_a_sum_is_judged_by_the_float_truth_and_not_by_a_majority(name: str) -> None:
    """LiteRT's SUM is off by tens of steps where zero points differ: who agrees with it is, too."""
    verdict = _verdict(disputed.SUMS[name], Board())
    assert (verdict.who, verdict.op) == ("npu", 0)
    assert not verdict.proven
    assert verdict.opinion is not None
    error = verdict.opinion.error_steps
    assert verdict.opinion.agrees == ("litert",)
    assert (error["tflm"] or 0) < 1 < 10 < (error["litert"] or 0)
