"""Who is off, where a board's answer is not the golden one: kernel, NPU's compiler, NPU, or TFLM.

Every operator is asked about on the board's own inputs (``golden.opinion``). What the board does
not tell of a tensor is found by running the network cut there, on the same board with the same
backend; an operator of the NPU that is off is run alone too, and compiled by the vendor's other
compiler where there is one, which tells its compiler from the NPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from npubench.bench.evaluate import kernels_of
from npubench.bench.job import Job
from npubench.bench.reference import SameBoard
from npubench.bench.session import Session
from npubench.compiler.compiled import Compiled
from npubench.core.errors import NpubenchError
from npubench.core.seeded import seeded_input
from npubench.golden import ReferenceUnavailable
from npubench.golden.opinion import Opinion, ask, cut_network
from npubench.runs.schema import GoldenRecord, SecondOpinionRecord

Who = Literal["tflm", "kernel", "npu-compiler", "npu", "rounding", "unknown"]
PROBES = 12
_BAD = ("board-off", "both-off", "unjudged", "unknown")
_CAUSE = {
    "kernel": "our kernel is off",
    "npu-compiler": "the NPU's compiler is off",
    "npu": "the NPU's model or its compiler is off",
    "npu-model": "the NPU's model is off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a board answered: all outputs, and CRC-32 of operators' first outputs where told."""

    outputs: bytes
    crcs: Mapping[int, int]


class Bench(Protocol):
    """The board on which an answer was off, for other networks."""

    @property
    def other_way(self) -> str:
        """How another compiler for the same engine is asked for; empty where there is none."""

    def run(self, model: bytes, raw: bytes, *, other_way: bool = False) -> bytes:
        """All outputs of a network for raw inputs; ``other_way``: by that other compiler. Raises
        NpubenchError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Who is off. ``proven``: every operator's answer on the board is right, and TFLM's is wrong at
    ``op``. ``text`` is one sentence with the values; ``opinion`` what was said of ``op``."""

    who: Who
    text: str
    op: int | None = None
    kind: str | None = None
    opinion: Opinion | None = None

    @property
    def proven(self) -> bool:
        return self.who == "tflm"


def second_opinion(
    model: bytes,
    raw: bytes,
    answers: Answers,
    *,
    engines: Mapping[int, tuple[str, str]],
    bench: Bench | None,
) -> Verdict:
    """Name who is off. ``engines``: of each operator, (``cpu``, ``npu`` or ``none``; kernel or
    job). ``bench`` None: no other network can be run there."""
    inquiry = _Inquiry(model, raw, answers, engines, bench)
    try:
        return inquiry.verdict()
    except ReferenceUnavailable as error:
        return Verdict(who="unknown", text=error.message)


def with_second_opinion(
    golden: GoldenRecord,
    compiled: Compiled,
    session: Session,
    job: Job,
    *,
    seed: int,
    look: bool = True,
) -> GoldenRecord:
    """A golden record whose outputs differ, with the name of who is off; where it is proven that
    that is TFLM alone, it is a match, by ``second-opinion``. Any other record comes back as it is.

    ``look``: other networks may be run on the board, if it is one that is played here.
    """
    compared = golden.status == "mismatch" and golden.mismatches > 0
    if not compared or golden.reference not in ("tflm", "portable"):
        return golden
    graph = compiled.runs.graph
    if graph.variables:
        return golden.model_copy(
            update={"reason": "no second opinion: it would not know the network's state"}
        )
    inputs = [graph.tensor(index) for index in graph.inputs]
    raw = session.input_bytes or seeded_input(
        seed, ((str(tensor.dtype), tensor.count) for tensor in inputs)
    )
    played = job.board.kind != "physical"
    verdict = second_opinion(
        compiled.runs.data,
        raw,
        Answers(
            outputs=session.kat.output,
            crcs={tensor.op: tensor.crc for tensor in session.kat.tensors},
        ),
        engines=kernels_of(compiled),
        bench=SameBoard(job) if look and played else None,
    )
    record = SecondOpinionRecord(
        who=verdict.who,
        operator=verdict.op,
        kind=verdict.kind,
        text=verdict.text,
        error_steps={} if verdict.opinion is None else dict(verdict.opinion.error_steps),
    )
    changes: dict[str, object] = {"second_opinion": record}
    if verdict.proven:
        changes |= {"status": "match", "reference": "second-opinion", "reason": verdict.text}
    return golden.model_copy(update=changes)


