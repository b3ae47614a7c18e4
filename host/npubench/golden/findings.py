"""Who is off where an answer is not TFLM's, by second opinion."""

from __future__ import annotations

from typing import Final

from npubench.core.finding import Finding, Severity, Spoils

TFLM_OFF: Final = Finding(
    id="golden.tflm-off",
    severity=Severity.REMARK,
    meaning="the outputs differ from TFLM's, and TFLM is proven wrong: every operator's answer on "
    "the board is right",
    remedy="none: the run counts as ok on that proof",
    spoils=Spoils.NOTHING,
    text="{text}",
    values={"text": str},
    aliases=("bench.note",),
)
KERNEL_OFF: Final = Finding(
    id="golden.kernel-off",
    severity=Severity.REFUSAL,
    meaning="a kernel of ours computes an operator wrongly",
    remedy="please report it with the model; other kernels may serve: --backend",
    spoils=Spoils.ANSWER,
    text="{text}",
    values={"text": str},
)
NPU_COMPILER_OFF: Final = Finding(
    id="golden.npu-compiler-off",
    severity=Severity.REFUSAL,
    meaning="the NPU's compiler made a program that does not compute the network",
    remedy="have the NPU's compiler do it another way (its options, another version), or run the "
    "network on the CPU: --backend cpu",
    spoils=Spoils.ANSWER,
    text="{text}",
    values={"text": str},
)
NPU_OFF: Final = Finding(
    id="golden.npu-off",
    severity=Severity.REFUSAL,
    meaning="the model of the NPU, or its compiler, computes an operator wrongly",
    remedy="please report it with the model; on the CPU it is right: --backend cpu",
    spoils=Spoils.ANSWER,
    text="{text}",
    values={"text": str},
)
ROUNDING: Final = Finding(
    id="golden.rounding",
    severity=Severity.REFUSAL,
    meaning="the outputs differ from TFLM's by rounding",
    remedy="nobody is wrong; outputs that differ by rounding still count as different, since a "
    "comparison wants one network on all boards",
    spoils=Spoils.ANSWER,
    text="{text}",
    values={"text": str},
)
UNDECIDED: Final = Finding(
    id="golden.undecided",
    severity=Severity.REFUSAL,
    meaning="the outputs differ from TFLM's, and who is off could not be found",
    remedy="--verify-layers lets the board tell of every tensor",
    spoils=Spoils.ANSWER,
    text="{text}",
    values={"text": str},
)
BY_WHO: Final = {
    "tflm": TFLM_OFF,
    "kernel": KERNEL_OFF,
    "npu-compiler": NPU_COMPILER_OFF,
    "npu": NPU_OFF,
    "rounding": ROUNDING,
    "unknown": UNDECIDED,
}
"""By the word that a second opinion ends with."""
