"""An accelerator with an arithmetic of its own, on a board: its known answer is its own, so what it
costs against the network's int8 answers is judged beside, by the same rule as on a simulator."""

from __future__ import annotations

from npubench.bench import findings as kinds
from npubench.bench.job import Job
from npubench.bench.record import Findings
from npubench.bench.scheme import DISTRIBUTION, below_limits, is_classifier
from npubench.compiler.compiled import Compiled


def drawn_weights_hint(job: Job) -> str | None:
    """What to try instead of a network of the zoo whose weights are drawn; None of any other."""
    entry = job.model.entry
    if entry is None or entry.weights != "seeded":
        return None
    hint = "the zoo's weights are drawn, not trained, and leave the scores close together"
    if entry.fetch is not None:
        hint += f": npubench models fetch {entry.id} brings the trained file, bench that"
    return hint


def judge_scheme(job: Job, compiled: Compiled, findings: Findings) -> None:
    """A run that is ok so far fails where its compiler told a cost that is below a limit."""
    npu = compiled.plan.npu
    details = {} if npu is None else npu.get("details")
    if not isinstance(details, dict):
        return
    noise, samples = details.get("accuracy_lowest_snr_db"), details.get("accuracy_samples")
    if not isinstance(noise, float) or findings.status != "ok":
        return
    graph = compiled.network.graph
    same = details.get("accuracy_same_class_ratio")
    ratio = same if isinstance(same, float) and is_classifier(graph) else None
    wrong = below_limits((noise,), ratio)
    if not wrong:
        return
    is_drawn = str(details.get("accuracy_inputs")).startswith("drawn")
    inputs = f"{samples} inputs ({DISTRIBUTION})" if is_drawn else f"{samples} inputs of your own"
    message = (
        f"on {inputs} the accelerator's arithmetic is too far from the int8 network's answers: "
        f"{'; '.join(wrong)}"
    )
    worst = details.get("accuracy_worst_op")
    if isinstance(worst, int):
        message += f"; most noise comes in at operator {worst} ({graph.ops[worst].kind})"
    widths = str(details.get("weight_bits", "")).split()
    if any(bits != "8" for bits in widths):
        hint = "give the layers more bits, or bring a network that was trained with these widths"
    else:
        hint = drawn_weights_hint(job) or (
            "bring a network that was trained for the part (its own YAML and checkpoint)"
        )
        if is_drawn:
            hint += ", or judge it on inputs of your own: --set max7800x.samples=FILE.npy"
    findings.spoil("failed", kinds.SCHEME_MISMATCH.found(message=message), hint=hint)
