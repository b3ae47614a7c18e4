"""The backend of a vendor's compiler that makes no image here: it runs the tool, keeps what came
out, reads the report, and says in one line what is missing."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from npubench.boards import Board
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Plan
from npubench.compiler.vendor.tool import (
    FoundTool,
    VendorTool,
    find_vendor_tool,
    own_folder,
    run_vendor_tool,
)
from npubench.core.errors import CompileError, StorageError, ToolError
from npubench.core.paths import cache_root

MODEL_FILE = "network.tflite"
_SCALES = {"k": 1e3, "M": 1e6, "G": 1e9}


class NeedsVendorRuntime(CompileError):
    """The vendor's compiler did its part; an image needs more of the vendor than is built here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number of the report: its name with the unit, and a pattern whose first group is it, with
    thousands apart by commas or k, M, G behind it (with a second group: first / second)."""

    name: str
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorReport:
    """What the tool said. ``figures`` by their names; ``files``: what it made, by path."""

    tool: FoundTool
    figures: dict[str, float]
    files: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorBackend:
    """One vendor's compiler, described.

    ``steps``: command lines, quoted as for a shell, with ``{tool}``, ``{model}`` and the entries of
    ``defaults``, which the board's ``[npu.config]`` may override. ``inputs``: files written before,
    by path. ``products``: patterns of what must come out. ``runtime``: what an image would still
    need. ``sources``: where words and report were found; ``unconfirmed``: what none of them shows.
    """

    name: str
    engine: str
    tool: VendorTool
    steps: tuple[str, ...]
    products: tuple[str, ...]
    figures: tuple[Figure, ...] = ()
    inputs: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    runtime: str
    sources: tuple[str, ...]
    unconfirmed: str = ""

    def compile(self, graph: Graph, model: bytes, board: Board) -> Plan:
        """Run the tool; then NeedsVendorRuntime, with what it reported and where its output lies.

        Raises ToolMissing (with how to get it, and the CPU as the way out) or ToolError before.
        """
        del graph
        report = self.run(model, board)
        said = ", ".join(f"{name} {value:g}" for name, value in report.figures.items())
        raise NeedsVendorRuntime(
            f"{self.engine}: {report.tool.path.name} {report.tool.version} compiled the network"
            f"{f' ({said})' if said else ''}, but an image needs {self.runtime}",
            hint=f"its output is in {report.folder}; run the network on the CPU: --backend cpu",
        )

    def run(self, model: bytes, board: Board) -> VendorReport:
        """Compile ``model`` in a folder of its own and keep what came out in the cache."""
        tool = find_vendor_tool(self.tool, engine=self.engine)
        values = self.values(board, tool)
        with own_folder(self.name) as folder:
            (folder / MODEL_FILE).write_bytes(model)
            for path, text in self.inputs.items():
                (folder / path).write_text(text, encoding="utf-8")
            before = set(_files(folder))
            output = ""
            for step in self.steps:
                argv = [_filled(word, values) for word in shlex.split(step)]
                if argv[0].endswith(".py") and Path(argv[0]).is_absolute():
                    argv.insert(0, sys.executable)
                result = run_vendor_tool(argv, folder=folder)
                output += result.stdout + result.stderr
            made = tuple(path for path in _files(folder) if path not in before)
            self._check(folder)
            text = output + "".join(
                (folder / path).read_text(encoding="utf-8", errors="replace")
                for path in made
                if path.endswith(("report.txt", ".log"))
            )
            kept = _keep(folder, made, self.name, model, tool)
        return VendorReport(
            tool=tool, figures=read_figures(self.figures, text), files=made, folder=kept
        )

    def values(self, board: Board, tool: FoundTool) -> dict[str, str]:
        """What stands for the placeholders of the steps on a board."""
        config = {} if board.npu is None else board.npu.config
        values = {key: str(config.get(key, value)) for key, value in self.defaults.items()}
        return {
            **values,
            "tool": str(tool.path),
            "model": MODEL_FILE,
        }

    def _check(self, folder: Path) -> None:
        for pattern in self.products:
            if not any(folder.glob(pattern)):
                raise ToolError(
                    f"{self.engine}: its compiler ended well, but made no {pattern}",
                    hint="is it another version than this adapter was written for?",
                )


def read_figures(figures: tuple[Figure, ...], text: str) -> dict[str, float]:
    """The figures that the report holds; what it does not hold is left out, never guessed."""
    found = {}
    for figure in figures:
        match = re.search(figure.pattern, text, re.MULTILINE)
        if match is None:
            continue
        numbers = [_number(group) for group in match.groups() if group is not None]
        if len(numbers) == 2 and numbers[1] == 0:
            continue
        found[figure.name] = round(numbers[0] / numbers[1] if len(numbers) == 2 else numbers[0], 6)
    return found


def _number(text: str) -> float:
    scale = _SCALES.get(text[-1:], 1.0)
    return float(text.rstrip("".join(_SCALES)).replace(",", "")) * scale


def _filled(word: str, values: dict[str, str]) -> str:
    for key, value in values.items():
        word = word.replace(f"{{{key}}}", value)
    return word


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def _keep(folder: Path, made: tuple[str, ...], name: str, model: bytes, tool: FoundTool) -> Path:
    key = hashlib.sha256(f"{tool.version}\0".encode() + model).hexdigest()[:16]
    place = cache_root() / "vendor" / name / key
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=place.parent, prefix=".new-"))
        for path in made:
            (scratch / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / path, scratch / path)
        shutil.rmtree(place, ignore_errors=True)
        scratch.replace(place)
    except OSError as error:
        raise StorageError(
            f"cannot keep the compiler's output in {place}: {error.strerror}"
        ) from error
    return place
