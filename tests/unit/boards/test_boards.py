"""Every board's file holds what it claims; its image fits, or one line says what is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from npubench.bench.flashing import flash_board
from npubench.bench.job import resolve_jobs
from npubench.boards import Board, board_ids, load_board, read_board
from npubench.build.baseline import build_baseline
from npubench.build.elf import NEVER_LOADED
from npubench.build.firmware import Firmware, build_firmware
from npubench.build.image import check_image, read_image
from npubench.compiler.backends import backend_names
from npubench.compiler.compiled import Compiled, compile_network, read_network
from npubench.connect.board import open_board
from npubench.core.errors import ConfigError, DeviceError, NpubenchError, ToolMissing
from npubench.core.paths import data_root
from npubench.core.progress import Silent
from npubench.core.tool import find_tool
from npubench.emulators.board_model.description import has_model, played
from npubench.emulators.host_process import user_emulator
from npubench.golden import golden_outputs

MODEL = "digits"
BOARDS = tuple(load_board(name) for name in board_ids())
PHYSICAL = tuple(board for board in BOARDS if board.kind == "physical")
BUILT = tuple(board for board in PHYSICAL if not board.status.missing)
BARE = tuple(board for board in BUILT if not board.hosted)
DESCRIBED = tuple(board for board in BOARDS if board.status.missing)
WANTED = {
    "max78000fthr", "max78000evkit", "max78002evkit", "nucleo-h7a3zi-q", "nucleo-l4r5zi",
    "frdm-mcxn947", "grove-vision-ai-v2", "stm32n6570-dk", "alif-e7-devkit", "pico2", "milkv-duo",
    "gapuino", "k210-maix", "esp32-s3-devkitc", "ek-ra8p1", "psoc-edge-e84", "apollo510-evb",
    "xg24-dk2601b", "lp-mspm0g5187", "nrf54lm20b", "mimxrt700-evk",
}  # fmt: skip


def each(boards: tuple[Board, ...]) -> pytest.MarkDecorator:
    """A test over boards, named by their ids."""
    return pytest.mark.parametrize("board", boards, ids=lambda board: board.id)


@pytest.fixture(autouse=True)
def _warnings_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPUBENCH_WERROR", "1")


def compiled(board: Board, backend: str = "cpu") -> Compiled:
    """The smallest network on a board."""
    (job,) = resolve_jobs([MODEL], [board.id], [backend])
    return compile_network(read_network(job.model), job.board, job.backend)


def build(board: Board, backend: str = "cpu") -> Firmware:
    """Its image; the test is skipped where the board's compiler is not installed."""
    try:
        find_tool(f"{board.toolchain.prefix}gcc", package=board.toolchain.package)
    except ToolMissing as error:
        pytest.skip(error.message)
    return build_firmware(compiled(board, backend).project, board, reporter=Silent(), job=board.id)


def test_the_boards_that_people_compare_are_there() -> None:
    assert set(board_ids()) >= WANTED


@each(PHYSICAL)
def test_a_board_says_where_its_facts_come_from(board: Board) -> None:
    assert board.sources
    assert board.status.unverified or board.status.missing
    assert len({fact.topic for fact in board.facts}) == len(board.facts) > 1
    assert board.power_notes


@each(PHYSICAL)
def test_a_board_can_be_flashed_by_a_named_tool(board: Board) -> None:
    assert board.flash is not None
    assert board.flash.tool
    assert board.flash.package
    for usb in (*board.console.usb, *board.flash.probe_usb):
        vendor, _, product = usb.partition(":")
        assert len(vendor) == len(product) == 4
        assert usb == usb.lower()
        assert int(vendor, 16)
        assert int(product, 16)


@each(BOARDS)
def test_a_default_backend_exists(board: Board) -> None:
    assert board.default_backend in backend_names()
    if board.npu is not None and board.npu.adapter is not None:
        assert board.npu.adapter in backend_names()
        assert board.npu.backend is None
    if board.npu is not None and board.npu.backend is None:
        assert board.npu.install, "who wants the NPU must be told what to install"


@each(BOARDS)
def test_a_family_exists_exactly_where_images_are_built(board: Board) -> None:
    """A family on a vendor's SDK exists, too, but its images are that SDK's."""
    family = data_root() / "firmware" / "hal" / board.hal
    if board.sdk is None:
        assert family.is_dir() != bool(board.status.missing)
    else:
        assert board.status.missing
        assert board.sdk.platform in board.status.missing[0]


@each(PHYSICAL)
def test_an_image_is_called_verified_where_something_runs_it(board: Board) -> None:
    """A model of the board, or for a program of Linux the emulator of its architecture (below)."""
    assert (board.status.cpu == "image-verified") == (has_model(board) or board.hosted)


@each(BOARDS)
def test_memory_regions_do_not_overlap(board: Board) -> None:
    regions = sorted(board.memory, key=lambda region: region.base)
    for low, high in pairwise(regions):
        assert low.base + low.size_bytes <= high.base, f"{low.name} reaches into {high.name}"
    names = [region.name for region in regions]
    assert len(set(names)) == len(names)


