"""The memory account: every byte has one owner, and the sums are the ELF's own."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.build.baseline import build_baseline
from npubench.build.firmware import Firmware, build_firmware
from npubench.build.linkmap import Piece, read_map
from npubench.build.memory import Account, Owner, StaticMemory, account_memory, read_account
from npubench.compiler.plan import Arena
from npubench.core.errors import ToolError
from npubench.core.progress import Silent
from support.emitted import BIAS, WEIGHTS, make_board, make_plan, make_project, needs_arm

MAP = """\
Archive member included to satisfy reference by file (symbol)

Discarded input sections

 .text.gone     0x00000000       0x40 src/kernels/portable/gone.c.o

Memory Configuration

Name             Origin             Length             Attributes
flash            0x00000000         0x00040000         xr

Linker script and memory map

LOAD src/kernels/portable/a.c.o

.text           0x00000010       0x5c
 *(.text .text.*)
 .text.nb_a     0x00000010       0x20 src/kernels/portable/a.c.o
                0x00000010                nb_a
 .text.nb_a_rather_long_name
                0x00000030       0x10 src/kernels/portable/a.c.o
 *fill*         0x00000040        0x8
 .text          0x00000048       0x1c /usr/lib/libc.a(lib_a-memcpy.o)
 .text.empty    0x00000064        0x0 src/harness/b.c.o
 .text.stub     0x00000064        0x8 linker stubs

.a_very_long_output_section
                0x20000000        0x8 load address 0x00000070
 .data.x        0x20000000        0x8 src/harness/b.c.o
                0x20000008                _nb_data_end = .
