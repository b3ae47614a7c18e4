"""The account of an image's memory: by address from the ELF, by owner from the link map.

Evidence ``static``. What the image holds counts as flash at its load address; what the program
writes counts as RAM at its run address; ``.data`` counts in both.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from npubench.boards import Board
from npubench.build.firmware import Firmware
from npubench.build.image import Section, read_image
from npubench.build.linkmap import Piece, read_map
from npubench.compiler.plan import Plan
from npubench.core.errors import ToolError


class Owner(StrEnum):
    """Who a byte belongs to."""

    WEIGHTS = "weights"
    KERNELS = "kernels"
    NPU_DRIVER = "npu_driver"
    HARNESS = "harness"
    ARENA = "arena"
    OUTPUT = "output"
    FIXTURE = "fixture"
    STACK = "stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Bytes by owner, and by memory region (all that lies there, fixture and stack included)."""

    flash: dict[Owner, int]
    ram: dict[Owner, int]
    regions: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticMemory:
    """Memory in bytes, as the image alone tells it.

    ``flash_bytes`` = weights + kernels + NPU driver + harness. ``ram_bytes`` = arena + scratch +
    harness + data, without the fixture (the uploaded input) and the stack. ``scratch_bytes`` is
    static RAM of kernels and NPU driver, ``data_bytes`` the outputs' copy.
    """

    flash_bytes: int
    ram_bytes: int
    arena_bytes: int
    weights_bytes: int
    kernels_bytes: int
    npu_driver_bytes: int
    harness_flash_bytes: int
    harness_ram_bytes: int
    fixture_bytes: int
    data_bytes: int
    scratch_bytes: int
    stack_region_bytes: int
    baseline_flash_bytes: int | None
    baseline_ram_bytes: int | None
    regions: dict[str, int] = field(default_factory=dict)


def account_memory(
    firmware: Firmware, board: Board, plan: Plan, *, baseline: Firmware | None
) -> StaticMemory:
    """The account of an image, beside that of the empty firmware where there is one.

    Raises ToolError when ELF and link map contradict the plan.
    """
    account = read_account(firmware.elf, firmware.map, board)
    arena = account.ram.get(Owner.ARENA, 0)
    if arena < plan.arena.size_bytes:
        raise ToolError(
            f"the image's arena has {arena} bytes, the plan's {plan.arena.size_bytes}",
            hint="remove the cache of images (npubench doctor says where it is)",
        )
    empty = None if baseline is None else read_account(baseline.elf, baseline.map, board)
    return static_memory(account, empty)


def static_memory(account: Account, empty: Account | None) -> StaticMemory:
    """An account as the record has it, beside that of the empty firmware where there is one."""
    scratch = sum(account.ram.get(owner, 0) for owner in (Owner.KERNELS, Owner.NPU_DRIVER))
    return StaticMemory(
        flash_bytes=gross_flash(account),
        ram_bytes=gross_ram(account),
        arena_bytes=account.ram.get(Owner.ARENA, 0),
        weights_bytes=account.flash.get(Owner.WEIGHTS, 0),
        kernels_bytes=account.flash.get(Owner.KERNELS, 0),
        npu_driver_bytes=account.flash.get(Owner.NPU_DRIVER, 0),
        harness_flash_bytes=account.flash.get(Owner.HARNESS, 0),
        harness_ram_bytes=account.ram.get(Owner.HARNESS, 0),
        fixture_bytes=account.ram.get(Owner.FIXTURE, 0),
        data_bytes=account.ram.get(Owner.OUTPUT, 0),
        scratch_bytes=scratch,
        stack_region_bytes=account.ram.get(Owner.STACK, 0),
        baseline_flash_bytes=None if empty is None else gross_flash(empty),
        baseline_ram_bytes=None if empty is None else gross_ram(empty),
        regions=account.regions,
    )


def gross_flash(account: Account) -> int:
    """Everything the image holds."""
    return sum(account.flash.values())


def gross_ram(account: Account) -> int:
    """Everything the program writes, without fixture and stack."""
    left_out = (Owner.FIXTURE, Owner.STACK)
    return sum(size for owner, size in account.ram.items() if owner not in left_out)


def read_account(elf: Path, link_map: Path, board: Board) -> Account:
    """Bytes by owner and region; the owners' sum equals the sections' sizes."""
    image = read_image(elf)
    pieces: dict[str, list[Piece]] = {}
    for piece in read_map(link_map.read_text(encoding="utf-8", errors="replace")):
        pieces.setdefault(piece.output, []).append(piece)
    flash: Counter[Owner] = Counter()
    ram: Counter[Owner] = Counter()
    regions: Counter[str] = Counter()
    for section in image.sections:
        shares = _shares(section, pieces.get(section.name, []))
        if section.load_address is not None:
            flash.update(shares)
        if section.writable:
            ram.update(shares)
        for address in {section.address, section.load_address} - {None}:
            regions.update(_region(board, address, section.size_bytes))
    return Account(
        flash={owner: flash[owner] for owner in Owner if flash[owner]},
        ram={owner: ram[owner] for owner in Owner if ram[owner]},
        regions=dict(sorted(regions.items())),
    )


def _shares(section: Section, pieces: list[Piece]) -> dict[Owner, int]:
    """A section's bytes by owner. What the map does not explain is the section's own."""
    shares: Counter[Owner] = Counter()
    for piece in pieces:
        shares[_owner(piece.name, piece.object_file)] += piece.size_bytes + piece.fill_bytes
    rest = section.size_bytes - sum(shares.values())
    shares[_owner(section.name, "")] += rest
    return dict(shares)


_BY_SECTION = (
    (".nb_arena", Owner.ARENA),
    (".nb_fixture", Owner.FIXTURE),
    (".nb_output", Owner.OUTPUT),
    (".nb_stack", Owner.STACK),
    (".nb_weights", Owner.WEIGHTS),
    (".rodata.nb_weights", Owner.WEIGHTS),
    (".rodata.nb_params", Owner.WEIGHTS),
)
_BY_FOLDER = (
    ("src/kernels/", Owner.KERNELS),
    ("src/model/", Owner.KERNELS),
    ("src/engine/", Owner.KERNELS),
    ("src/npu/", Owner.NPU_DRIVER),
)


def _owner(section: str, object_file: str) -> Owner:
    """By the input section's name first, then by the folder of its source."""
    for start, owner in _BY_SECTION:
        if section == start or section.startswith(f"{start}."):
            return owner
    for folder, owner in _BY_FOLDER:
        if folder in object_file:
            return owner
    return Owner.HARNESS


def _region(board: Board, address: int | None, size: int) -> dict[str, int]:
    for region in board.memory:
        if address is not None and region.base <= address < region.base + region.size_bytes:
            return {region.name: size}
    return {}
