"""Builds: the same image anywhere, nothing built twice, and each failure said as what it is."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from npubench.boards import Board, board_ids, load_board
from npubench.build import compiler as compiler_module
from npubench.build import firmware as firmware_module
from npubench.build.baseline import build_baseline
from npubench.build.firmware import Firmware, build_firmware
from npubench.build.image import check_image, read_image
from npubench.build.platformio import core_dir, run_platformio, tool_versions
from npubench.compiler.emit.project import Project, content_sha256, write_project
from npubench.core.errors import DoesNotFit, StorageError, ToolError, ToolMissing
from npubench.core.progress import Silent
from npubench.core.tool import ToolResult
from support.emitted import IDENTITY, make_board, make_project, needs_arm

pytestmark = needs_arm
ALIGNMENT_BYTES = (
    64  # the linker's figure leaves out gaps between sections that it no longer placed
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(cache))
    monkeypatch.setenv("NPUBENCH_WERROR", "1")


def build(project: Project, board: Board | None = None) -> Firmware:
    return build_firmware(project, board or make_board(), reporter=Silent(), job="test")


def changed(project: Project, path: str, old: str, new: str) -> Project:
    text = project.files[path].decode()
    assert old in text
    files = project.files | {path: text.replace(old, new).encode()}
    return Project(files=files, sha256=content_sha256(files))


def renamed(name: str) -> Project:
    return make_project(identity=dataclasses.replace(IDENTITY, model_id=name))


# Physical boards: test_boards.py.
@pytest.mark.parametrize("name", [n for n in board_ids() if load_board(n).kind != "physical"])
def test_every_board_builds_without_a_warning(name: str) -> None:
    board = load_board(name)
    built = build(make_project(board), board)
    assert built.elf.read_bytes()[:4] == b"\x7fELF"
    check_image(built.elf, board)


@pytest.mark.parametrize("name", [n for n in board_ids() if load_board(n).kind == "emulated"])
def test_every_boards_empty_firmware_builds(name: str) -> None:
    built = build_baseline(load_board(name), Silent())
    assert "nb_arena" not in read_image(built.elf).symbols


def test_second_build_of_a_project_calls_no_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(make_project())

    def never(*_: object, **__: object) -> ToolResult:
        raise AssertionError("PlatformIO was called")

    monkeypatch.setattr(firmware_module, "run_platformio", never)
    second = build(make_project())
    assert second.cached
    assert second == dataclasses.replace(first, cached=True)
    assert set(second.tools) == {"platformio", "scons", "arm-none-eabi-gcc"}


def test_a_damaged_image_is_built_again() -> None:
    first = build(renamed("damaged"))
    assert not first.cached
    first.elf.write_bytes(first.elf.read_bytes()[:-1])
    second = build(renamed("damaged"))
    assert not second.cached
    assert second.elf_sha256 == first.elf_sha256


def plain_run(folder: Path, core: Path, *words: str) -> str:
    """`pio run` as a user types it: nothing of ours in the environment."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NPUBENCH")}
    env |= {"PLATFORMIO_CORE_DIR": str(core), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    return subprocess.run(
        [sys.executable, "-m", "platformio", "run", *words],
        cwd=folder,
        env=env,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_an_image_is_equal_wherever_the_project_lies(tmp_path: Path) -> None:
    ours = build(make_project()).elf.read_bytes()
    place = tmp_path / "a place with spaces" / "deep"
    write_project(make_project(), place)
    plain_run(place, core_dir())
    output = place / ".pio" / "build" / "test-m4"
    assert (output / "firmware.elf").read_bytes() == ours
    assert str(tmp_path).encode() not in ours
    assert (output / "firmware.map").is_file()
    assert (output / "firmware.bin").stat().st_size > 0
    assert (output / "firmware.hex").read_text().startswith(":")


def test_two_projects_of_one_core_folder_use_their_own_platform(tmp_path: Path) -> None:
    core = tmp_path / "core"
    shutil.copytree(core_dir(), core)
    for name in ("one", "two"):
        folder = tmp_path / name
        write_project(make_project(), folder)
        script = folder / "platform" / "builder" / "main.py"
        script.write_text(f"{script.read_text()}\nprint('platform of {name}')\n")
        assert f"platform of {name}" in plain_run(folder, core)


def compiled_and_fetched(output: str) -> tuple[list[str], list[str]]:
    return (
        re.findall(r"^Compiling \S*(src/\S+)\.o$", output, re.MULTILINE),
        re.findall(r"^Retrieved `\S*?(src/\S+)\.o' from cache$", output, re.MULTILINE),
    )


def test_a_second_project_compiles_no_kernel(tmp_path: Path) -> None:
    for name in ("first", "second"):
        folder = tmp_path / name
        write_project(renamed(name), folder)
        result = run_platformio(
            ["run"], project=folder, extra_env={"NPUBENCH_BUILD_CACHE": str(tmp_path / "objects")}
        )
        compiled, fetched = compiled_and_fetched(result.stdout)
        kernels = {"src/kernels/portable/fully_connected_s8.c", "src/kernels/portable/softmax_s8.c"}
        assert kernels <= set(compiled if name == "first" else fetched)
        assert "src/model/nb_model.c" in compiled, "the model is each project's own"
        assert name == "first" or not kernels & set(compiled)


def test_other_weights_are_never_taken_for_the_same(tmp_path: Path) -> None:
    project = make_project()
    write_project(project, tmp_path)
    elf = tmp_path / ".pio" / "build" / "test-m4" / "firmware.elf"
    run_platformio(["run"], project=tmp_path)
    weights = project.files["src/model/nb_weights.bin"]
    assert weights in elf.read_bytes()
    other = bytes(255 - byte for byte in weights)
    (tmp_path / "src" / "model" / "nb_weights.bin").write_bytes(other)
    run_platformio(["run"], project=tmp_path)
    assert other in elf.read_bytes()


def in_parallel(*tasks: Callable[[], Firmware]) -> list[Firmware]:
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]


def test_projects_build_side_by_side_in_a_new_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path))
    one, same, other = in_parallel(
        lambda: build(renamed("one")), lambda: build(renamed("one")), lambda: build(renamed("two"))
    )
    assert one.elf == same.elf
    assert sorted([one.cached, same.cached]) == [False, True]
    assert other.elf_sha256 != one.elf_sha256
    left = {path.name for path in (tmp_path / "firmware").iterdir() if not path.suffix}
    assert left == {one.elf.parent.name, other.elf.parent.name}, "no scratch folder is left"


