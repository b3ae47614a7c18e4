"""What a compilation may say about the numbers that come of it."""

from __future__ import annotations

from typing import Final

from npubench.core.finding import Finding, Severity, Spoils

VELA_CORE_CHANGED: Final = Finding(
    id="compiler.vela-legacy-core",
    severity=Severity.REMARK,
    meaning="the network was compiled by Vela's older core, since its default core would "
    "miscompile it, or crashes",
    remedy="none; --set ethos-u.core=default insists, and the answer will be wrong",
    spoils=Spoils.NOTHING,
    text="compiled by Vela's legacy core: its default core's {fault}",
    values={"fault": str},
)
KEPT_ON_CPU: Final = Finding(
    id="compiler.kept-on-cpu",
    severity=Severity.WARNING,
    meaning="operators that the NPU would take run on the CPU, since the NPU's compiler would "
    "miscompile them",
    remedy="another version or core of the NPU's compiler may do it right",
    spoils=Spoils.TIME,
    text="{operators} kept on the CPU: its default core's {fault}",
    values={"operators": str, "fault": str},
)
KNOWN_MISCOMPILATION: Final = Finding(
    id="compiler.known-miscompilation",
    severity=Severity.WARNING,
    meaning="the NPU's compiler, as its user chose it, is known to miscompile this network",
    remedy="leave the choice to npubench: --set ethos-u.core=auto",
    spoils=Spoils.ANSWER,
    text="Vela's {core} core is known to miscompile this network: {fault}",
    values={"core": str, "fault": str},
)
NPU_DIFFERS: Final = Finding(
    id="compiler.npu-differs",
    severity=Severity.WARNING,
    meaning="operators on the NPU that differed from every reference in some random networks, as "
    "the NPU's compiler writes them",
    remedy="compare layer by layer, or take the compiler's other core; see docs/npu-operators.md",
    spoils=Spoils.ANSWER,
    text="on the NPU, by Vela's {core} core, these differed from every reference: {operators}",
    values={"core": str, "operators": str},
)
NPU_UNPROVEN: Final = Finding(
    id="compiler.npu-unproven",
    severity=Severity.REMARK,
    meaning="operators on the NPU for which no reference was found that takes them in this type",
    remedy="none; what the NPU's model gives for them was held against nothing",
    spoils=Spoils.NOTHING,
    text="on the NPU, by Vela's {core} core, nothing independent was found to compare with: "
    "{operators}",
    values={"core": str, "operators": str},
)
SHAPE_OF_A_BENCHMARK: Final = Finding(
    id="compiler.shape-of-a-benchmark",
    severity=Severity.REMARK,
    meaning="the network has the shape of a benchmark's and is run without that name, so that "
    "MLCommons' runner would give a wrong accuracy",
    remedy="name the benchmark: --mlperf",
    spoils=Spoils.NOTHING,
    text="{network} has the shape of MLPerf Tiny's {fitting}. It answers as another model and "
    "takes raw bytes; for MLCommons' runner: --mlperf {first} (uploads as {upload}, result as "
    "{result})",
    values={"network": str, "fitting": str, "first": str, "upload": str, "result": str},
)
OTHER_ZERO_POINT: Final = Finding(
    id="compiler.other-zero-point",
    severity=Severity.WARNING,
    meaning="a benchmark's data mean other values at the network's zero point",
    remedy="quantize the network with the benchmark's input",
    spoils=Spoils.ANSWER,
    text="{network}: {benchmark}'s data mean their values at the zero point {wanted}, the "
    "network's input has {found}: the accuracy will be wrong",
    values={"network": str, "benchmark": str, "wanted": int, "found": int},
)
OTHER_SCALE: Final = Finding(
    id="compiler.other-scale",
    severity=Severity.WARNING,
    meaning="a benchmark's data are quantized with another scale than the network's input",
    remedy="quantize the network with the benchmark's input",
    spoils=Spoils.ANSWER,
    text="{network}: {benchmark}'s data are quantized with the scale {wanted:g}, the network's "
    "input has {found:g}: the accuracy will be wrong",
    values={"network": str, "benchmark": str, "wanted": float, "found": float},
)
SYNTHETIC_CALIBRATION: Final = Finding(
    id="compiler.synthetic-calibration",
    severity=Severity.WARNING,
    meaning="the network was quantized on synthetic inputs",
    remedy="bring real ones: --calibration",
    spoils=Spoils.ANSWER,
    text="quantized on synthetic inputs: time, memory and energy hold, accuracy does not "
    "(--calibration brings real ones)",
)
DEAD_IN_CALIBRATION: Final = Finding(
    id="compiler.dead-in-calibration",
    severity=Severity.REMARK,
    meaning="channels gave one value throughout the calibration",
    remedy="none; real calibration inputs may wake them",
    spoils=Spoils.NOTHING,
    text="{channels} channels gave one value throughout the calibration; a compiler may leave "
    "them out",
    values={"channels": int},
)
