"""The backend of a vendor's compiler that is driven together with its simulator, in an environment
of `npubench tools setup`. It makes no image here: what it compiles is the artifact that an image of
the vendor's would hold. It is compiled one way alone, for the simulator and for the board: same
network, calibration and setting. Two such compilations may still differ in what the tool leaves
undefined or dates (padding, a time and its checksum)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

from npubench.boards import Board
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Plan
from npubench.compiler.vendor.adapter import NeedsVendorRuntime
from npubench.compiler.vendor.simulation import Array, Simulator
from npubench.core.errors import ToolMissing


class ImageMaker(Protocol):
    """Makes the plan of a project that holds the artifact, for who can build it."""

    def __call__(
        self,
        graph: Graph,
        artifact: bytes,
        outputs: Sequence[Array],
        board: Board,
        *,
        names: Sequence[str],
        version: str,
        seed: int,
    ) -> Plan:
        """``names``: of inputs and outputs as the tool was given them; ``outputs``: what the
        artifact answers to the input generated from ``seed``, one sample of each output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedBackend:
    """``runtime``: what an image would still need; ``sources``: where the tool's words and reports
    were found; ``unconfirmed``: what none of them shows; ``brings``: what of the vendor's the user
    has beside the environment; ``simulates_part`` is False where the compiler's executor says what
    its file means, and nothing imitates the part; ``image`` where a
    project can hold the artifact."""

    name: str
    engine: str
    simulator: Simulator
    runtime: str
    sources: tuple[str, ...]
    unconfirmed: str = ""
    brings: str = ""
    simulates_part: bool = True
    image: ImageMaker | None = None

    def check_tool(self) -> None:
        """Raises ToolMissing, with how to get it and the way out over the CPU."""
        try:
            self.simulator.check()
        except ToolMissing as error:
            raise ToolMissing(
                f"{self.engine} needs its vendor's compiler: {error.message}",
                argv=error.argv,
                hint=f"{error.hint}; or run on the CPU: --backend cpu",
            ) from error

    def compile(self, graph: Graph, model: bytes, board: Board) -> Plan:
        """No image is made: raises ToolMissing or NeedsVendorRuntime. The artifact comes from
        `bench.artifact`, which knows the network's other forms."""
        del graph, model, board
        self.check_tool()
        self.refuse("")

    def refuse(self, said: str, place: str = "") -> NoReturn:
        """Raises NeedsVendorRuntime. ``said``: what was compiled, ``place``: where that lies."""
        kept = f"the compiler's output is in {place}; " if place else ""
        raise NeedsVendorRuntime(
            f"{self.engine}: {said + ', but ' if said else ''}an image needs {self.runtime}",
            hint=f"{kept}run the network on the vendor's simulator (--on-simulator) or on the CPU "
            "(--backend cpu)",
        )