def test_a_compile_error_is_the_compilers_own_words() -> None:
    project = changed(make_project(), "src/model/nb_model.c", "return 0;", "return nonsense;")
    with pytest.raises(ToolError, match=r"nb_model\.c:\d+:\d+: error: .nonsense. undeclared") as e:
        build(project)
    assert e.value.code
    assert "platformio" in e.value.argv
    assert "nonsense" in e.value.tail


def test_an_undefined_function_is_named() -> None:
    project = changed(make_project(), "src/model/nb_model.c", "nb_softmax_s8(&", "nb_lost(&")
    project = changed(
        project,
        "src/model/nb_model.c",
        "/* Activations",
        "void nb_lost(const nb_softmax_s8_params *, const int8_t *, int8_t *);\n/* Activations",
    )
    with pytest.raises(ToolError, match=r"undefined reference to .nb_lost"):
        build(project)


@pytest.mark.parametrize(("region", "index"), [("flash", 0), ("ram", 1)])
def test_an_overflow_says_how_much_is_needed(region: str, index: int) -> None:
    memory = list(make_board().memory)
    memory[index] = memory[index].model_copy(update={"size_bytes": 2048 + 64})
    small = make_board().model_copy(update={"memory": tuple(memory)})
    with pytest.raises(DoesNotFit) as error:
        build(make_project(small), small)
    assert error.value.region == region
    assert error.value.free_bytes == (2048 + 64 if region == "flash" else 64)
    reserved = 2048 if region == "ram" else 0
    enough = error.value.needed_bytes + reserved + ALIGNMENT_BYTES
    memory[index] = memory[index].model_copy(update={"size_bytes": enough})
    board = make_board().model_copy(update={"memory": tuple(memory)})
    assert build(make_project(board), board).elf.is_file()


def test_a_missing_compiler_names_its_package() -> None:
    toolchain = make_board().toolchain.model_copy(
        update={"prefix": "no-such-elf-", "package": "gcc-no-such"}
    )
    board = make_board().model_copy(update={"toolchain": toolchain})
    with pytest.raises(ToolMissing, match="no-such-elf-gcc") as error:
        build(make_project(board), board)
    assert "apt-get install gcc-no-such" in error.value.hint


def test_a_compiler_without_a_library_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gcc", "ld", "size", "objcopy"):
        fake = tmp_path / f"bare-{name}"
        fake.write_text('#!/bin/sh\necho "${1#-print-file-name=}"\n')
        fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    toolchain = make_board().toolchain.model_copy(update={"prefix": "bare-", "package": "libbare"})
    with pytest.raises(ToolMissing, match="no C library") as error:
        compiler_module.find_compiler(make_board().model_copy(update={"toolchain": toolchain}))
    assert "libbare" in error.value.hint


def test_missing_platformio_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", lost)
    with pytest.raises(ToolMissing, match="platformio") as error:
        tool_versions()
    assert "pip install platformio" in error.value.hint


def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="cannot write the build"):
        build(make_project())


def test_firmware_with_a_heap_is_refused() -> None:
    project = changed(
        make_project(),
        "src/model/nb_model.c",
        "NB_GLUE int32_t nb_model_init(void)\n{",
        "__attribute__((noinline)) void *_sbrk(size_t n);\n"
        "void *_sbrk(size_t n)\n{\n    return nb_arena + n;\n}\n"
        "NB_GLUE int32_t nb_model_init(void)\n{\n"
        "    nb_arena[0] = *(uint8_t *)_sbrk(nb_arena[1]);",
    )
    with pytest.raises(ToolError, match="links _sbrk"):
        build(project)


def test_an_image_for_another_board_is_refused() -> None:
    elf = build(make_project()).elf
    memory = tuple(
        region.model_copy(update={"base": region.base + 0x8000000})
        for region in make_board().memory
    )
    with pytest.raises(ToolError, match="outside the memory"):
        check_image(elf, make_board().model_copy(update={"memory": memory}))
    lower = make_board().memory[0].model_copy(update={"base": -4})
    shifted = make_board().model_copy(update={"memory": (lower, make_board().memory[1])})
    with pytest.raises(ToolError, match="vector table"):
        check_image(elf, shifted)


def test_what_is_no_elf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.elf").write_bytes(b"\x7fELFnot")
    with pytest.raises(ToolError, match="not an ELF"):
        check_image(tmp_path / "x.elf", make_board())
