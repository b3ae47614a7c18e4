"""Sources of a user's own tree: the folder found, and of its files those that a build needs.

What is taken is decided by what the files say: a header that is included brings the source of its
name, a C function that is mentioned brings the file that defines it. So a newer tree needs no list.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.core.errors import ToolError, ToolMissing

LIMIT_BYTES = 64 * 2**20
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"\n]+)[>"]', re.MULTILINE)
_COMMENT = re.compile(rb"/\*.*?\*/|//[^\n]*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTree:
    """How a user's tree is named: by an option, or by an environment variable."""

    name: str
    option: str
    variable: str
    install: str

    def find(self, given: str) -> Path:
        """The folder: ``given`` by the option, else what the variable says.

        Raises ToolMissing when neither names a folder that is there.
        """
        said = given or os.environ.get(self.variable, "")
        how = f"--set {self.option}=DIR, or {self.variable} in the environment"
        if not said:
            raise ToolMissing(
                f"{self.name} is the user's own, and no tree of it is named",
                argv=(self.name,),
                hint=f"{how}; {self.install}",
            )
        root = Path(said).expanduser()
        if not root.is_dir():
            raise ToolMissing(
                f"{said}: there is no such folder, so no tree of {self.name}",
                argv=(self.name,),
                hint=f"{how}; {self.install}",
            )
        return root.resolve()

    def lacks(self, root: Path, what: str) -> ToolError:
        """The error for a tree without something that is needed."""
        return ToolError(
            f"{root.name}: this tree of {self.name} {what}",
            argv=(self.name,),
            hint=self.install,
        )


def _no_companions(header: str) -> Iterable[str]:
    del header
    return ()


class Closure:
    """The files that a set of sources needs, read as they are found.

    ``roots``: folders that includes are relative to, as (place in the project, folder), the first
    that has a header winning. ``companions`` names sources that a header asks for.
    """

    def __init__(
        self,
        roots: Sequence[tuple[str, Path]],
        companions: Callable[[str], Iterable[str]] | None = None,
    ) -> None:
        self._roots = tuple(roots)
        self._companions = companions or _no_companions
        self.files: dict[str, bytes] = {}
        self._size = 0
        self._places: dict[str, str | None] = {}

    def add(self, name: str) -> bool:
        """A file by the name that an include would use, and all it needs. False: not there."""
        waiting = [name]
        found = self._read(name) is not None
        done: set[str] = set()
        while waiting:
            current = waiting.pop()
            place = self._read(current)
            if place is None or place in done:
                continue
            done.add(place)
            folder = current.rpartition("/")[0]
            for raw in _INCLUDE.findall(self.files[place]):
                include = raw.decode("utf-8", "replace")
                near = os.path.normpath(f"{folder}/{include}") if folder else include
                waiting += [near] if self._read(near) is not None else [include]
                if include.endswith(".h"):
                    waiting += self._companions(include)
        return found

    def _read(self, name: str) -> str | None:
        """The place of a file in the project, read once; None where no root has it."""
        if name not in self._places:
            self._places[name] = self._read_new(name)
        return self._places[name]

    def _read_new(self, name: str) -> str | None:
        if name.startswith(("/", "../")):
            return None
        for prefix, root in self._roots:
            path = root / name
            if path.is_file():
                place = f"{prefix}/{name}" if prefix else name
                data = path.read_bytes()
                self._size += len(data)
                if self._size > LIMIT_BYTES:
                    raise ToolError(f"the sources that {name} needs exceed {LIMIT_BYTES} bytes")
                self.files[place] = data
                return place
        return None


def functions_closure(
    folder: Path, prefix: str, wanted: Iterable[bytes], *, leave_out: Callable[[Path], bool]
) -> dict[str, bytes]:
    """Path below ``folder`` to content of the C files that define the functions named in
    ``wanted`` (texts), and those that these mention. Functions are those of ``prefix``."""
    name = re.compile(rb"\b(%s\w+)" % prefix.encode())
    define = re.compile(rb"^[A-Za-z_][\w \t\*]*?\b(%s\w+)[ \t]*\(" % prefix.encode(), re.MULTILINE)
    texts: dict[Path, bytes] = {}
    homes: dict[bytes, Path] = {}
    for path in sorted(folder.rglob("*.c")):
        if leave_out(path):
            continue
        texts[path] = _COMMENT.sub(b" ", path.read_bytes())
        for found in define.findall(texts[path]):
            homes.setdefault(found, path)
        homes.setdefault(path.stem.encode(), path)
    waiting = {found for text in wanted for found in name.findall(_COMMENT.sub(b" ", text))}
    chosen: dict[Path, None] = {}
    seen: set[bytes] = set()
    while waiting:
        found = waiting.pop()
        seen.add(found)
        home = homes.get(found)
        if home is not None and home not in chosen:
            chosen[home] = None
            waiting |= set(name.findall(texts[home])) - seen
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(chosen)}


def tree_version(root: Path, files: Mapping[str, bytes]) -> str:
    """The commit of a git checkout, else a hash of the files that are taken."""
    head = root / ".git" / "HEAD"
    try:
        text = head.read_text(encoding="ascii").strip()
        if text.startswith("ref: "):
            text = (root / ".git" / text[5:]).read_text(encoding="ascii").strip()
        if re.fullmatch(r"[0-9a-f]{40}", text):
            return f"commit {text[:8]}"
    except (OSError, UnicodeDecodeError):
        pass
    digest = hashlib.sha256()
    for path, data in sorted(files.items()):
        digest.update(f"{path}\0{len(data)}\0".encode())
        digest.update(data)
    return f"files {digest.hexdigest()[:12]}"
