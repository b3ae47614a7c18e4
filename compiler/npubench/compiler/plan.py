"""What the emitter needs to know and nothing else: kernel calls, constants, places in the arena.

A Plan is made by a backend from a Graph and a Board. It speaks C: kernel names, parameter
structs, constant arrays. It is the last product that is not text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from npubench.compiler.graph import Graph
from npubench.core.finding import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A C array in flash. ``name`` is a C identifier; ``data`` is little-endian.

    ``owner`` is ``weights`` for what belongs to the network (weights, biases, multipliers,
    tables); it selects the section and so the line in the memory account.
    """

    name: str
    ctype: str
    data: bytes
    align: int = 4
    owner: str = "weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorArg:
    """Pointer to a tensor in the arena, or to a constant tensor."""

    tensor: int
    ctype: str
    const: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantArg:
    """Pointer to a Constant of the plan; ``None`` is passed as NULL."""

    constant: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchArg:
    """Pointer to the call's scratch memory in the arena (NULL when it needs none)."""

    ctype: str = "void"


Arg = TensorArg | ConstantArg | ScratchArg
ParamValue = int | tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Why a kernel serves an operator: ``reason`` for people, and the ``instructions`` that its
    file's figures give for this operator (predicted; None where the file gives none)."""

    reason: str
    instructions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Where a kernel's output may lie over an input that nobody needs afterwards: from
    ``lead_bytes`` or more before the input's start; with None exactly on it."""

    tensor: int
    lead_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCall:
    """One call of a kernel: ``kernel(&params, arg0, arg1, ...)``.

    ``source`` is the kernel's file name under ``firmware/kernels/<flavour>/``; without a flavour
    any may serve, the board's best first. ``params`` are the fields of ``params_type`` in the
    struct's order. ``scratch_bytes`` lives during this call.
    """

    op_index: int
    kernel: str
    source: str
    params_type: str
    params: tuple[tuple[str, ParamValue], ...]
    args: tuple[Arg, ...]
    scratch_bytes: int = 0
    flavour: str | None = None
    choice: Choice | None = None
    overlaps: tuple[Overlap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """An operator that moves no data: its output is its input (RESHAPE and the like)."""

    op_index: int
    source_tensor: int
    target_tensor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """An operator that nothing is left of at run time: its outputs are known, or it only names or
    starts a variable."""

    op_index: int


Lowered = KernelCall | Alias | Free


@dataclass(frozen=True, slots=True, kw_only=True)
class NpuJob:
    """Operators ``op_indices`` of the network that run as one job on the NPU.

    ``inputs`` and ``outputs`` are graph tensors. What the job is, its driver knows: ``job`` is the
    number that the emitted code passes to ``nb_npu_run``. It runs in the place of operator ``at``,
    one of ``op_indices``: the last, unless an operator on the CPU waits for an earlier one.
    """

    op_indices: tuple[int, ...]
    job: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    at: int | None = None

    @property
    def place(self) -> int:
        """The operator in whose place the job runs."""
        return max(self.op_indices) if self.at is None else self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOp:
    """An operator that an interpreter of the user's own runs; ``kernel``: its file in that tree."""

    op_index: int
    kernel: str


Step = KernelCall | Alias | Free | NpuJob | EngineOp


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineScope:
    """How sources below ``start`` are compiled: the level, macros, and folders under
    ``src/engine`` that headers are looked for in. The longest start of a path holds, alone."""

    start: str = ""
    level: str = "-O2"
    defines: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTree:
    """Sources of a user's own engine, which travel with the project under ``src/engine``.

    ``files``: path there to content. The wiring and our own calls are compiled with the macros and
    folders of all ``scopes``.
    """

    name: str
    version: str
    files: dict[str, bytes]
    scopes: tuple[EngineScope, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """What the wiring of an engine that interprets the file itself needs: the constant that is the
    file, the resolver's methods for its operators, and how many resource variables it keeps."""

    model: str
    methods: tuple[str, ...]
    variables: int = 0


Toolchain = Literal["gcc", "clang"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A tensor's place in the arena, in bytes from its start."""

    tensor: int
    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """The memory of activations and scratch: one block, 16-byte aligned.

    ``scratch_offset_bytes`` maps a step's position to the offset of its scratch memory.
    """

    size_bytes: int
    places: tuple[Place, ...]
    scratch_offset_bytes: dict[int, int] = field(default_factory=dict)

    def place(self, tensor: int) -> Place:
        """The place of a tensor. Raises KeyError when it is not in the arena."""
        for place in self.places:
            if place.tensor == tensor:
                return place
        raise KeyError(tensor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """An operator that the NPU does not run, and the reason its compiler gives."""

    op_index: int
    op: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a model of the NPU expects of one operator of the network: cycles of the NPU's clock and
    bytes over each of its ports, bursts that are cut short counted in full.

    ``operations``: how many the NPU's compiler made of it; ``block``: height, width and depth of
    the first one's output block."""

    op_index: int
    cycles: int
    port_bytes: tuple[int, ...]
    bound_by_memory: bool
    operations: int = 0
    block: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAnswer:
    """What a vendor's tool says that its artifact answers, where the scheme is not the network's.

    ``output``: all outputs for the input that is generated from ``seed``, as the network's own
    tensors. ``version`` names the tool.
    """

    version: str
    seed: int
    output: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is left of an operator's output: ``channels`` of its ``total``. ``constants``: the codes
    of those taken out that have one code; the others have no reader."""

    channels: tuple[int, ...]
    total: int
    constants: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a backend decides about a network on a board.

    ``artifact`` is the final form of the network that runs (the .tflite itself for ``cpu``, the
    compiler's output for an NPU); its SHA-256 is ``artifact_sha256``. ``extra_files`` maps a path
    in the emitted project to text of the backend's own (NPU tables). ``defines`` are C macros of
    the build. ``npu`` is what the record says of the NPU (JSON values only), or empty.
    ``known_answer`` takes the place of the golden reference where the artifact's scheme differs.
    ``graph``: what runs, where it is a narrower network than the one brought (same operators and
    tensors by number); ``kept`` then tells of each operator what its output still holds.
    ``findings``: what was decided for the user, and what that costs.
    ``engine``: sources of the user's own that serve it; ``interpreter``: they read the artifact.
    ``level``: at which the compiler optimises the kernels.
    ``npu_load``: the driver brings the input into the NPU's own memory, within the stage ``load``.
    """

    backend: str
    steps: tuple[Step, ...]
    constants: tuple[Constant, ...]
    arena: Arena
    artifact: bytes
    artifact_sha256: str
    fallbacks: tuple[Fallback, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    driver: str = "none"
    extra_files: dict[str, str] = field(default_factory=dict)
    defines: dict[str, str] = field(default_factory=dict)
    npu: dict[str, object] = field(default_factory=dict)
    known_answer: KnownAnswer | None = None
    npu_load: bool = False
    findings: tuple[Found, ...] = ()
    graph: Graph | None = None
    kept: dict[int, Kept] = field(default_factory=dict)
    engine: EngineTree | None = None
    interpreter: Interpreter | None = None
    toolchain: Toolchain = "gcc"
    level: str = "O2"

    @property
    def turns(self) -> dict[int, int]:
        """Whose turn it is when the firmware counts through the operators: by the number that it
        counts, the operator that runs. They differ only where an NPU's compiler changed the order.
        """
        places = [
            step.place if isinstance(step, NpuJob) else step.op_index
            for step in self.steps
            if not isinstance(step, Alias | Free)
        ]
        return dict(zip(sorted(places), places, strict=True))

    @property
    def in_order(self) -> bool:
        """Whether the operators run in the network's own order."""
        return all(turn == place for turn, place in self.turns.items())
