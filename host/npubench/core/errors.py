"""The one error tree, sorted by who must act.

A message says what happened, with its values; a hint says what to do about it.
The exit code belongs to the class: the command line does nothing but print and return it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npubench.core.finding import Found

MODEL_FORMAT_HINT = (
    "the file is damaged, or not what TensorFlow Lite's converter writes; export the model again"
)


class NpubenchError(Exception):
    """Base of every error that a user may see.

    ``message`` is one line with the values involved; ``hint`` says what to do, or is empty.
    """

    exit_code = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.found: Found | None = None
        """What it says about a number, where a room declares that (core/finding)."""

    @property
    def kind(self) -> str:
        """Stable name of the error's class, for JSON and run records."""
        return type(self).__name__


class UsageError(NpubenchError):
    """The command's words are wrong: an unknown board, model, option or verb."""

    exit_code = 2


class ConfigError(NpubenchError):
    """A file that the user owns is wrong (TOML of a board, a model, the bench)."""

    exit_code = 2


class CompileError(NpubenchError):
    """A model cannot be compiled for a board."""

    exit_code = 2


class ModelFormatError(CompileError):
    """A model file is not an int8 .tflite that can be read: truncated, hostile, float, dynamic."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint or MODEL_FORMAT_HINT)


class UnsupportedOp(CompileError):
    """The model holds an operator, or a form of one, that no kernel serves."""

    def __init__(self, *, op: str, index: int, reason: str, hint: str) -> None:
        super().__init__(f"operator {op} (index {index}) is not supported: {reason}", hint=hint)
        self.op = op
        self.index = index
        self.reason = reason


class DoesNotFit(CompileError):
    """A model needs more of a memory region than there is. Sizes in bytes."""

    def __init__(
        self,
        *,
        needed_bytes: int,
        free_bytes: int,
        region: str,
        what: str,
        boards: tuple[str, ...] = (),
    ) -> None:
        """``boards``: others of the kind whose memory would take it."""
        others = f" ({', '.join(boards)})" if boards else ""
        super().__init__(
            f"{what} needs {needed_bytes} bytes of {region}, {free_bytes} bytes are free",
            hint=f"choose a board with more memory{others} or a smaller model",
        )
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes
        self.region = region


class ToolError(NpubenchError):
    """An external program failed. Carries its command line, exit code and last output."""

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        argv: tuple[str, ...] = (),
        code: int | None = None,
        tail: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.argv = argv
        self.code = code
        self.tail = tail


class ToolMissing(ToolError):
    """An external program is not installed; the hint names the package to install."""


class DeviceError(NpubenchError):
    """A board does not answer, answers wrongly, or is not the one it should be."""

    exit_code = 4


class MonitorError(NpubenchError):
    """A power instrument failed, or its capture cannot be trusted."""

    exit_code = 4


class ResultError(NpubenchError):
    """Stored results cannot be read, or cannot be compared."""

    exit_code = 2


class StorageError(NpubenchError):
    """A result cannot be written: the disk is full or read-only."""

    exit_code = 2
