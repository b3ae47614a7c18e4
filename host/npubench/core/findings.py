"""Each kind of error as a finding: what a run is worth that it ended. Errors say who must act."""

from __future__ import annotations

from typing import Final

from npubench.core import errors
from npubench.core.finding import Finding, Found, Severity, Spoils

CONFIG: Final = Finding(
    id="error.config",
    severity=Severity.REFUSAL,
    meaning="a file that the user owns is wrong",
    remedy="edit the file: the message names it and the key",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("ConfigError",),
)
USAGE: Final = Finding(
    id="error.usage",
    severity=Severity.REFUSAL,
    meaning="the words of a command, or the arguments of a call, are wrong",
    remedy="correct them",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("UsageError",),
)
MODEL_FORMAT: Final = Finding(
    id="error.model-format",
    severity=Severity.REFUSAL,
    meaning="a model file is not an int8 .tflite that can be read",
    remedy="export the model again, fully quantized",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("ModelFormatError",),
)
UNSUPPORTED_OPERATOR: Final = Finding(
    id="error.unsupported-operator",
    severity=Severity.REFUSAL,
    meaning="no kernel and no NPU takes an operator of the network",
    remedy="choose another operator, or bring a kernel",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("UnsupportedOp",),
)
DOES_NOT_FIT: Final = Finding(
    id="error.does-not-fit",
    severity=Severity.REFUSAL,
    meaning="the network needs more of a memory than the board has",
    remedy="a board with more memory, or a smaller model",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("DoesNotFit",),
)
NOT_COMPILED: Final = Finding(
    id="error.not-compiled",
    severity=Severity.REFUSAL,
    meaning="the network cannot be compiled for the target",
    remedy="see the message; the backend cpu takes the most",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("CompileError",),
)
TOOL_MISSING: Final = Finding(
    id="error.tool-missing",
    severity=Severity.REFUSAL,
    meaning="an external program is not there",
    remedy="install it: the hint says how",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("ToolMissing",),
)
TOOL_FAILED: Final = Finding(
    id="error.tool-failed",
    severity=Severity.REFUSAL,
    meaning="an external program failed",
    remedy="its last words are in the message",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("ToolError",),
)
DEVICE: Final = Finding(
    id="error.device",
    severity=Severity.REFUSAL,
    meaning="a board does not answer, answers wrongly, or is another one",
    remedy="cable, port, firmware: the hint says which",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("DeviceError",),
)
INSTRUMENT: Final = Finding(
    id="error.instrument",
    severity=Severity.REFUSAL,
    meaning="a power instrument failed",
    remedy="cable, hub, supply: the hint says which",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("MonitorError",),
)
RESULT: Final = Finding(
    id="error.result",
    severity=Severity.REFUSAL,
    meaning="stored results cannot be read or set against each other",
    remedy="see the message",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("ResultError",),
)
STORAGE: Final = Finding(
    id="error.storage",
    severity=Severity.REFUSAL,
    meaning="a result cannot be written",
    remedy="free space, or another folder",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("StorageError",),
)
OTHER: Final = Finding(
    id="error.other",
    severity=Severity.REFUSAL,
    meaning="the run ended with an error of another kind",
    remedy="see the message",
    spoils=Spoils.RUN,
    text="{message}",
    values={"message": str},
    aliases=("NpubenchError",),
)

_OF: Final = {
    errors.ConfigError: CONFIG,
    errors.UsageError: USAGE,
    errors.ModelFormatError: MODEL_FORMAT,
    errors.UnsupportedOp: UNSUPPORTED_OPERATOR,
    errors.DoesNotFit: DOES_NOT_FIT,
    errors.CompileError: NOT_COMPILED,
    errors.ToolMissing: TOOL_MISSING,
    errors.ToolError: TOOL_FAILED,
    errors.DeviceError: DEVICE,
    errors.MonitorError: INSTRUMENT,
    errors.ResultError: RESULT,
    errors.StorageError: STORAGE,
}


def of_error(error: errors.NpubenchError) -> Found:
    """What an error says of the run that it ended: its own finding, else that of its kind."""
    if error.found is not None:
        return error.found
    for kind in type(error).__mro__:
        if kind in _OF:
            return _OF[kind].found(message=error.message)
    return OTHER.found(message=error.message)
