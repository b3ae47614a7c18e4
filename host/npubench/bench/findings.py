"""What a run may be found to be worth."""

from __future__ import annotations

from typing import Final

from npubench.core.finding import Finding, Severity, Spoils

GOLDEN_MISMATCH: Final = Finding(
    id="bench.golden-mismatch",
    severity=Severity.REFUSAL,
    meaning="the outputs are not the golden ones",
    remedy="a kernel or the compiler is wrong; --verify-layers names the first wrong tensor",
    spoils=Spoils.ANSWER,
    text="{message}",
    values={"message": str},
    aliases=("GoldenMismatch",),
)
INPUT_MISMATCH: Final = Finding(
    id="bench.input-mismatch",
    severity=Severity.REFUSAL,
    meaning="board and host did not make the same input, so that outputs were not compared",
    remedy="see that the firmware is of this version",
    spoils=Spoils.ANSWER,
    text="{message}",
    values={"message": str},
    aliases=("InputMismatch",),
)
SAMPLES_DIFFER: Final = Finding(
    id="bench.samples-differ",
    severity=Severity.REFUSAL,
    meaning="the known answer is right, but on some labelled samples the target gives others than "
    "TFLM",
    remedy="a kernel or the compiler is wrong for these inputs; labelled.npz in the run has them",
    spoils=Spoils.ANSWER,
    text="{differ} of {samples} samples of {data} are answered otherwise than by TFLM",
    values={"differ": int, "samples": int, "data": str},
    aliases=("SamplesDiffer",),
)
SCHEME_MISMATCH: Final = Finding(
    id="bench.scheme-mismatch",
    severity=Severity.REFUSAL,
    meaning="the arithmetic of a vendor's NPU is too far from the network's own: below 20 dB of "
    "signal to noise, or another class for more than one input in twenty",
    remedy="calibrate with ranges of your own data, or keep the worst layer on the CPU",
    spoils=Spoils.ANSWER,
    text="{message}",
    values={"message": str},
    aliases=("SchemeMismatch",),
)
RECORDS_LOST: Final = Finding(
    id="bench.records-lost",
    severity=Severity.WARNING,
    meaning="records were lost on the line: the run is partial",
    remedy="lower the speed, check the cable; what arrived is kept in the run",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("RecordLost",),
)
CAPTURE_REFUSED: Final = Finding(
    id="bench.capture-refused",
    severity=Severity.REFUSAL,
    meaning="the power capture of a run is refused; its time and memory stay valid",
    remedy="see the findings of power beside it",
    spoils=Spoils.ENERGY,
    text="{message}",
    values={"message": str},
    aliases=("CaptureRefused",),
)
NO_REFERENCE: Final = Finding(
    id="bench.no-reference",
    severity=Severity.WARNING,
    meaning="no golden answer could be had: the outputs were not compared",
    remedy="install the reference, or run on a machine that has it",
    spoils=Spoils.ANSWER,
    text="the outputs were not compared: {reason}",
    values={"reason": str},
)
