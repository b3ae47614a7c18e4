"""What speaks against figures of a device that was driven in MLPerf Tiny's dialect."""

from __future__ import annotations

from typing import Final

from npubench.core.finding import Finding, Severity, Spoils

SHORT_WINDOW: Final = Finding(
    id="mlperf.short-window",
    severity=Severity.WARNING,
    meaning="a window is shorter than MLPerf Tiny's rules allow: 10 s and 10 inferences",
    remedy="leave --iterations out, or raise it",
    spoils=Spoils.TIME,
    text="{count} of {windows} windows break the rule of 10 s and 10 inferences; the shortest has "
    "{iterations} in {elapsed_s:.3f} s",
    values={"count": int, "windows": int, "iterations": int, "elapsed_s": float},
)
WINDOW_COUNT: Final = Finding(
    id="mlperf.window-count",
    severity=Severity.WARNING,
    meaning="MLPerf Tiny's result is the median of five windows",
    remedy="leave --windows at 5",
    spoils=Spoils.TIME,
    text="{windows} windows, the benchmark's result is the median of five",
    values={"windows": int},
)
CLOCK_OFF: Final = Finding(
    id="mlperf.clock-off",
    severity=Severity.REFUSAL,
    meaning="the clock by which the firmware times itself is not the host's",
    remedy="its times are not microseconds: the timer's clock, or its divider, is another one",
    spoils=Spoils.TIME,
    text="the device's clock is off by {deviation_ppm:.0f} ppm of the host's (at most "
    "{limit_ppm} ppm; known to {uncertainty_ppm:.0f} ppm)",
    values={"deviation_ppm": float, "limit_ppm": int, "uncertainty_ppm": float},
)
NO_TIMES: Final = Finding(
    id="mlperf.no-times",
    severity=Severity.WARNING,
    meaning="the firmware prints no times: it pulses its timestamp pin for an instrument",
    remedy="build it in performance mode; of ours: mode performance",
    spoils=Spoils.TIME,
    text="the firmware is in energy mode: it prints no times",
)
OTHER_ANSWER: Final = Finding(
    id="mlperf.other-answer",
    severity=Severity.REFUSAL,
    meaning="the device's results are not those of the network that it is said to run",
    remedy="another network, another form of the data, or a wrong kernel",
    spoils=Spoils.ANSWER,
    text="{count} of {inputs} answers are not the network's ({reference}); {input}: {printed} is "
    "printed as value {index}, {expected} is right",
    values={
        "count": int,
        "inputs": int,
        "reference": str,
        "input": str,
        "printed": str,
        "index": int,
        "expected": str,
    },
)