"""


def test_a_map_is_read_to_the_byte() -> None:
    a, libc = "src/kernels/portable/a.c.o", "/usr/lib/libc.a(lib_a-memcpy.o)"

    def piece(output: str, name: str, size: int, file: str, fill: int = 0) -> Piece:
        return Piece(output=output, name=name, size_bytes=size, object_file=file, fill_bytes=fill)

    assert read_map(MAP) == (
        piece(".text", ".text.nb_a", 0x20, a),
        piece(".text", ".text.nb_a_rather_long_name", 0x10, a, 8),
        piece(".text", ".text", 0x1C, libc),
        piece(".text", ".text.stub", 8, "linker stubs"),
        piece(".a_very_long_output_section", ".data.x", 8, "src/harness/b.c.o"),
    )


def test_what_is_no_map_has_no_pieces() -> None:
    assert read_map("") == read_map("anything\n.text 0x0 0x10\n") == ()


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NPUBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return build_firmware(make_project(), make_board(), reporter=Silent(), job="test")


@pytest.fixture(scope="module")
def account(firmware: Firmware) -> Account:
    return read_account(firmware.elf, firmware.map, make_board())


def section_sizes(elf: Path) -> dict[str, tuple[int, int]]:
    """Name to (size, address), as binutils says."""
    lines = subprocess.run(
        ["arm-none-eabi-size", "-A", "-d", str(elf)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    rows = [line.split() for line in lines if line.startswith(".")]
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}


HELD = (".vectors", ".text", ".rodata", ".nb_weights", ".data")
WRITTEN = (".data", ".bss", ".nb_output", ".nb_fixture", ".nb_arena", ".noinit", ".nb_stack")


@needs_arm
def test_owners_sum_to_the_sections(firmware: Firmware, account: Account) -> None:
    sizes = section_sizes(firmware.elf)
    assert sum(account.flash.values()) == sum(sizes.get(name, (0, 0))[0] for name in HELD)
    assert sum(account.ram.values()) == sum(sizes.get(name, (0, 0))[0] for name in WRITTEN)


@needs_arm
def test_the_image_file_is_as_long_as_the_flash_account(
    firmware: Firmware, account: Account
) -> None:
    """A flat image adds the gaps between sections, less than one alignment each."""
    binary = firmware.elf.with_suffix(".bin").stat().st_size
    assert 0 <= binary - sum(account.flash.values()) < 16 * len(HELD)


@needs_arm
def test_each_owner_has_what_is_its_own(account: Account) -> None:
    weights = account.flash[Owner.WEIGHTS]
    params = 4 * (8 + 5)
    assert weights == len(WEIGHTS) + len(BIAS) + params
    assert account.ram[Owner.ARENA] == 48
    assert account.ram[Owner.STACK] == 2048
    assert account.ram[Owner.OUTPUT] == 12
    assert 8 <= account.ram[Owner.FIXTURE] < 8 + 16
    assert account.flash[Owner.KERNELS] > 200
    assert set(account.flash) == {Owner.WEIGHTS, Owner.KERNELS, Owner.HARNESS}


@needs_arm
def test_initialised_data_counts_in_both_memories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: Account
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path))
    project = make_project()
    path = "src/model/nb_model.c"
    files = dict(project.files)
    files[path] = files[path].replace(
        b"NB_GLUE int32_t nb_model_init(void)\n{",
        b"extern volatile uint8_t nb_extra[100];\nvolatile uint8_t nb_extra[100] = {1};\n"
        b"NB_GLUE int32_t nb_model_init(void)\n{\n    nb_extra[0] = 2;",
    )
    built = build_firmware(
        dataclasses.replace(project, files=files, sha256="1" * 64),
        make_board(),
        reporter=Silent(),
        job="test",
    )
    more = read_account(built.elf, built.map, make_board())
    assert more.ram[Owner.KERNELS] - account.ram.get(Owner.KERNELS, 0) >= 100
    assert more.flash[Owner.KERNELS] - account.flash[Owner.KERNELS] >= 100


@needs_arm
def test_regions_hold_everything_that_lies_there(account: Account) -> None:
    assert account.regions == {
        "flash": sum(account.flash.values()),
        "ram": sum(account.ram.values()),
    }


@needs_arm
def test_gross_figures_leave_out_fixture_and_stack(firmware: Firmware) -> None:
    memory = account_memory(firmware, make_board(), make_plan(), baseline=None)
    assert memory.ram_bytes == (
        memory.arena_bytes + memory.scratch_bytes + memory.harness_ram_bytes + memory.data_bytes
    )
    assert memory.flash_bytes == (
        memory.weights_bytes
        + memory.kernels_bytes
        + memory.npu_driver_bytes
        + memory.harness_flash_bytes
    )
    assert memory.regions["ram"] == (
        memory.ram_bytes + memory.fixture_bytes + memory.stack_region_bytes
    )
    assert memory.baseline_flash_bytes is None


@needs_arm
def test_the_harness_stays_in_its_budget(firmware: Firmware) -> None:
    memory = account_memory(firmware, make_board(), make_plan(), baseline=None)
    assert memory.harness_flash_bytes <= 8 * 1024
    assert memory.harness_ram_bytes <= 1536


@needs_arm
def test_the_empty_firmware_is_smaller_than_the_harness(
    firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path))
    empty = build_baseline(make_board(), Silent())
    memory = account_memory(firmware, make_board(), make_plan(), baseline=empty)
    assert memory.baseline_flash_bytes is not None
    assert memory.baseline_ram_bytes is not None
    assert 64 <= memory.baseline_flash_bytes < memory.harness_flash_bytes
    assert memory.baseline_ram_bytes <= memory.harness_ram_bytes


@needs_arm
def test_an_arena_smaller_than_planned_is_refused(firmware: Firmware) -> None:
    plan = dataclasses.replace(make_plan(), arena=Arena(size_bytes=4096, places=()))
    with pytest.raises(ToolError, match="arena has 48 bytes"):
        account_memory(firmware, make_board(), plan, baseline=None)


def test_a_host_process_is_accounted_by_the_same_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path))
    board = load_board("native")
    built = build_firmware(make_project(board), board, reporter=Silent(), job="test")
    memory: StaticMemory = account_memory(built, board, make_plan(), baseline=None)
    assert memory.arena_bytes == 48
    assert memory.weights_bytes >= len(WEIGHTS) + len(BIAS) + 4 * (8 + 5)
    assert 200 < memory.kernels_bytes < memory.flash_bytes
    assert memory.data_bytes == 12
