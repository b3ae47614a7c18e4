"""What a board that fails a check of conformance is found to be."""

from __future__ import annotations

from typing import Final

from npubench.core.finding import Finding, Severity, Spoils

IDENTITY: Final = Finding(
    id="conformance.identity",
    severity=Severity.REFUSAL,
    meaning="another firmware or board answers",
    remedy="flash the image again; name the right port",
    spoils=Spoils.RUN,
    text="{seen}",
    values={"seen": str},
    aliases=("identity",),
)
RIGHT_ANSWER: Final = Finding(
    id="conformance.right-answer",
    severity=Severity.REFUSAL,
    meaning="the outputs are not the golden ones",
    remedy="--verify-layers names the first wrong tensor",
    spoils=Spoils.RUN,
    text="{seen}",
    values={"seen": str},
    aliases=("right answer",),
)
STACK: Final = Finding(
    id="conformance.stack",
    severity=Severity.REFUSAL,
    meaning="the stack is nearly full, or its mark cannot be read",
    remedy="raise stack_bytes in the board's file",
    spoils=Spoils.RUN,
    text="{seen}",
    values={"seen": str},
    aliases=("stack",),
)
COUNTER: Final = Finding(
    id="conformance.counter",
    severity=Severity.REFUSAL,
    meaning="the cycle counter does not count a loop of known length",
    remedy="the family's counter, or the board's file",
    spoils=Spoils.RUN,
    text="{seen}",
    values={"seen": str},
    aliases=("counter",),
)
CLOCK_AGAINST_THE_HOST: Final = Finding(
    id="conformance.clock-against-the-host",
    severity=Severity.REFUSAL,
    meaning="the clock is not that of the board's file",
    remedy="the clock set-up, or the board's file",
    spoils=Spoils.RUN,
    text="{seen}",
    values={"seen": str},
    aliases=("clock against the host",),
)
COUNTER_WRAP: Final = Finding(
    id="conformance.counter-wrap",
    severity=Severity.REFUSAL,
    meaning="a count over the counter's end is wrong",
    remedy="the family's counter",
    spoils=Spoils.RUN,
    text="{seen}",
    values={"seen": str},
    aliases=("counter wrap",),
)
CONSOLE_WITHOUT_AN_ERROR: Final = Finding(
    id="conformance.console-without-an-error",
    severity=Severity.REFUSAL,
    meaning="bytes were damaged on the console",
    remedy="cable, speed, the family's UART",
    spoils=Spoils.RUN,
    text="{seen}",
    values={"seen": str},
    aliases=("console without an error",),
)
FAULT_AND_RESTART: Final = Finding(
    id="conformance.fault-and-restart",
    severity=Severity.REFUSAL,
    meaning="a fault is not reported, or the board does not come back",
    remedy="the family's fault handler",
    spoils=Spoils.RUN,
    text="{seen}",
    values={"seen": str},
    aliases=("fault and restart",),
)
MARKER_EDGES_AT_THE_INSTRUMENT: Final = Finding(
    id="conformance.marker-edges-at-the-instrument",
    severity=Severity.REFUSAL,
    meaning="the board's edges are not all seen",
    remedy="wiring, `markers` in bench.toml",
    spoils=Spoils.RUN,
    text="{seen}",
    values={"seen": str},
    aliases=("marker edges at the instrument",),
)
SLEEP_CURRENT: Final = Finding(
    id="conformance.sleep-current",
    severity=Severity.REFUSAL,
    meaning="the idle stage does not sleep",
    remedy="the family's sleep, or what else is supplied",
    spoils=Spoils.RUN,
    text="{seen}",
    values={"seen": str},
    aliases=("sleep current",),
)

BY_CHECK: Final = {
    "identity": IDENTITY,
    "right answer": RIGHT_ANSWER,
    "stack": STACK,
    "counter": COUNTER,
    "clock against the host": CLOCK_AGAINST_THE_HOST,
    "counter wrap": COUNTER_WRAP,
    "console without an error": CONSOLE_WITHOUT_AN_ERROR,
    "fault and restart": FAULT_AND_RESTART,
    "marker edges at the instrument": MARKER_EDGES_AT_THE_INSTRUMENT,
    "sleep current": SLEEP_CURRENT,
}
"""The finding of each check that fails."""
