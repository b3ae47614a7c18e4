"""The matrix of boards: for each what is described, whether it builds, fits, boots, and what stands
behind its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from npubench.boards import Board
from npubench.compiler.backends.cpu import BACKEND, check_memory
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Plan
from npubench.compiler.tflite.reader import load_tflite
from npubench.core.errors import DoesNotFit
from npubench.core.format import NONE
from npubench.emulators.board_model.description import has_model
from npubench.report.markdown import table
from npubench.report.platform import COLUMNS, in_order, standing
from npubench.zoo import load_zoo, resolve_model, zoo_ids

HEAD = ("board", "described", "builds", "networks that fit", "boots here", *COLUMNS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network of the zoo, compiled once for all boards."""

    id: str
    graph: Graph
    plan: Plan


def zoo_networks(anywhere: Board) -> tuple[Network, ...]:
    """Every network that comes with the zoo, on portable kernels; ``anywhere`` is a board without
    limits."""
    networks = []
    for name in zoo_ids():
        if not load_zoo(name).committed:
            continue
        data, graph = load_tflite(resolve_model(name).path)
        networks.append(Network(id=name, graph=graph, plan=BACKEND.compile(graph, data, anywhere)))
    return tuple(networks)


def matrix(boards: Sequence[Board], networks: Sequence[Network]) -> str:
    """The matrix as a Markdown table, with a newline at its end."""
    return table(
        HEAD,
        [
            (
                f"`{board.id}`",
                described(board),
                builds(board),
                fits(board, networks),
                boots(board),
                *standing(board).values(),
            )
            for board in in_order(boards)
        ],
    )


def described(board: Board) -> str:
    """How many facts the file gives with their source, by confidence."""
    count = Counter(fact.confidence for fact in board.facts)
    words = [f"{count[level]} {level}" for level in ("high", "medium", "low") if count[level]]
    if words:
        return ", ".join(words)
    named = len(board.sources)
    return f"{named} source{'s' if named > 1 else ''} named" if named else NONE


def builds(board: Board) -> str:
    """Yes, or what is missing first. The tests build every board that says yes."""
    return "yes" if not board.status.missing else f"no: {board.status.missing[0]}"


def fits(board: Board, networks: Sequence[Network]) -> str:
    """The networks whose weights and arena fit the board's regions."""
    if board.status.missing or (not board.memory and not board.hosted):
        return NONE
    names = []
    for network in networks:
        try:
            check_memory(network.graph, network.plan, board)
        except DoesNotFit:
            continue
        names.append(network.id)
    return "all" if len(names) == len(networks) else ", ".join(names) or "none"


def boots(board: Board) -> str:
    """What runs the board's firmware on a computer."""
    if board.kind == "host":
        return "as a process"
    if board.emulator is not None:
        return f"QEMU {board.emulator.machine.partition(',')[0]}"
    if board.stand_in is not None:
        return f"its NPU, clocks and memories on `{board.stand_in.board}`"
    if has_model(board):
        return "the very image, on a model of the board"
    if board.status.cpu == "port-emulated":
        return "its CPU side, on QEMU with another memory map"
    if board.hosted and board.status.cpu == "image-verified":
        return "the very program, on QEMU's user mode"
    return "no"
