"""The checks that an image must pass before it reaches a board."""

from __future__ import annotations

import re
from pathlib import Path

from npubench.boards import Board
from npubench.build.elf import Image, Section, read_image
from npubench.core.errors import ToolError

__all__ = ["Image", "Section", "check_image", "read_image"]

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
_ARM, _RISCV = "EM_ARM", "EM_RISCV"
_MACHINES = {"arm-": _ARM, "riscv": _RISCV, "xtensa": "EM_XTENSA"}
# The system exceptions of Armv7-M and Armv8-M; the rest of the first 16 words is reserved.
_EXCEPTIONS = (2, 3, 4, 5, 6, 7, 11, 12, 14, 15)
_RESERVED = (8, 9, 10, 13)
_VECTORS_ALIGN = 128
# Tag_CPU_arch by -mcpu (Arm's addenda to the ABI, "Build attributes").
_ARCHITECTURES = {
    "cortex-m0plus": 12,
    "cortex-m4": 13,
    "cortex-m7": 13,
    "cortex-m33": 17,
    "cortex-m55": 21,
    "cortex-m85": 21,
}
# C++ functions of several homes, and what the run-time library does for a division by zero.
_ENGINE_WEAK = ("_Z", "__aeabi_idiv0", "__aeabi_ldiv0")
_SOFT_FLOAT = (
    "__aeabi_f",
    "__aeabi_i2f",
    "__aeabi_ui2f",
    "__aeabi_l2f",
    "__aeabi_ul2f",
    "__aeabi_d",
    "__aeabi_i2d",
    "__aeabi_ui2d",
    "__aeabi_l2d",
    "__aeabi_ul2d",
    "__aeabi_cf",
    "__aeabi_cd",
)

# RISC-V ELF psABI: e_flags' float ABI, by the letter that closes -mabi; libgcc's float routines.
_RISCV_FLOAT_ABI = 0x6
_RISCV_ABIS = {"f": 0x2, "d": 0x4}
_RISCV_SOFT_FLOAT = re.compile(
    r"__(?:add|sub|mul|div|neg|eq|ne|lt|le|gt|ge|unord|extend|trunc|fix|float)\w*[sd]f\w*"
)


def check_image(elf: Path, board: Board, *, engine: bool = False) -> None:
    """Raise ToolError when an image is not what a board can run.

    Under an operating system: another architecture, or the need of a dynamic loader. Bare metal:
    heap or printf, a symbol left open or optional, a section outside the board's memory, a stack
    that is not the one of board.toml, a vector table (on RISC-V the entry and the trap handler)
    that is not where the core looks for it or whose entries are no code, floating point for another
    unit than the board has. A process of this computer is not checked.

    ``engine``: a user's own engine is in it, whose C++ has functions of several homes (weak), and
    whose set-up may compute in software what the unit for floats lacks.
    """
    if board.kind == "host":
        return
    image = read_image(elf)
    _check_machine(image, board)
    if board.hosted:
        if image.interpreter:
            raise ToolError(
                f"the program for {board.id} wants a dynamic loader that the board may not have",
                hint="link it statically: toolchain.link in the board's file",
            )
        return
    _check_symbols(image, board, engine=engine)
    _check_places(image, board)
    if image.machine == _ARM:
        _check_vectors(image, board)
        _check_floats(image, board, engine=engine)
    elif image.machine == _RISCV:
        _check_entry(image, board)
        _check_riscv_floats(image, board, engine=engine)
    _check_stack(image, board)


def _check_machine(image: Image, board: Board) -> None:
    prefix = board.toolchain.prefix
    wanted = next((name for start, name in _MACHINES.items() if prefix.startswith(start)), None)
    if wanted is not None and image.machine != wanted:
        raise ToolError(f"the image for {board.id} is for {image.machine}, not {wanted}")


def _check_symbols(image: Image, board: Board, *, engine: bool) -> None:
    found = sorted(FORBIDDEN & image.symbols.keys())
    if found:
        raise ToolError(
            f"the firmware for {board.id} links {', '.join(found)}",
            hint="firmware may neither allocate nor print formatted text",
        )
    weak = [name for name in image.weak if not (engine and name.startswith(_ENGINE_WEAK))]
    for what, names in (("undefined", image.undefined), ("weak", weak)):
        if names:
            raise ToolError(
                f"the firmware for {board.id} has {what} symbols: {', '.join(names)}",
                hint="everything is bound at link time, by one strong definition",
            )


def _check_places(image: Image, board: Board) -> None:
    for section in image.sections:
        for address in (section.address, section.load_address):
            if address is not None and not _inside(board, address, section.size_bytes):
                raise ToolError(
                    f"section {section.name} at 0x{address:08X} ({section.size_bytes} bytes) lies "
                    f"outside the memory of {board.id}",
                    hint="see [[memory]] in the board's file",
                )


