"""The boards with a modelled NPU: variants differ in nothing but their accelerator."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from npubench.bench.npu_time import clocks_of
from npubench.boards import Board, board_ids, load_board
from npubench.compiler.backends.ethos_u import memory_system_of, settings_of
from npubench.core.errors import ConfigError
from npubench.core.paths import data_root
from npubench.emulators.virtual_npu import configuration_of
from npubench.npu.ethosu.config import accelerator
from npubench.npu.ethosu.memory_system import read_memory_system

BASE = load_board("qemu-m55-u55")
VARIANTS = tuple(load_board(name) for name in board_ids() if name.startswith("qemu-m55-u55-"))


@pytest.mark.parametrize("board", VARIANTS, ids=lambda board: board.id)
def test_a_variant_is_the_board_with_another_accelerator(board: Board) -> None:
    assert board.npu is not None
    assert BASE.npu is not None
    kind = board.id.removeprefix("qemu-m55-u55-")
    assert board.npu.config["accelerator"] == f"ethos-u55-{kind}"
    assert accelerator(f"ethos-u55-{kind}").macs == int(kind)
    config = {**board.npu.config, "accelerator": BASE.npu.config["accelerator"]}
    npu = board.npu.model_copy(update={"name": BASE.npu.name, "config": config})
    same = {"id": BASE.id, "name": BASE.name, "npu": npu, "part_power": BASE.part_power}
    assert board.model_copy(update=same) == BASE


def test_there_is_a_board_for_every_accelerator() -> None:
    assert len(VARIANTS) == 3


def test_cpu_and_npu_run_at_the_clocks_of_the_files() -> None:
    """Time is made of both clocks: they must be those of the machine and of vela.ini."""
    settings = settings_of(BASE)
    npu_hz = memory_system_of(settings).clock_hz
    clocks = clocks_of(BASE, {"details": {"npu_hz": npu_hz}})
    assert clocks is not None
    assert clocks.cpu_hz == clocks.npu_hz == 32_000_000
    low, high = clocks.us(32, 32)
    assert low == pytest.approx(1 * 1.2 + 1)
    assert high == pytest.approx(1 * 1.8 + 1)


def test_a_board_without_a_model_has_no_modelled_time() -> None:
    assert clocks_of(load_board("qemu-m55"), {}) is None


def test_a_modelled_npu_needs_the_cpus_range() -> None:
    board = BASE.model_copy(update={"cpu": BASE.cpu.model_copy(update={"cpi_low": None})})
    with pytest.raises(ConfigError, match="cpi_low"):
        clocks_of(board, {})


def test_registers_and_arena_do_not_meet() -> None:
    configuration = configuration_of(BASE, memory_fd=0)
    reach = configuration.memory_base + configuration.window_bytes
    assert configuration.registers >= reach
    assert configuration.registers % 0x1000 == 0
    for role in ("weights", "arena"):
        region = BASE.region(role)
        assert configuration.memory_base <= region.base
        assert region.base + region.size_bytes <= reach


@pytest.mark.parametrize("key", ["accelerator", "registers", "config_file"])
def test_a_board_that_says_too_little_of_its_npu_is_refused(key: str) -> None:
    assert BASE.npu is not None
    config = {name: value for name, value in BASE.npu.config.items() if name != key}
    board = BASE.model_copy(update={"npu": BASE.npu.model_copy(update={"config": config})})
    with pytest.raises(ConfigError, match=key):
        configuration_of(board, memory_fd=0)


def test_a_board_without_an_npu_cannot_compile_for_one() -> None:
    with pytest.raises(ConfigError, match="has no Ethos-U"):
        settings_of(load_board("qemu-m4"))


@pytest.mark.parametrize("macs", [256, 512])
def test_a_u65_has_wide_ports_and_dram(macs: int) -> None:
    board = load_board(f"qemu-m55-u65-{macs}")
    settings = settings_of(board)
    part = accelerator(settings.accelerator)
    system = memory_system_of(settings)
    assert (part.macs, part.product, part.cores) == (macs, 1, macs // 256)
    assert (system.axi_bytes, system.ports[1].name) == (16, "Dram")
    assert system.region_port(1) != system.region_port(2)
    assert configuration_of(board, memory_fd=3).accelerator == f"ethos-u65-{macs}"


def test_an_arena_in_flash_is_refused_with_a_system_that_has_ram_there() -> None:
    path = data_root() / "boards" / "qemu-m55-u55" / "vela.ini"
    with pytest.raises(ConfigError, match="nothing can be written there") as error:
        read_memory_system(path, system_config="Mps3_U55", memory_mode="Dedicated_Sram")
    _, _, named = error.value.hint.partition("ethos-u.system_config=")
    read_memory_system(path, system_config=named, memory_mode="Dedicated_Sram")


@pytest.mark.parametrize(
    ("system", "mode"), [("Mps3_U55", "Shared_Ram"), ("Mps4_U55", "Shared_Sram")]
)
def test_a_section_that_is_not_there_is_named_with_those_that_are(system: str, mode: str) -> None:
    path = data_root() / "boards" / "qemu-m55-u55" / "vela.ini"
    with pytest.raises(ConfigError, match=r"qemu-m55-u55/vela\.ini has no ") as error:
        read_memory_system(path, system_config=system, memory_mode=mode)
    assert ("Mps3_U55_Dram" if system == "Mps4_U55" else "Sram_Only") in error.value.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[Other]\na=1\n", "has no system configuration", r"no section \[System_Config.NAME\]"),
        ("plain words\n", "line 1 stands in no section", "it needs"),
        ("[System_Config.A]\n[Memory_Mode.B]\n", "has no entry 'axi0_port'", "default of Vela's"),
        ("[System_Config.A]\n[System_Config.A]\n", "already exists", "compare"),
    ],
)
def test_a_file_of_the_users_that_is_none_is_answered_in_words(
    text: str, message: str, hint: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.ini"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        read_memory_system(path, system_config="A", memory_mode="B")
    assert re.search(hint, error.value.hint)
    assert "\n" not in error.value.message


@pytest.mark.parametrize("macs", [256, 512])
def test_a_u65_board_is_the_base_with_another_npu(macs: int) -> None:
    board = load_board(f"qemu-m55-u65-{macs}")
    assert board.npu is not None
    assert BASE.npu is not None
    other = {"accelerator", "config_file", "system_config", "memory_mode"}
    assert {k for k, v in board.npu.config.items() if v != BASE.npu.config[k]} == other
    npu = board.npu.model_copy(update={"name": BASE.npu.name, "config": BASE.npu.config})
    same = {"id": BASE.id, "name": BASE.name, "npu": npu, "part_power": BASE.part_power}
    kept = board.model_copy(update={**same, "sources": BASE.sources})
    assert kept == BASE
