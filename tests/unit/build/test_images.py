"""An image that its board could not run is refused, each time with the reason."""

from __future__ import annotations

import shutil
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from npubench.boards import Board, load_board
from npubench.build import image as image_module
from npubench.build.compiler import find_compiler
from npubench.build.elf import Image, read_image
from npubench.build.firmware import build_firmware
from npubench.build.image import check_image
from npubench.core.errors import ToolError, ToolMissing
from npubench.core.progress import Silent
from support.emitted import make_board, make_project
from support.needs import need_compiler

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
)


@pytest.fixture(scope="module")
def board() -> Board:
    """A small Cortex-M4."""
    return make_board()


@pytest.fixture(scope="module")
def elf(board: Board) -> Path:
    """Its good image."""
    return build_firmware(make_project(board), board, reporter=Silent(), job="test").elf


@pytest.fixture(scope="module")
def good(elf: Path) -> Image:
    """What that image holds."""
    return read_image(elf)


def refuse(
    monkeypatch: pytest.MonkeyPatch, board: Board, image: Image, reason: str, **changes: Any
) -> None:
    """The image, with changes, is refused for a reason."""
    monkeypatch.setattr(image_module, "read_image", lambda _: replace(image, **changes))
    with pytest.raises(ToolError, match=reason):
        check_image(Path("firmware.elf"), board)


def vector(image: Image, index: int, word: int) -> tuple[int, ...]:
    """The vector table with one other word."""
    assert image.vectors is not None
    words = list(image.vectors)
    words[index] = word
    return tuple(words)


def test_a_good_image_passes(elf: Path, board: Board, good: Image) -> None:
    check_image(elf, board)
    assert not good.weak
    assert not good.undefined
    assert good.attributes["ABI_VFP_ARGS"] == 1


def test_a_reset_vector_without_the_thumb_bit_is_refused(
    monkeypatch: pytest.MonkeyPatch, board: Board, good: Image
) -> None:
    assert good.vectors is not None
    reset = good.vectors[1] - 1
    symbols = {**good.symbols, "nb_reset_handler": reset}
    refuse(
        monkeypatch, board, good, "no address of Thumb code",
        vectors=vector(good, 1, reset), symbols=symbols, entry=reset,
    )  # fmt: skip


@pytest.mark.parametrize("index", [2, 3, 6, 11, 15])
def test_an_exception_that_leads_nowhere_is_refused(
    monkeypatch: pytest.MonkeyPatch, board: Board, good: Image, index: int
) -> None:
    for word in (0, 0x60000001):
        refuse(
            monkeypatch, board, good, f"vector {index} .* no address of Thumb code",
            vectors=vector(good, index, word),
        )  # fmt: skip


@pytest.mark.parametrize("index", [8, 9, 10, 13])
def test_a_reserved_vector_is_refused(
    monkeypatch: pytest.MonkeyPatch, board: Board, good: Image, index: int
) -> None:
    assert good.vectors is not None
    refuse(
        monkeypatch, board, good, f"vector {index} .* reserved",
        vectors=vector(good, index, good.vectors[3]),
    )  # fmt: skip


def test_a_short_vector_table_is_refused(
    monkeypatch: pytest.MonkeyPatch, board: Board, good: Image
) -> None:
    assert good.vectors is not None
    refuse(monkeypatch, board, good, "vector 11", vectors=good.vectors[:8])
    refuse(monkeypatch, board, good, "no vector table", vectors=None)


def test_another_entry_than_reset_is_refused(
    monkeypatch: pytest.MonkeyPatch, board: Board, good: Image
) -> None:
    refuse(monkeypatch, board, good, "not its reset handler", entry=good.entry + 4)


@pytest.mark.parametrize("name", ["_nb_stack_limit", "_nb_stack_top"])
def test_a_stack_of_another_size_is_refused(
    monkeypatch: pytest.MonkeyPatch, board: Board, good: Image, name: str
) -> None:
    symbols = {**good.symbols, name: good.symbols[name] - 8}
    refuse(
        monkeypatch, board, good, "the stack of|vector table", symbols=symbols,
    )  # fmt: skip
    del symbols[name]
    refuse(monkeypatch, board, good, "the stack of|vector table", symbols=symbols)


@pytest.mark.parametrize("kind", ["weak", "undefined"])
def test_open_symbols_are_refused(
    monkeypatch: pytest.MonkeyPatch, board: Board, good: Image, kind: str
) -> None:
    refuse(monkeypatch, board, good, f"{kind} symbols: nb_hook", **{kind: ("nb_hook",)})


@pytest.mark.parametrize("name", ["malloc", "printf", "_sbrk"])
def test_heap_and_printf_are_refused(
    monkeypatch: pytest.MonkeyPatch, board: Board, good: Image, name: str
) -> None:
    symbols = {**good.symbols, name: good.symbols["nb_main"]}
    refuse(monkeypatch, board, good, f"links {name}", symbols=symbols)