def _check_vectors(image: Image, board: Board) -> None:
    section = image.section(".vectors")
    if image.vectors is None or section is None:
        raise ToolError(f"the firmware for {board.id} has no vector table in section .vectors")
    stack, reset, *_ = image.vectors
    expected = (
        board.region("code").base,
        image.symbols.get("_nb_stack_top"),
        image.symbols.get("nb_reset_handler"),
    )
    if (section.address, stack, reset) != expected:
        shown = [
            ", ".join("none" if word is None else f"0x{word:08X}" for word in words)
            for words in ((section.address, stack, reset), expected)
        ]
        raise ToolError(
            f"the vector table of {board.id} (place, stack, reset) is {shown[0]}, not {shown[1]}"
        )
    if section.address % _VECTORS_ALIGN:
        raise ToolError(
            f"the vector table of {board.id} at 0x{section.address:08X} is not aligned to "
            f"{_VECTORS_ALIGN} bytes: the core would read another"
        )
    if image.entry != reset:
        raise ToolError(f"the entry of {board.id} is 0x{image.entry:08X}, not its reset handler")
    words = dict(enumerate(image.vectors))
    for index in (1, *_EXCEPTIONS):
        word = words.get(index, 0)
        if word % 2 == 0 or not _is_code(image, word - 1):
            raise ToolError(
                f"vector {index} of {board.id} is 0x{word:08X}, which is no address of Thumb code"
            )
    for index in _RESERVED:
        if words.get(index, 0) != 0:
            raise ToolError(
                f"vector {index} of {board.id} is 0x{words[index]:08X}; reserved, it must be 0"
            )


def _check_entry(image: Image, board: Board) -> None:
    """A boot ROM jumps to the first instruction; mtvec holds addresses of whole words."""
    code = board.region("code").base
    reset, trap = (image.symbols.get(name) for name in ("nb_reset_handler", "nb_trap_entry"))
    if not code == image.entry == reset or not _is_code(image, code):
        raise ToolError(
            f"the entry of {board.id} is 0x{image.entry:08X}; the core starts at 0x{code:08X}, "
            "where nb_reset_handler must be"
        )
    if trap is None or trap % 4 or not _is_code(image, trap):
        shown = "missing" if trap is None else f"0x{trap:08X}"
        raise ToolError(f"the trap handler of {board.id} is {shown}: no place that mtvec can hold")


def _check_riscv_floats(image: Image, board: Board, *, engine: bool) -> None:
    abi = next((flag[6:] for flag in board.cpu.flags if flag.startswith("-mabi=")), "")
    wanted = _RISCV_ABIS.get(abi[-1:], 0)
    if image.flags & _RISCV_FLOAT_ABI != wanted:
        raise ToolError(
            f"the image for {board.id} passes floats otherwise than -mabi={abi} says",
            hint="an object was compiled with other flags than cpu.flags of the board's file",
        )
    soft = sorted(name for name in image.symbols if _RISCV_SOFT_FLOAT.fullmatch(name))
    if wanted and soft and not engine:
        raise ToolError(
            f"the firmware for {board.id} computes floats in software: {', '.join(soft[:5])}",
            hint="a float operation that the unit lacks",
        )


def _is_code(image: Image, address: int) -> bool:
    return any(
        section.executable and section.address <= address < section.address + section.size_bytes
        for section in image.sections
    )


def _check_stack(image: Image, board: Board) -> None:
    limit, top = (image.symbols.get(name) for name in ("_nb_stack_limit", "_nb_stack_top"))
    region = board.region("ram")
    end = region.base + region.size_bytes
    if limit is None or top is None or top - limit != board.stack_bytes or top != end or top % 8:
        shown = [f"0x{word:08X}" if word is not None else "none" for word in (limit, top)]
        raise ToolError(
            f"the stack of {board.id} is {shown[0]} to {shown[1]}, not the last "
            f"{board.stack_bytes} bytes of {region.name}"
        )


def _check_floats(image: Image, board: Board, *, engine: bool) -> None:
    """The architecture and the float ABI of the build attributes are those of the board's flags,
    and a board with a unit for floats calls no routine that stands in for one."""
    cpu = next((flag[6:] for flag in board.cpu.flags if flag.startswith("-mcpu=")), "")
    wanted = _ARCHITECTURES.get(cpu.partition("+")[0])
    found = image.attributes.get("CPU_ARCH")
    if wanted is not None and found != wanted:
        raise ToolError(
            f"the image for {board.id} is for Arm architecture {found}, not {wanted} ({cpu})"
        )
    hard = "-mfloat-abi=hard" in board.cpu.flags
    if hard != (image.attributes.get("ABI_VFP_ARGS", 0) == 1):
        raise ToolError(
            f"the image for {board.id} passes floats {'in core' if hard else 'in float'} registers",
            hint="an object was compiled with other flags than cpu.flags of the board's file",
        )
    soft = sorted(name for name in image.symbols if name.startswith(_SOFT_FLOAT))
    if hard and soft and not engine:
        raise ToolError(
            f"the firmware for {board.id} computes floats in software: {', '.join(soft[:5])}",
            hint="a double, or a float operation that the unit lacks",
        )


def _inside(board: Board, address: int, size: int) -> bool:
    return any(
        region.base <= address and address + size <= region.base + region.size_bytes
        for region in board.memory
    )