@each(BOARDS)
def test_pins_and_their_number_agree(board: Board) -> None:
    """``caps`` counts [markers], the harness NB_MARKERS: the two must not drift apart."""
    codes = 0 if board.markers is None else len(board.markers.codes)
    assert board.defines.get("NB_MARKERS", 0) == codes


@each(BUILT)
def test_an_image_is_built_and_passes_its_checks(board: Board) -> None:
    check_image(build(board).elf, board)
    if not board.hosted:
        empty = build_baseline(board, Silent())
        assert "nb_arena" not in read_image(empty.elf).symbols


@each(tuple(board for board in BUILT if board.default_backend == "ethos-u"))
def test_an_image_for_an_ethos_u_has_its_driver_and_its_memory(board: Board) -> None:
    """What the NPU reads and writes lies where it can reach it: never in a TCM of the core."""
    pytest.importorskip("ethosu.vela", reason="Vela is not installed")
    built = build(board, "ethos-u")
    check_image(built.elf, board)
    image = read_image(built.elf)
    assert "nb_npu_run" in image.symbols
    for name in (".nb_weights", ".nb_arena"):
        section = image.section(name)
        assert section is not None
        region = next(
            item
            for item in board.memory
            if item.base <= section.address < item.base + item.size_bytes
        )
        assert "tcm" not in region.name


@each(BARE)
def test_an_image_fits_with_room_to_spare(board: Board) -> None:
    """The smallest network leaves half of every memory that it uses, at least."""
    image = read_image(build(board).elf)
    for region in board.memory:
        used = sum(
            section.size_bytes
            for section in image.sections
            if region.base <= section.address < region.base + region.size_bytes
        )
        assert used <= region.size_bytes // 2, (
            f"{used} of {region.size_bytes} bytes in {region.name}"
        )


@each(BARE)
def test_code_is_not_much_larger_than_elsewhere(board: Board) -> None:
    """Harness, HAL and kernels of the smallest network, so that nobody's library has slipped in.
    The compiler's arithmetic is not counted: a core without FPU or divider needs it."""
    elf = build(board).elf
    code = sum(
        section.size_bytes
        for section in read_image(elf).sections
        if section.executable or section.name == ".rodata"
    )
    assert code - _arithmetic_bytes(elf) < 16 * 1024


def _arithmetic_bytes(elf: Path) -> int:
    """What libgcc put in: routines of the run-time ABI, by their names."""
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        sizes = {
            symbol["st_value"]: symbol["st_size"]
            for symbol in table.iter_symbols()
            if re.match(r"__(aeabi_|u?div|u?mod|mul|add|sub|fix|float)", symbol.name)
            and symbol["st_info"]["type"] == "STT_FUNC"
        }
    return sum(sizes.values())


@each(BARE)
def test_flashing_without_a_board_says_so_before_building(
    board: Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(board)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda *_, **__: [])
    (job,) = resolve_jobs([MODEL], [board.id], ["cpu"])
    with pytest.raises(DeviceError) as error:
        flash_board(job, port=None, probe_serial=None, reporter=Silent())
    assert error.value.exit_code == 4
    assert board.id in error.value.message
    assert "--port" in error.value.hint


def test_the_boot_rom_of_the_pico2_finds_its_block() -> None:
    words = read_image(build(load_board("pico2")).elf).vectors
    assert words is not None
    assert words[16:21] == (0xFFFFDED3, 0x10210142, 0x000001FF, 0, 0xAB123579)
    assert 21 * 4 <= 4096


