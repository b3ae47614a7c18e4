"""What an importer is: it knows its files by what they are, and makes a float .tflite of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from npubench.compiler.importers.wishes import Wishes

Scalar = str | int | float | bool | None
REFERENCE = "reference.npz"
FLOAT = "float.tflite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A network as brought: ``path`` is its file or folder, ``member`` the class in a Python file,
    ``sha256`` of its content."""

    path: Path
    member: str
    sha256: str

    @property
    def title(self) -> str:
        """As its user may say it."""
        return f"{self.path}:{self.member}" if self.member else str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A float .tflite, in the work folder as ``FLOAT``, and beside it ``REFERENCE``: the source's
    inputs and outputs on a few samples, arrays ``in:<name>`` and ``out:<name>`` with the samples
    first, in the source's order and layout.

    ``dependencies``: further files that were read, which belong to the network; ``output_names``:
    the source's, empty where it has none.
    """

    tool: str
    version: str
    details: Mapping[str, Scalar]
    dependencies: tuple[Path, ...] = ()
    output_names: tuple[str, ...] = ()
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A network that stays what it is: ``data`` is a .tflite that holds its files; nothing was
    converted or quantized. The rest: as ``Converted``."""

    data: bytes
    tool: str
    version: str
    details: Mapping[str, Scalar]
    dependencies: tuple[Path, ...] = ()
    log: str = ""


class Importer(Protocol):
    """One way in. ``title`` names the framework; ``sources`` says which files it takes."""

    title: str
    sources: str

    def takes(self, path: Path, member: str) -> bool:
        """Whether a file, or a folder, is one of its own; a look at its first bytes at most."""

    def tool_version(self) -> str:
        """The version of what converts, without starting it. Raises ToolMissing, with what to do
        and what it costs."""

    def convert(self, source: Source, wishes: Wishes, folder: Path) -> Converted:
        """Make the float .tflite. Raises UsageError, ConfigError, CompileError, ToolError."""


@runtime_checkable
class Carrier(Protocol):
    """A way in for networks of a vendor's own scheme, which only its backend runs."""

    title: str
    sources: str

    def takes(self, path: Path, member: str) -> bool:
        """As an Importer's."""

    def tool_version(self) -> str:
        """As an Importer's."""

    def carry(self, source: Source, wishes: Wishes, folder: Path) -> Carried:
        """Put the network's files into a .tflite. Raises as ``convert``."""