@pytest.mark.parametrize("name", ["__aeabi_dmul", "__aeabi_fadd", "__aeabi_ui2d"])
def test_floats_in_software_are_refused_where_there_is_a_unit(
    monkeypatch: pytest.MonkeyPatch, board: Board, good: Image, name: str
) -> None:
    symbols = {**good.symbols, name: good.symbols["nb_main"]}
    refuse(monkeypatch, board, good, f"floats in software: {name}", symbols=symbols)


def test_another_float_abi_or_core_is_refused(
    monkeypatch: pytest.MonkeyPatch, board: Board, good: Image
) -> None:
    refuse(
        monkeypatch, board, good, "passes floats",
        attributes={**good.attributes, "ABI_VFP_ARGS": 0},
    )  # fmt: skip
    refuse(
        monkeypatch, board, good, "for Arm architecture 17",
        attributes={**good.attributes, "CPU_ARCH": 17},
    )  # fmt: skip
    refuse(monkeypatch, board, good, "is for EM_RISCV", machine="EM_RISCV")


def test_a_program_that_wants_a_loader_is_refused(
    monkeypatch: pytest.MonkeyPatch, good: Image
) -> None:
    linux = load_board("milkv-duo")
    program = replace(good, machine="EM_RISCV", interpreter=True)
    refuse(monkeypatch, linux, program, "dynamic loader")
    monkeypatch.setattr(image_module, "read_image", lambda _: replace(program, interpreter=False))
    check_image(Path("firmware.elf"), linux)


def test_a_changed_word_in_the_file_is_seen(elf: Path, board: Board, tmp_path: Path) -> None:
    """The checks read the file itself: flip the Thumb bit of HardFault's vector in it."""
    from elftools.elf.elffile import ELFFile

    data = bytearray(elf.read_bytes())
    with elf.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".vectors")
        place = section["sh_offset"] + 4 * 3
    (word,) = struct.unpack_from("<I", data, place)
    struct.pack_into("<I", data, place, word & ~1)
    (tmp_path / "bad.elf").write_bytes(data)
    with pytest.raises(ToolError, match="vector 3"):
        check_image(tmp_path / "bad.elf", board)


@pytest.fixture(scope="module")
def riscv() -> tuple[Board, Path]:
    """A RISC-V board and its good image."""
    need_compiler("k210-maix")
    board = load_board("k210-maix")
    project = make_project(board)
    return board, build_firmware(project, board, reporter=Silent(), job="test").elf


def test_a_good_riscv_image_passes(riscv: tuple[Board, Path]) -> None:
    board, elf = riscv
    check_image(elf, board)
    image = read_image(elf)
    assert image.entry == image.symbols["nb_reset_handler"] == board.region("code").base
    assert image.flags & 0x6 == 0x4, "double-float ABI"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nb_reset_handler", "where nb_reset_handler must be"),
        ("nb_trap_entry", "no place that mtvec can hold"),
    ],
)
def test_a_riscv_core_that_starts_or_traps_elsewhere_is_refused(
    monkeypatch: pytest.MonkeyPatch, riscv: tuple[Board, Path], name: str, reason: str
) -> None:
    board, elf = riscv
    image = read_image(elf)
    moved = {**image.symbols, name: image.symbols[name] + 2}
    refuse(monkeypatch, board, image, reason, symbols=moved)
    del moved[name]
    refuse(monkeypatch, board, image, reason, symbols=moved)


@pytest.mark.parametrize("name", ["__muldf3", "__addsf3", "__floatsisf", "__fixunsdfdi"])
def test_riscv_floats_are_those_of_the_unit(
    monkeypatch: pytest.MonkeyPatch, riscv: tuple[Board, Path], name: str
) -> None:
    board, elf = riscv
    image = read_image(elf)
    symbols = {**image.symbols, name: image.entry}
    refuse(monkeypatch, board, image, f"floats in software: {name}", symbols=symbols)
    refuse(monkeypatch, board, image, "-mabi=lp64d", flags=0x1)


def test_a_library_by_specs_is_looked_for_by_them(riscv: tuple[Board, Path]) -> None:
    """Debian's RISC-V compiler has no libc.a of its own: picolibc comes by its specs."""
    board, _ = riscv
    find_compiler(board)
    flags = (*(f for f in board.cpu.flags if "specs" not in f), "-specs=nowhere.specs")
    without = board.model_copy(update={"cpu": board.cpu.model_copy(update={"flags": flags})})
    with pytest.raises(ToolMissing, match="no C library") as error:
        find_compiler(without)
    assert "picolibc-riscv64-unknown-elf" in error.value.hint
