"""A network on the simulator of an NPU's vendor: what is asked, and what comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from npubench.compiler.vendor.tool import own_folder
from npubench.core.errors import CompileError, ToolError
from npubench.toolenv.environment import Environment, environment

Array = NDArray[Any]
Ranges = Mapping[str, tuple[float, float]]
"""By the names of a float network's tensors: the ends of what their int8 form can hold."""
SIMULATION_TIMEOUT_S = 6 * 3600.0
Heard = Callable[[int, int, str], None]
"""Gets how many inputs are done, of how many, and what is under way ("" where nothing is told)."""
_TOLD = re.compile(r"npubench (\d+)/(\d+) ?(.*)")
_REFUSED = re.compile(r"^npubench refuses: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedOp:
    """Where an operator runs. ``reason``: the tool's, where it stays on the CPU; ``cycles``: of the
    accelerator, None where the simulator tells none."""

    engine: Literal["npu", "cpu", "none"]
    reason: str = ""
    cycles: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What the simulator gave. ``cycles``: the accelerator's for the whole network, where it tells
    more than the operators' sum. ``outputs``: for each output an array (samples, ...), real numbers
    or codes as the simulator's ``form`` says; ``figures`` by names with their units; ``artifact``:
    what the tool made, by its file's name (None where it takes the network as it is)."""

    version: str
    outputs: tuple[Array, ...]
    ops: Mapping[int, SimulatedOp] = field(default_factory=dict)
    figures: Mapping[str, int | float] = field(default_factory=dict)
    cycles: int | None = None
    artifact: tuple[str, bytes] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a simulator is asked. ``model``: a .tflite in the simulator's ``form``; ``inputs``: to
    be answered, for each input of the network an array (samples, ...), codes or real numbers as the
    ``form`` says; ``calibration``: other samples of the same distribution; ``ranges``: of the
    network's inputs and of every operator's first output; ``setting``: one of the simulator's
    ``settings``, empty for the first; ``heard`` is called from another thread, as inputs are
    done."""

    model: bytes
    inputs: Sequence[Array]
    calibration: Sequence[Array]
    ranges: Ranges
    setting: str = ""
    heard: Heard | None = None

    def needs_one_input(self, program: str) -> None:
        """Raises CompileError where the network has several inputs."""
        if len(self.inputs) != 1:
            raise CompileError(
                f"the network has {len(self.inputs)} inputs; {program} takes one",
                hint="run it on the CPU: --backend cpu",
            )


class Simulator(Protocol):
    """A vendor's compiler with its simulator, in an environment of its own."""

    @property
    def tool(self) -> str:
        """The id of the environment, as `npubench tools setup` takes it."""

    @property
    def form(self) -> Literal["int8", "float", "ranged"]:
        """Whether it takes the network as it is with codes, or on float32 with real numbers; there
        operator n's first output is called ``npubench_op<n>``, and MINIMUM and MAXIMUM stand where
        the int8 network saturates. ``ranged`` is the latter without these: the tool saturates at
        the ``ranges`` that it is told."""

    @property
    def tells_cycles(self) -> bool:
        """Whether it tells the accelerator's cycles."""

    @property
    def is_slow(self) -> bool:
        """Whether an inference takes seconds of a processor: no more inputs than the verdict needs
        are asked for then."""

    @property
    def settings(self) -> tuple[str, ...]:
        """Ways to compile, the cheapest on the part first: the bench takes the first that is within
        its limits on samples of the calibration, else the nearest. Empty where there is one way."""

    def check(self) -> None:
        """Raises ToolMissing, with what to do, where the tool cannot be run: before anything is."""

    def simulate(self, asked: Asked) -> Simulation:
        """Compile the network and run it on every sample.

        Raises ToolMissing with the command that sets the tool up, ToolError with its last words,
        CompileError for what it cannot take.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSimulator:
    """What adapters share of a Simulator: its facts, as told there, and the tool's environment."""

    tool: str
    form: Literal["int8", "float", "ranged"]
    tells_cycles: bool = False
    is_slow: bool = False
    settings: tuple[str, ...] = ()

    def check(self) -> None:
        """See Simulator."""
        environment(self.tool)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAnswer:
    """What a job in a tool's environment left: its report, its outputs, and the files asked for."""

    report: dict[str, Any]
    outputs: tuple[Array, ...]
    files: Mapping[str, bytes]


def run_job(
    tool: str,
    script: Path,
    asked: Asked,
    *,
    keep: Sequence[str] = (),
    words: Sequence[str] = (),
    more: Mapping[str, bytes] | None = None,
) -> tuple[Environment, JobAnswer]:
    """Run a Python file of ours in a tool's environment, in a folder with what is asked:
    ``model.tflite``, ``inputs.npz`` and ``calibration.npz`` (input i in array i), ``ranges.json``;
    it leaves ``outputs.npz`` and ``report.json``. ``keep``: patterns of more files to bring back;
    ``words``: the script's arguments; ``more``: further files of the folder. A line
    ``npubench 3/100 words`` of its stdout tells how far it is; before it ends with an exit code, a
    line ``npubench refuses: words`` of its stderr says in the tool's words why it does not take the
    network. Raises ToolMissing, ToolError, CompileError.
    """
    import numpy as np

    found = environment(tool)
    with own_folder(tool) as folder:
        (folder / "model.tflite").write_bytes(asked.model)
        ranges = json.dumps({name: list(ends) for name, ends in asked.ranges.items()})
        (folder / "ranges.json").write_text(ranges, encoding="utf-8")
        for name, data in (more or {}).items():
            (folder / name).write_bytes(data)
        for name, arrays in (("inputs", asked.inputs), ("calibration", asked.calibration)):
            named: dict[str, Any] = {f"{index}": array for index, array in enumerate(arrays)}
            np.savez(folder / f"{name}.npz", **named)
        try:
            result = found.script(
                script,
                *words,
                cwd=folder,
                timeout_s=SIMULATION_TIMEOUT_S,
                heard=None if asked.heard is None else _listener(asked.heard),
            )
        except ToolError as error:
            if error.code:
                raise _failure(tool, error) from error
            raise
        try:
            report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
            with np.load(folder / "outputs.npz") as arrays:
                outputs = tuple(arrays[f"{index}"] for index in range(len(arrays.files)))
        except (OSError, ValueError, KeyError) as error:
            raise ToolError(
                f"{found.tool.file.title} ended well, but left no answer: {error}",
                argv=result.argv,
                code=result.code,
                tail=(result.stdout + result.stderr)[-2000:],
                hint=f"npubench tools check {tool}",
            ) from error
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for pattern in keep
            for path in sorted(folder.glob(pattern))
        }
    return found, JobAnswer(report=report, outputs=outputs, files=files)


def _failure(tool: str, error: ToolError) -> CompileError | ToolError:
    """A job's end with an exit code, by what it said."""
    refused = _REFUSED.search(error.tail)
    if refused is not None:
        return CompileError(
            f"{tool}: the vendor's compiler does not take this network: {refused[1]}",
            hint="run it on the CPU: --backend cpu",
        )
    last = next((line for line in reversed(error.tail.splitlines()) if line.strip()), "no words")
    return ToolError(
        f"{tool} ended with exit code {error.code}: {last.strip()}",
        argv=error.argv,
        code=error.code,
        tail=error.tail,
        hint=error.hint,
    )


def _listener(heard: Heard) -> Callable[[str], None]:
    def line(text: str) -> None:
        match = _TOLD.fullmatch(text)
        if match is not None:
            heard(int(match[1]), int(match[2]), match[3])

    return line
