"""What the environments of foreign tools are, by their files: `tools/<id>.toml` and `<id>.lock`.

A tool is added by these two files alone; `scripts/tool_lock.py ID` makes the second from the first.
"""

from __future__ import annotations

import hashlib
import platform
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.core.errors import ConfigError, UsageError

FOLDER = Path(__file__).resolve().parent / "tools"


class ToolFile(BaseModel):
    """`tools/<id>.toml`. Megabytes and minutes are as measured once, on two cores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    purpose: str
    licence: str
    main: str = Field(description="the distribution whose version is the tool's")
    python: tuple[str, ...] = Field(min_length=1, description="CPythons, as `3.11`; best first")
    platforms: tuple[str, ...] = Field(min_length=1, description="as `linux-x86_64`; tried ones")
    download_mb: int = Field(gt=0)
    disk_mb: int = Field(gt=0)
    minutes: int = Field(gt=0)
    index: str = Field(default="", description="a further package index, asked as a last resort")
    requirements: tuple[str, ...] = Field(default=(), description="resolved with what they need")
    bare: tuple[str, ...] = Field(default=(), description="taken without what they say they need")
    without: tuple[str, ...] = Field(default=(), description="names (globs) left out of the lock")
    stubs: dict[str, str] = Field(
        default_factory=dict, description="module name -> text, for imports that are never used"
    )
    remove: tuple[str, ...] = Field(
        default=(), description="globs below site-packages, removed after the installation"
    )
    variables: dict[str, str] = Field(default_factory=dict, description="of its processes")
    check: str = Field(description="a tiny job in Python; runs in an empty folder, raises or ends")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One foreign tool with the environment that it wants."""

    id: str
    file: ToolFile
    lock: Path
    """Requirements with versions and hashes."""

    @property
    def lock_sha256(self) -> str:
        """Of the lock and of what is done to the environment after it."""
        digest = hashlib.sha256(self.lock.read_bytes())
        digest.update(repr((sorted(self.file.stubs.items()), self.file.remove)).encode())
        return digest.hexdigest()

    @property
    def cost(self) -> str:
        """What setting it up costs, for people."""
        minutes = "1 minute" if self.file.minutes == 1 else f"{self.file.minutes} minutes"
        return (
            f"{self.file.download_mb} MB to download, {self.file.disk_mb} MB on disk, "
            f"about {minutes}, licence {self.file.licence}"
        )

    @property
    def runs_here(self) -> bool:
        """Whether the tool was tried on this machine's kind."""
        return this_platform() in self.file.platforms


def this_platform() -> str:
    """This machine's kind, as tools name it: ``linux-x86_64``."""
    return f"{sys.platform}-{platform.machine().lower()}"


def tools() -> tuple[Tool, ...]:
    """Every tool, by id. Raises ConfigError for a file that is wrong."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.toml")))


def find(tool_id: str) -> Tool:
    """One tool. Raises UsageError for an id that does not exist."""
    known = {tool.id: tool for tool in tools()}
    if tool_id not in known:
        raise UsageError(
            f"there is no tool {tool_id!r}", hint=f"one of: {', '.join(sorted(known))}"
        )
    return known[tool_id]


def _read(path: Path) -> Tool:
    try:
        file = ToolFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}", hint="correct the tool's file") from error
    lock = path.with_suffix(".lock")
    if not lock.is_file():
        raise ConfigError(
            f"{path}: its lock {lock.name} is missing", hint=f"scripts/tool_lock.py {path.stem}"
        )
    return Tool(id=path.stem, file=file, lock=lock)