def test_the_boot_rom_of_the_mcxn947_sees_a_plain_image() -> None:
    words = read_image(build(load_board("frdm-mcxn947")).elf).vectors
    assert words is not None
    assert [words[offset // 4] for offset in (0x20, 0x24, 0x28, 0x34)] == [0, 0, 0, 0]


def test_the_milkv_duo_answers_under_an_emulator() -> None:
    """Its very program, on the user-mode emulator of its architecture."""
    emulator = shutil.which("qemu-riscv64-static") or shutil.which("qemu-riscv64")
    if emulator is None:
        pytest.skip("no qemu-riscv64: install it: apt-get install qemu-user-static")
    board = load_board("milkv-duo")
    made = compiled(board)
    with open_board(
        played(board), build(board).elf, port=None, reporter=Silent(), job="test"
    ) as target:
        assert target.device.caps().board == board.id
        target.device.seed(1)
        answer = target.device.kat(tensors=True)
    golden = golden_outputs(made.network.data, 1, all_tensors=True)
    assert answer.output == golden.output_bytes
    assert {tensor.op: tensor.crc for tensor in answer.tensors} == golden.op_crcs


def test_without_the_emulator_of_its_architecture_its_package_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ToolMissing, match="qemu-riscv64") as error:
        user_emulator(load_board("milkv-duo"))
    assert "qemu-user-static" in error.value.hint
    assert user_emulator(load_board("native")) is None


@each(DESCRIBED)
def test_a_board_that_is_only_described_emits_its_project_and_says_what_is_missing(
    board: Board,
) -> None:
    project = compiled(board).project
    assert f"boards/{board.id}.json" in project.files
    family = (data_root() / "firmware" / "hal" / board.hal).is_dir()
    assert any(path.startswith(f"src/hal/{board.hal}/") for path in project.files) == family
    wanted = ToolMissing if board.status.cpu == "needs-vendor-tool" else ConfigError
    with pytest.raises(wanted) as error:
        build_firmware(project, board, reporter=Silent(), job=board.id)
    assert board.status.missing[0] in error.value.message
    assert "\n" not in error.value.message
    assert error.value.hint
    assert error.value.exit_code == (3 if wanted is ToolMissing else 2)


def test_a_project_for_a_vendors_sdk_is_one_of_that_platform() -> None:
    """PlatformIO reads it as its own: the vendor's platform, framework and name of the board."""
    for name, wanted in {
        "esp32-s3-devkitc": ("espressif32", "espidf", "esp32-s3-devkitc-1"),
        "gapuino": ("riscv_gap", "pulp-os", "gapuino"),
    }.items():
        files = compiled(load_board(name)).project.files
        settings = ConfigParser()
        settings.read_string(files["platformio.ini"].decode())
        section = settings[f"env:{name}"]
        assert tuple(section[key] for key in ("platform", "framework", "board")) == wanted
        assert "platforms_dir" not in settings["platformio"]
        assert not any(path.startswith("platform/") for path in files)
        assert f"--platform {wanted[0]}" in files["README.md"].decode()
        assert "apt-get" not in files["README.md"].decode()
    espidf = compiled(load_board("esp32-s3-devkitc")).project.files
    assert {"CMakeLists.txt", "sdkconfig.defaults", "src/CMakeLists.txt"} <= espidf.keys()
    placed = espidf["src/npubench.lf"].decode()
    for section in NEVER_LOADED:
        own = section in (".noinit", ".nb_stack")  # ESP-IDF's own section; an array of the HAL's
        assert (f"    {section}+\n" in placed) != own


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_family_on_esp_idf_agrees_with_its_declarations(tmp_path: Path) -> None:
    """Against a stand-in: ESP-IDF's functions as its reference declares them, no code behind."""
    files = compiled(load_board("esp32-s3-devkitc")).project.files
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    stand_in = Path(__file__).resolve().parents[2] / "support" / "espidf"
    for source in ("src/hal/esp32s3/hal.c", "src/hal/common/core.c", "src/harness/main.c"):
        subprocess.run(
            [
                "gcc", "-std=c11", "-fsyntax-only", "-U__unix__", "-Wall", "-Wextra",
                "-Wconversion", "-Wshadow", "-Werror", f"-I{stand_in}",
                "-Iinclude", "-Isrc/hal/common", "-Isrc/harness", source,
            ],
            cwd=tmp_path,
            check=True,
        )  # fmt: skip


def test_an_npu_without_its_tool_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Absent:
        name: str = "absent"

        def compile(self, *_: object) -> object:
            raise ToolMissing("vendorc is not installed", hint="install it: pip install vendorc")

    monkeypatch.setattr("npubench.compiler.compiled.configured_backend", lambda *_: Absent())
    (job,) = resolve_jobs([MODEL], ["max78000fthr"], ["cpu"])
    with pytest.raises(ToolMissing) as error:
        compile_network(read_network(job.model), job.board, "absent")
    assert "pip install vendorc" in error.value.hint
    assert "--backend cpu" in error.value.hint


@each(BOARDS)
def test_the_default_backend_compiles_or_says_in_one_line_what_to_do(board: Board) -> None:
    refusal: NpubenchError | None = None
    try:
        compiled(board, board.default_backend)
    except NpubenchError as error:
        refusal = error
    if refusal is not None:
        assert refusal.exit_code in (2, 3)
        assert "\n" not in refusal.message
        assert refusal.hint
    if isinstance(refusal, ToolMissing):
        assert "--backend cpu" in refusal.hint


def board_file(tmp_path: Path, name: str, *changes: tuple[str, str]) -> Path:
    """A copy of a board's file with changes, in a folder of its name."""
    folder = tmp_path / name
    folder.mkdir()
    text = (data_root() / "boards" / name / "board.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "board.toml").write_text(text, encoding="utf-8")
    return folder / "board.toml"


def test_hardware_verified_needs_its_proof(tmp_path: Path) -> None:
    claim = ('cpu = "image-verified"', 'cpu = "hardware-verified"')
    with pytest.raises(ConfigError, match=r"status\.proof"):
        read_board(board_file(tmp_path, "pico2", claim))
    proof = f'proof = {{ date = 2026-11-25, firmware_sha256 = "{"0" * 64}", by = "somebody" }}\n'
    (tmp_path / "proven").mkdir()
    board = read_board(
        board_file(
            tmp_path / "proven", "pico2", claim, ("unverified = [", proof + "unverified = [")
        )
    )
    assert board.status.proof is not None
    assert board.status.proof.by == "somebody"


def test_what_is_missing_cannot_be_verified(tmp_path: Path) -> None:
    change = ('cpu = "described"', 'cpu = "image-verified"')
    with pytest.raises(ConfigError, match="something is missing"):
        read_board(board_file(tmp_path, "ek-ra8p1", change))
