"""What an ELF holds, as far as memory, symbols, vectors and ABI go."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from npubench.core.errors import ToolError

NEVER_LOADED = (".nb_arena", ".nb_fixture", ".nb_output", ".nb_stack", ".noinit")
_WRITE, _ALLOC, _EXECUTE = 1, 2, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section that takes memory. ``load_address`` is None when the image holds none of it."""

    name: str
    address: int
    size_bytes: int
    writable: bool
    load_address: int | None
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An ELF's memory sections, its symbols (name to address) and the words of its vector table.

    ``undefined`` and ``weak``: names of symbols that the linker left open or optional.
    ``attributes``: build attributes of an Arm ELF (without ``TAG_``; text or number).
    ``flags``: the ELF header's, which on RISC-V name the float ABI.
    ``interpreter``: whether it wants a dynamic loader.
    """

    machine: str
    entry: int
    sections: tuple[Section, ...]
    symbols: dict[str, int]
    vectors: tuple[int, ...] | None
    undefined: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    attributes: dict[str, str | int] = field(default_factory=dict)
    flags: int = 0
    interpreter: bool = False

    def section(self, name: str) -> Section | None:
        """The section of that name, or None."""
        return next((section for section in self.sections if section.name == name), None)


def read_image(elf: Path) -> Image:
    """Read an ELF. Raises ToolError when it is none."""
    from elftools.common.exceptions import ELFError

    try:
        with elf.open("rb") as file:
            return _read(file)
    except (OSError, ELFError) as error:
        raise ToolError(f"{elf} is not an ELF that can be read: {error}") from error


def _read(file: IO[bytes]) -> Image:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import ARMAttributesSection, SymbolTableSection

    elf = ELFFile(file)
    segments = [
        (seg["p_vaddr"], seg["p_memsz"], seg["p_paddr"])
        for seg in elf.iter_segments()
        if seg["p_type"] == "PT_LOAD"
    ]
    sections: list[Section] = []
    symbols: dict[str, int] = {}
    undefined: set[str] = set()
    weak: set[str] = set()
    attributes: dict[str, str | int] = {}
    vectors: tuple[int, ...] | None = None
    for item in elf.iter_sections():
        if isinstance(item, SymbolTableSection):
            for symbol in item.iter_symbols():
                if not symbol.name:
                    continue
                if symbol["st_shndx"] == "SHN_UNDEF":
                    undefined.add(symbol.name)
                else:
                    symbols[symbol.name] = symbol["st_value"]
                if symbol["st_info"]["bind"] == "STB_WEAK":
                    weak.add(symbol.name)
        elif isinstance(item, ARMAttributesSection):
            attributes |= _attributes(item)
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
                executable=bool(item["sh_flags"] & _EXECUTE),
            )
        )
        if item.name == ".vectors" and size >= 8:
            data = item.data()
            vectors = tuple(
                int.from_bytes(data[at : at + 4], "little") for at in range(0, size // 4 * 4, 4)
            )
    return Image(
        machine=elf["e_machine"],
        entry=elf["e_entry"],
        sections=tuple(sections),
        symbols=symbols,
        vectors=vectors,
        undefined=tuple(sorted(undefined)),
        weak=tuple(sorted(weak)),
        attributes=attributes,
        flags=elf["e_flags"],
        interpreter=any(seg["p_type"] == "PT_INTERP" for seg in elf.iter_segments()),
    )


def _attributes(section: Any) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for vendor in section.iter_subsections():
        for part in vendor.iter_subsubsections():
            for attribute in part.iter_attributes():
                if isinstance(attribute.value, str | int):
                    found[attribute.tag.removeprefix("TAG_")] = attribute.value
    return found


def _load_address(segments: list[tuple[int, int, int]], address: int, size: int) -> int:
    for virtual, length, physical in segments:
        if virtual <= address and address + size <= virtual + length:
            return int(physical + address - virtual)
    return address