class _Inquiry:
    def __init__(
        self,
        model: bytes,
        raw: bytes,
        answers: Answers,
        engines: Mapping[int, tuple[str, str]],
        bench: Bench | None,
    ) -> None:
        self._model = model
        self._raw = raw
        self._answers = answers
        self._engines = engines
        self._bench = bench
        self._values: dict[int, bytes] = {}
        self._why_not = "" if bench is not None else "no other network can be run on this board"

    def verdict(self) -> Verdict:
        """Ask, and look at the board again where that helps, until one operator is left."""
        while True:
            rows, _ = self._ask()
            bad = next((row for row in rows if row.status in _BAD), None)
            if bad is None:
                return _nobody_at_the_board(rows)
            place = self._next_look(rows, bad)
            if place is None or not self._look(place):
                return self._off(rows, bad)

    def _ask(self, inputs_of: int | None = None) -> tuple[tuple[Opinion, ...], bytes]:
        return ask(
            self._model,
            self._raw,
            outputs=self._answers.outputs,
            crcs=self._answers.crcs,
            values=self._values,
            inputs_of=inputs_of,
        )

    def _next_look(self, rows: tuple[Opinion, ...], bad: Opinion) -> int | None:
        """The operator whose answer would tell most: halfway through those before ``bad`` of which
        nothing is known, else ``bad`` itself where only its CRC is."""
        known = [row.op for row in rows if row.op < bad.op and row.status != "assumed"]
        start = max(known, default=-1) + 1
        open_ops = [op for op in range(start, bad.op) if self._engines.get(op, ("", ""))[0]]
        if open_ops:
            return open_ops[len(open_ops) // 2]
        if bad.status == "unknown" and bad.op not in self._values:
            return bad.op
        return None

    def _look(self, op: int) -> bool:
        """Run the network up to ``op`` on the board; whether its answer is known now."""
        if self._bench is None or op in self._values or len(self._values) >= PROBES:
            return False
        try:
            part = cut_network(self._model, first=None, last=op)
            self._values[op] = self._bench.run(part, self._raw)
        except NpubenchError as error:
            self._why_not = f"the network cut at operator {op} does not run there: {error.message}"
            return False
        return True

    def _off(self, rows: tuple[Opinion, ...], bad: Opinion) -> Verdict:
        """The verdict on the first operator whose answer on the board is not right."""
        engine, kernel = self._engines.get(bad.op, ("cpu", ""))
        title = f"operator {bad.op} ({bad.kind})"
        if bad.status in ("unknown", "unjudged"):
            reasons = "; ".join(f"{who}: {why}" for who, why in bad.failed.items())
            reason = reasons or self._why_not or "the board's answer matches nobody's"
            return self._named("unknown", bad, f"{title} differs and cannot be judged ({reason})")
        known = [row.op for row in rows if row.op < bad.op and row.status != "assumed"]
        start = max(known, default=-1) + 1
        if start < bad.op:
            stretch = f"operators {start} to {bad.op} ({rows[start].kind} to {bad.kind})"
            who: Who = "npu" if engine == "npu" else "kernel"
            return self._named(
                who, bad, f"{_CAUSE[who]} within {stretch}; not looked further: {self._why_not}"
            )
        far = f"from the float truth: {bad.distances()}"
        if bad.status == "both-off":
            far += "; TFLM is off there as well"
        if engine != "npu":
            name = f", {kernel}" if kernel else ""
            return self._named("kernel", bad, f"our kernel is off at {title}{name} ({far})")
        return self._npu(rows, bad, title, far)

    def _npu(self, rows: tuple[Opinion, ...], bad: Opinion, title: str, far: str) -> Verdict:
        """The NPU's compiler or the NPU: the operator is run alone on what it read."""
        if len(rows) > 1 and self._bench is not None:
            _, inputs = self._ask(bad.op)
            try:
                single = cut_network(self._model, first=bad.op, last=bad.op)
                answer = self._bench.run(single, inputs)
                alone, _ = ask(single, inputs, outputs=answer)
            except NpubenchError as error:
                self._why_not = f"the operator alone does not run there: {error.message}"
            else:
                if alone[0].status not in _BAD:
                    before = f" after operator {bad.op - 1} ({rows[bad.op - 1].kind})"
                    return self._named(
                        "npu-compiler",
                        bad,
                        f"the NPU's compiler is off at {title}{before if bad.op else ''}: the NPU "
                        f"computes that operator rightly where it is compiled alone ({far})",
                    )
                far += "; alone it is off as well"
                return self._witnessed(bad, title, far, single, inputs, answer)
        elif self._bench is not None:  # a network of one operator is that operator alone
            return self._witnessed(bad, title, far, self._model, self._raw, self._answers.outputs)
        return self._named("npu", bad, f"{_CAUSE['npu']} at {title} ({far})")

    def _witnessed(
        self, bad: Opinion, title: str, far: str, single: bytes, inputs: bytes, answer: bytes
    ) -> Verdict:
        """The third witness: what the vendor's other compiler makes of the operator alone, on the
        same NPU. If that is right, the first one is off; if both give one answer, the NPU is."""
        assert self._bench is not None
        way = self._bench.other_way
        if not way:
            return self._named("npu", bad, f"{_CAUSE['npu']} at {title} ({far})")
        try:
            other = self._bench.run(single, inputs, other_way=True)
            said, _ = ask(single, inputs, outputs=other)
        except NpubenchError as error:
            far += f"; not told apart by {way}: {error.message}"
            return self._named("npu", bad, f"{_CAUSE['npu']} at {title} ({far})")
        if said[0].status not in _BAD:
            return self._named(
                "npu-compiler",
                bad,
                f"the NPU's compiler is off at {title}: with {way} the NPU computes that operator "
                f"rightly ({far})",
            )
        if other == answer:
            return self._named(
                "npu",
                bad,
                f"{_CAUSE['npu-model']} at {title}: with {way} it gives the same wrong answer "
                f"({far})",
            )
        far += f"; with {way} it is off in another way"
        return self._named("npu", bad, f"{_CAUSE['npu']} at {title} ({far})")

    def _named(self, who: Who, bad: Opinion, text: str) -> Verdict:
        return Verdict(who=who, text=text, op=bad.op, kind=bad.kind, opinion=bad)


def _nobody_at_the_board(rows: tuple[Opinion, ...]) -> Verdict:
    """The board is right at every operator that can be seen: TFLM is wrong, or it is rounding."""
    off = next((row for row in rows if row.tflm_is_off and row.status != "equal"), None)
    if off is not None:
        return Verdict(
            who="tflm",
            op=off.op,
            kind=off.kind,
            opinion=off,
            text=f"the board is right and TFLM is off at operator {off.op} ({off.kind}); from the "
            f"float truth: {off.distances()}",
        )
    rounded = next((row for row in rows if row.status == "rounding"), None)
    if rounded is not None:
        return Verdict(
            who="rounding",
            op=rounded.op,
            kind=rounded.kind,
            opinion=rounded,
            text=f"board and TFLM round differently at operator {rounded.op} ({rounded.kind}), "
            f"both within {rounded.tolerance_steps:g} steps of the float truth: "
            f"{rounded.distances()}",
        )
    return Verdict(who="unknown", text="no operator differs on the board's own inputs")
