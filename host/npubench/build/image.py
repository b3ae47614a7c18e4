"""What an ELF holds, and the checks that an image must pass before it reaches a board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO

from npubench.boards import Board
from npubench.core.errors import ToolError

FORBIDDEN = frozenset(
    (
        "malloc",
        "free",
        "calloc",
        "realloc",
        "_malloc_r",
        "_free_r",
        "_sbrk",
        "sbrk",
        "printf",
        "sprintf",
        "snprintf",
        "vprintf",
        "vsnprintf",
        "puts",
        "_printf_r",
        "_vfprintf_r",
        "_svfprintf_r",
    )
)
NEVER_LOADED = (".nb_arena", ".nb_fixture", ".nb_output", ".nb_stack", ".noinit")
_ARM = "EM_ARM"
_WRITE, _ALLOC = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section that takes memory. ``load_address`` is None when the image holds none of it."""

    name: str
    address: int
    size_bytes: int
    writable: bool
    load_address: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An ELF's memory sections, its symbols (name to address) and its first two words."""

    machine: str
    entry: int
    sections: tuple[Section, ...]
    symbols: dict[str, int]
    vectors: tuple[int, int] | None


def read_image(elf: Path) -> Image:
    """Read an ELF. Raises ToolError when it is none."""
    from elftools.common.exceptions import ELFError

    try:
        with elf.open("rb") as file:
            return _read(file)
    except (OSError, ELFError) as error:
        raise ToolError(f"{elf} is not an ELF that can be read: {error}") from error


def check_image(elf: Path, board: Board) -> None:
    """Raise ToolError when an image has a heap or printf, lies outside the board's memory, or has
    no vector table where the core looks for it. A host process is not checked."""
    if board.kind == "host":
        return
    image = read_image(elf)
    found = sorted(FORBIDDEN & image.symbols.keys())
    if found:
        raise ToolError(
            f"the firmware for {board.id} links {', '.join(found)}",
            hint="firmware may neither allocate nor print formatted text",
        )
    for section in image.sections:
        for address in (section.address, section.load_address):
            if address is not None and not _inside(board, address, section.size_bytes):
                raise ToolError(
                    f"section {section.name} at 0x{address:08X} ({section.size_bytes} bytes) lies "
                    f"outside the memory of {board.id}",
                    hint="see [[memory]] in the board's file",
                )
    if image.machine == _ARM:
        _check_vectors(image, board)


def _check_vectors(image: Image, board: Board) -> None:
    if image.vectors is None:
        raise ToolError(f"the firmware for {board.id} has no vector table in section .vectors")
    place = next(section.address for section in image.sections if section.name == ".vectors")
    stack, reset = image.vectors
    expected = (
        board.region("code").base,
        image.symbols.get("_nb_stack_top"),
        image.symbols.get("nb_reset_handler"),
    )
    if (place, stack, reset) != expected:
        shown = [
            ", ".join("none" if word is None else f"0x{word:08X}" for word in words)
            for words in ((place, stack, reset), expected)
        ]
        raise ToolError(
            f"the vector table of {board.id} (place, stack, reset) is {shown[0]}, not {shown[1]}"
        )


def _inside(board: Board, address: int, size: int) -> bool:
    return any(
        region.base <= address and address + size <= region.base + region.size_bytes
        for region in board.memory
    )


def _read(file: IO[bytes]) -> Image:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    elf = ELFFile(file)
    segments = [
        (seg["p_vaddr"], seg["p_memsz"], seg["p_paddr"])
        for seg in elf.iter_segments()
        if seg["p_type"] == "PT_LOAD"
    ]
    sections: list[Section] = []
    symbols: dict[str, int] = {}
    vectors: tuple[int, int] | None = None
    for item in elf.iter_sections():
        if isinstance(item, SymbolTableSection):
            symbols |= {
                symbol.name: symbol["st_value"]
                for symbol in item.iter_symbols()
                if symbol.name and symbol["st_shndx"] != "SHN_UNDEF"
            }
        if not item["sh_flags"] & _ALLOC or item["sh_size"] == 0:
            continue
        address, size = item["sh_addr"], item["sh_size"]
        empty = item["sh_type"] == "SHT_NOBITS" or item.name in NEVER_LOADED
        sections.append(
            Section(
                name=item.name,
                address=address,
                size_bytes=size,
                writable=bool(item["sh_flags"] & _WRITE),
                load_address=None if empty else _load_address(segments, address, size),
            )
        )
        if item.name == ".vectors" and size >= 8:
            words = item.data()
            vectors = (int.from_bytes(words[0:4], "little"), int.from_bytes(words[4:8], "little"))
    return Image(
        machine=elf["e_machine"],
        entry=elf["e_entry"],
        sections=tuple(sections),
        symbols=symbols,
        vectors=vectors,
    )


def _load_address(segments: list[tuple[int, int, int]], address: int, size: int) -> int:
    for virtual, length, physical in segments:
        if virtual <= address and address + size <= virtual + length:
            return int(physical + address - virtual)
    return address
