"""The emitted project: equal in, equal out; nothing of a model's text reaches it; it is C."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npubench.boards import Board, MemoryRegion, board_ids, load_board
from npubench.compiler.emit import sources
from npubench.compiler.emit.config import arena_bytes
from npubench.compiler.emit.identity import Identity
from npubench.compiler.emit.linker import linker_of
from npubench.compiler.emit.names import (
    c_float,
    c_integer,
    c_macro_integer,
    c_string,
    identifier,
    wire_name,
)
from npubench.compiler.emit.project import Project, content_sha256, render_project, write_project
from npubench.compiler.emit.render import render
from npubench.compiler.plan import (
    Arena,
    Constant,
    KernelCall,
    NpuJob,
    Place,
    ScratchArg,
    Step,
    TensorArg,
)
from npubench.core.errors import CompileError, ConfigError, DoesNotFit, StorageError
from support.emitted import (
    BIAS,
    IDENTITY,
    WEIGHTS,
    make_board,
    make_graph,
    make_plan,
    make_project,
    needs_arm,
)

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "emitted"
GENERATED = (
    "README.md",
    "boards/test-m4.json",
    "include/nb_board.h",
    "include/nb_config.h",
    "include/nb_errors.h",
    "linker.ld",
    "platformio.ini",
    "src/model/nb_model.c",
    "src/model/nb_weights.S",
    "src/model/nb_weights.bin",
)
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-O2")


def text(project: Project, path: str) -> str:
    return project.files[path].decode()


def compile_model(project: Project, folder: Path, compiler: str, *flags: str) -> None:
    write_project(project, folder)
    for source in ("src/model/nb_model.c", "src/model/nb_weights.S"):
        subprocess.run(
            [compiler, *flags, *STRICT, "-Iinclude", "-c", source, "-o", "out.o"],
            cwd=folder,
            check=True,
        )


@pytest.mark.parametrize("path", GENERATED)
def test_a_generated_file_is_as_recorded(path: str) -> None:
    """Set NPUBENCH_UPDATE_GOLDEN=1 to record what is emitted now."""
    project = make_project()
    content = project.files[path].replace(project.build.encode(), b"0" * 16)
    recorded = GOLDEN / path
    if os.environ.get("NPUBENCH_UPDATE_GOLDEN"):
        recorded.parent.mkdir(parents=True, exist_ok=True)
        recorded.write_bytes(content)
    assert content == recorded.read_bytes()


def test_the_recorded_files_are_all_that_is_generated() -> None:
    root = sources.firmware_root()
    copied = {path.name for path in root.rglob("*") if path.is_file()}
    generated = {path for path in make_project().files if Path(path).name not in copied}
    assert generated - {"project.json"} == set(GENERATED)


def test_equal_inputs_give_equal_bytes() -> None:
    assert make_project() == make_project()


def test_build_number_is_the_hash_of_the_project_with_it_at_zero() -> None:
    project = make_project()
    files = {path: data for path, data in project.files.items() if path != "project.json"}
    assert project.build in text(project, "include/nb_config.h")
    header = files["include/nb_config.h"].replace(project.build.encode(), b"0" * 16)
    assert content_sha256(files | {"include/nb_config.h": header}) == project.sha256


def test_any_changed_file_changes_the_hash() -> None:
    board = make_board(stack_bytes=4096)
    other = dataclasses.replace(IDENTITY, model_id="other")
    assert (
        len({make_project(b, i).sha256 for b in (board, make_board()) for i in (IDENTITY, other)})
        == 4
    )


def test_manifest_lists_every_other_file() -> None:
    project = make_project()
    document = json.loads(text(project, "project.json"))
    assert set(document["files"]) == set(project.files) - {"project.json"}
    assert document["project_sha256"] == project.sha256


def test_caps_is_one_record_of_compact_json() -> None:
    line = re.search(r'NB_CAPS_JSON "(.*)"\n', text(make_project(), "include/nb_config.h"))
    assert line is not None
    raw = line[1].replace('\\"', '"')
    caps = json.loads(raw)
    assert raw == json.dumps(caps, separators=(",", ":"))
    assert (caps["t"], caps["proto"], caps["ops"], caps["in"], caps["out"]) == ("caps", 1, 3, 8, 12)
    assert caps["arena"] == 48


def test_names_of_tensors_never_reach_the_project() -> None:
    joined = b"\n".join(make_project().files.values())
    hostile = [tensor.name for tensor in make_graph().tensors if " " in tensor.name]
    assert len(hostile) == 2
    assert not [name for name in hostile if name.encode() in joined]


@given(st.text(max_size=200))
def test_any_name_is_safe_on_the_wire(name: str) -> None:
    safe = wire_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,39}", safe)
    assert wire_name(safe) == safe


@pytest.mark.parametrize("name", ["int", "", "a b", "x" * 64, "x;y", "1a", "x\n", "ü"])
def test_a_backend_cannot_smuggle_a_name(name: str) -> None:
    with pytest.raises(CompileError):
        identifier(name)


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1))
def test_integers_keep_their_value(value: int) -> None:
    for literal in (c_integer(value), c_macro_integer(value)):
        assert eval(literal.replace("u", "")) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_keep_every_bit(value: float) -> None:
    assert float.fromhex(c_float(value).removesuffix("f")) == value


def test_strings_are_escaped_and_control_characters_refused() -> None:
    assert c_string('a"b\\c') == '"a\\"b\\\\c"'
    with pytest.raises(CompileError):
        c_string("a\nb")


def test_weights_travel_byte_for_byte() -> None:
    assert make_project().files["src/model/nb_weights.bin"] == WEIGHTS + BIAS


@needs_arm
def test_the_model_compiles_without_a_warning_on_arm(tmp_path: Path) -> None:
    compile_model(make_project(), tmp_path, "arm-none-eabi-gcc", *make_board().cpu.flags)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_model_compiles_without_a_warning_on_the_host(tmp_path: Path) -> None:
    compile_model(make_project(load_board("native")), tmp_path, "gcc")


def test_only_the_kernels_in_use_travel() -> None:
    kernels = {
        path
        for path in make_project().files
        if path.startswith("src/kernels/") and path.endswith(".c")
    }
    assert kernels == {
        "src/kernels/portable/fully_connected_s8.c",
        "src/kernels/portable/softmax_s8.c",
    }


def test_the_best_flavour_that_has_a_kernel_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firmware = tmp_path / "firmware"
    shutil.copytree(sources.firmware_root(), firmware)
    fast = firmware / "kernels" / "fast"
    fast.mkdir()
    (fast / "softmax_s8.c").write_text("/* fast */\n")
    (fast / "lanes.h").write_text("/* lanes */\n")
    monkeypatch.setattr(sources, "firmware_root", lambda: firmware)
    cpu = make_board().cpu.model_copy(update={"kernels": ("fast", "portable")})
    files = make_project(make_board().model_copy(update={"cpu": cpu})).files
    assert "src/kernels/fast/softmax_s8.c" in files
    assert "src/kernels/portable/softmax_s8.c" not in files
    assert "src/kernels/portable/fully_connected_s8.c" in files
    assert "src/kernels/fast/lanes.h" in files


def test_a_kernel_that_no_flavour_has_is_named() -> None:
    graph = make_graph()
    plan = make_plan()
    step = plan.steps[0]
    assert isinstance(step, KernelCall)
    lost = dataclasses.replace(
        plan, steps=(dataclasses.replace(step, source="nowhere.c"), *plan.steps[1:])
    )
    with pytest.raises(CompileError, match=r"nowhere\.c"):
        render_project(graph, lost, make_board(), IDENTITY)


def steps_replaced(*steps: Step, arena: Arena | None = None) -> str:
    graph = make_graph()
    plan = make_plan()
    changed = dataclasses.replace(plan, steps=steps, arena=arena or plan.arena)
    return text(render_project(graph, changed, make_board(), IDENTITY), "src/model/nb_model.c")


def test_an_npu_job_stands_for_its_operators_and_reports_its_error() -> None:
    softmax = make_plan().steps[2]
    job = NpuJob(op_indices=(0, 1), job=5, inputs=(0,), outputs=(2,))
    arena = Arena(
        size_bytes=64,
        places=tuple(Place(tensor=t, offset_bytes=16 * t, size_bytes=12) for t in range(4)),
    )
    code = steps_replaced(job, softmax, arena=arena)
    assert '#include "nb_npu.h"' in code
    assert "return nb_npu_init();" in code
    assert re.search(r"error = nb_npu_run\(5u\);\s+if \(error != 0\)", code)
    assert re.search(r"case 1:\s+return nb_npu_run\(5u\);", code)
    assert "case 0:" not in code
    assert re.search(r"\{0, 0\},\s+\{32, 12\},\s+\{48, 12\},", code), "operator 0 is inside the job"


def test_scratch_memory_and_its_absence() -> None:
    dense, alias, softmax = make_plan().steps
    assert isinstance(softmax, KernelCall)
    arena = dataclasses.replace(make_plan().arena, scratch_offset_bytes={2: 64})
    with_scratch = dataclasses.replace(softmax, args=(*softmax.args, ScratchArg()))
    assert ", NULL);" in steps_replaced(dense, alias, with_scratch, arena=arena)
    needed = dataclasses.replace(with_scratch, scratch_bytes=16)
    assert "(void *)(nb_arena + 64)" in steps_replaced(dense, alias, needed, arena=arena)


def test_steps_out_of_order_are_refused() -> None:
    dense, alias, softmax = make_plan().steps
    with pytest.raises(CompileError, match="operator 0 after 2"):
        steps_replaced(softmax, alias, dense)


def test_a_tensor_without_a_place_is_refused() -> None:
    dense, alias, softmax = make_plan().steps
    with pytest.raises(CompileError, match="no place"):
        steps_replaced(dense, alias, softmax, arena=Arena(size_bytes=16, places=()))


def test_a_constant_tensor_becomes_a_constant() -> None:
    graph = make_graph()
    values = dataclasses.replace(graph.tensors[1], data=bytes(range(12)))
    graph = dataclasses.replace(graph, tensors=(graph.tensors[0], values, *graph.tensors[2:]))
    plan = make_plan()
    softmax = plan.steps[2]
    assert isinstance(softmax, KernelCall)
    first = dataclasses.replace(
        softmax, args=(TensorArg(tensor=1, ctype="int8_t", const=True), softmax.args[1])
    )
    plan = dataclasses.replace(
        plan,
        steps=(first,),
        arena=dataclasses.replace(plan.arena, places=(plan.arena.places[0], plan.arena.places[2])),
    )
    project = render_project(graph, plan, make_board(), IDENTITY)
    assert "(const int8_t *)(nb_t1)" in text(project, "src/model/nb_model.c")
    assert project.files["src/model/nb_weights.bin"].endswith(bytes(range(12)))


@pytest.mark.parametrize(
    "path", ["src/model/nb_model.c", "/etc/x", "src/../../x", "include/nb_hal.h"]
)
def test_a_backend_cannot_overwrite_or_escape(path: str) -> None:
    graph = make_graph()
    plan = dataclasses.replace(make_plan(), extra_files={path: "x"})
    with pytest.raises(CompileError, match="may not emit"):
        render_project(graph, plan, make_board(), IDENTITY)


def test_a_backends_own_files_and_macros_travel() -> None:
    graph = make_graph()
    plan = dataclasses.replace(
        make_plan(), extra_files={"src/npu/table.c": "/* t */"}, defines={"NB_NPU_JOBS": "3"}
    )
    project = render_project(graph, plan, make_board(), IDENTITY)
    assert text(project, "src/npu/table.c") == "/* t */"
    assert "#define NB_NPU_JOBS 3\n" in text(project, "include/nb_config.h")


@pytest.mark.parametrize(
    ("kind", "number", "size"), [("int8", 0, 8), ("u8", 1, 8), ("f32le", 2, 32)]
)
def test_upload_size_follows_from_the_form_of_the_input(kind: str, number: int, size: int) -> None:
    identity = Identity(
        model_id="m",
        mlperf_id="ad01",
        mlperf_input=kind,  # type: ignore[arg-type]
        mlperf_result="mse",
        version="1",
    )
    header = text(make_project(identity=identity), "include/nb_config.h")
    assert f"#define NB_UPLOAD_KIND {number}\n" in header
    assert f"#define NB_UPLOAD_BYTES {size}\n" in header
    assert "#define NB_POST_MSE 1\n" in header
    assert '#define NB_MLPERF_MODEL "ad01"\n' in header


def test_what_alone_exceeds_a_region_does_not_fit() -> None:
    graph = make_graph()
    huge = dataclasses.replace(
        make_plan(),
        constants=(Constant(name="nb_c", ctype="int8_t", data=bytes(0x40001)),),
    )
    with pytest.raises(DoesNotFit) as error:
        render_project(graph, huge, make_board(), IDENTITY)
    assert (error.value.needed_bytes, error.value.free_bytes) == (0x40001, 0x40000)
    wide = dataclasses.replace(make_plan(), arena=Arena(size_bytes=0x10000, places=()))
    with pytest.raises(DoesNotFit) as error:
        render_project(graph, wide, make_board(), IDENTITY)
    assert (error.value.free_bytes, error.value.region) == (0x10000 - 2048, "ram")


def test_an_empty_arena_is_still_an_array() -> None:
    plan = dataclasses.replace(make_plan(), arena=Arena(size_bytes=0, places=()))
    assert arena_bytes(plan) == 16


@pytest.mark.parametrize("stack", [0x10000, 2044])
def test_a_stack_that_the_ram_cannot_hold_is_the_boards_mistake(stack: int) -> None:
    with pytest.raises(ConfigError, match="stack_bytes"):
        make_project(make_board(stack_bytes=stack))


def test_regions_of_every_board_reach_its_linker_script() -> None:
    for name in board_ids():
        board = load_board(name)
        if board.hosted or not board.memory:
            continue
        script = text(make_project(board), "linker.ld")
        for region in board.memory:
            assert f"ORIGIN = 0x{region.base:08X}" in script, (name, region.name)


def board_with_arena_apart() -> Board:
    arena = MemoryRegion(name="tcm", base=0x30000000, size_bytes=0x8000, roles=("arena",))
    ram = make_board().memory[1].model_copy(update={"roles": ("ram",)})
    return make_board().model_copy(update={"memory": (make_board().memory[0], ram, arena)})


def test_an_arena_in_a_region_of_its_own_is_not_cleared_with_the_rest() -> None:
    script = text(make_project(board_with_arena_apart()), "linker.ld")
    assert script.count("_nb_bss_end = .;") == 1
    assert script.index("_nb_bss_end = .;") < script.index(".nb_arena (NOLOAD)")
    assert "} > tcm" in script


def test_an_input_that_the_ram_cannot_hold_lies_with_the_arena() -> None:
    board = load_board("imx93-evk")
    small, large = (
        render("linker.ld.j2", linker_of(board, input_bytes=size)).decode()
        for size in (3072, 224 * 224 * 3)
    )

    def region(script: str) -> str:
        return script[script.index(".nb_fixture (NOLOAD)") :].split("} > ")[1].split("\n")[0]

    assert (region(small), region(large)) == ("dtcm", "ddr_arena")
    for script in (small, large):
        assert script.count("_nb_bss_end = .;") == 1
    assert large.index("_nb_bss_end = .;") < large.index(".nb_fixture (NOLOAD)")
    assert small.index("_nb_bss_end = .;") > small.index(".nb_fixture (NOLOAD)")


def test_writing_again_changes_nothing_and_removes_what_is_stale(tmp_path: Path) -> None:
    write_project(make_project(), tmp_path)
    kept = tmp_path / "notes.txt"
    kept.write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    write_project(make_project(), tmp_path)
    assert before == {
        path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()
    }
    write_project(make_project(load_board("native")), tmp_path)
    assert not (tmp_path / "linker.ld").exists()
    assert not (tmp_path / "src" / "hal" / "cmsdk").exists()
    assert kept.read_text() == "mine"


@pytest.mark.parametrize("manifest", ["", "[]", '{"files": ["../x"]}', '{"files": {"../x": "1"}}'])
def test_a_foreign_manifest_removes_nothing(tmp_path: Path, manifest: str) -> None:
    victim = tmp_path / "x"
    victim.write_text("keep")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "project.json").write_text(manifest)
    write_project(make_project(), folder)
    assert victim.read_text() == "keep"


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write the project"):
        write_project(make_project(), tmp_path / "file")
