"""A package of somebody else: a backend that puts its name on the CPU's plan, and an instrument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from npubench.boards import Board
from npubench.compiler.backends import Backend, Option
from npubench.compiler.backends.cpu import BACKEND as CPU
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Plan
from npubench.core.errors import MonitorError
from npubench.power.source.driver import Driver, Options
from npubench.power.source.interface import PowerSource

API_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleBackend:
    """Has one option, which it writes into the plan's defines."""

    name: str = "sample"
    level: str = "0"
    options: tuple[Option, ...] = (
        Option(name="level", help="how hard to try", default="0", choices=("0", "1")),
    )

    def configured(self, values: Mapping[str, str]) -> Backend:
        """With the level that was set."""
        return replace(self, level=values.get("level", self.level))

    def compile(self, graph: Graph, model: bytes, board: Board) -> Plan:
        """The CPU's plan under this name."""
        plan = CPU.compile(graph, model, board)
        return replace(plan, backend=self.name, defines={**plan.defines, "SAMPLE": self.level})


def _open(port: str, options: Options) -> PowerSource:
    del options
    raise MonitorError(f"no sample instrument at {port}", hint="there is none")


BACKEND = SampleBackend()
DRIVER = Driver(name="sample", title="Sample instrument", open=_open)
