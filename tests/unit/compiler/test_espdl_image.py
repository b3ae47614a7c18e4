"""The ESP-IDF project holds the .espdl file that the executor answered for, and a driver for it."""

from __future__ import annotations

import dataclasses
import shutil
import struct
import subprocess
from pathlib import Path

import flatbuffers
import numpy as np
import pytest

from npubench.boards import load_board
from npubench.compiler.backends.esp_dl.espdl_file import End, read_ends
from npubench.compiler.backends.esp_dl.image import codes, espdl_plan
from npubench.compiler.compiled import identity_of, read_network
from npubench.compiler.emit.project import Project, render_project
from npubench.compiler.graph import Quantization, Tensor
from npubench.compiler.plan import Plan
from npubench.core.errors import CompileError, ConfigError, ModelFormatError
from npubench.zoo import resolve_model

STAND_INS = Path(__file__).resolve().parents[2] / "support"
DTYPES = {"float32": 1, "uint8": 2, "int8": 3, "int16": 5}
SOUND = (End(name="t0", dtype="int8", shape=(1, 8, 8, 1), exponent=-7),)


def espdl(inputs: tuple[End, ...], outputs: tuple[End, ...], *, encrypted: bool = False) -> bytes:
    """A file with ends alone, slot by slot of espdl.fbs."""
    builder = flatbuffers.Builder(0)

    def table(slots: int, fields: dict[int, tuple[str, int]]) -> int:
        builder.StartObject(slots)
        for slot, (kind, value) in fields.items():
            getattr(builder, f"Prepend{kind}Slot")(slot, value, 0)
        return int(builder.EndObject())

    def vector(offsets: list[int]) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    def info(end: End) -> int:
        ref = "UOffsetTRelative"
        axes = []
        for size in end.shape:
            value = table(3, {0: ("Int8", 1), 1: ("Int64", size)})
            axes.append(table(2, {0: (ref, value)}))
        shape = table(1, {0: (ref, vector(axes))})
        tensor = table(2, {0: ("Int32", DTYPES[end.dtype]), 1: (ref, shape)})
        kind = table(3, {0: ("Uint8", 1), 1: (ref, tensor)})
        name = builder.CreateString(end.name)
        builder.StartVector(8, 1, 8)
        builder.PrependInt64(end.exponent)
        exponents = builder.EndVector()
        return table(4, {0: (ref, name), 1: (ref, kind), 3: (ref, int(exponents))})

    ends = [vector([info(end) for end in side]) for side in (inputs, outputs)]
    fields = {4 + index: ("UOffsetTRelative", side) for index, side in enumerate(ends)}
    graph = table(10, fields)
    builder.Finish(table(10, {7: ("UOffsetTRelative", graph)}))
    data = bytes(builder.Output())
    return b"EDL2" + struct.pack("<III", int(encrypted), len(data), 0) + data


def made(
    board: str = "esp32-s3-devkitc", inputs: tuple[End, ...] = (), dtype: str = "float32"
) -> tuple[Plan, Project]:
    network = read_network(resolve_model("digits"))
    graph = network.graph
    outputs = [np.zeros((1, *graph.tensor(index).shape[1:])) for index in graph.outputs]
    names = [f"t{index}" for index in (*graph.inputs, *graph.outputs)]
    given = inputs or (dataclasses.replace(SOUND[0], name=names[0]),)
    last = End(name=names[1], dtype=dtype, shape=(1, 10), exponent=0)
    chosen = load_board(board)
    artifact = espdl(given, (last,))
    plan = espdl_plan(graph, artifact, outputs, chosen, names=names, version="1", seed=1)
    return plan, render_project(graph, plan, chosen, identity_of(network.resolved, graph))


def test_the_project_holds_the_very_file_and_names_the_component() -> None:
    plan, project = made()
    size = len(plan.artifact)
    assert project.files["src/model/nb_weights.bin"][:size] == plan.artifact
    assert b".balign 16" in project.files["src/model/nb_weights.S"]
    assert b"nb_espdl" in project.files["src/model/nb_weights.S"]
    assert b"espressif/esp-dl" in project.files["src/idf_component.yml"]
    assert b"*.cpp" in project.files["src/CMakeLists.txt"]
    assert plan.known_answer is not None
    assert len(plan.known_answer.output) == 10


def test_another_part_is_refused() -> None:
    with pytest.raises(ConfigError, match="ESP32-S3"):
        made("k210-maix")


def test_real_numbers_become_codes_half_up_and_saturate() -> None:
    graph = read_network(resolve_model("digits")).graph
    tensor = graph.tensor(graph.outputs[0])
    assert tensor.quantization is not None
    scale, zero = tensor.quantization.scale, tensor.quantization.zero_points[0]
    real = np.array([0.0, 0.5 * scale, -0.5 * scale, 1e6, -1e6])
    assert codes(tensor, real).tolist() == [zero, zero + 1, zero, 127, -128]


def test_the_ends_of_a_file_are_read() -> None:
    ends = read_ends(espdl(SOUND, (End(name="p", dtype="float32", shape=(1, 3), exponent=0),)))
    assert ends.inputs == SOUND
    assert [end.dtype for end in ends.outputs] == ["float32"]
    for damaged in (b"", b"EDL2", b"EDL1" + bytes(40), espdl(SOUND, SOUND)[:-8]):
        with pytest.raises(ModelFormatError):
            read_ends(damaged)
    with pytest.raises(ModelFormatError, match="encrypted"):
        read_ends(espdl(SOUND, SOUND, encrypted=True))


@pytest.mark.parametrize(
    "change",
    [{"shape": (1, 1, 8, 8)}, {"dtype": "float32"}, {"dtype": "uint8"}, {"name": "other"}],
    ids=["channels first", "a float input", "an unknown type", "another name"],
)
def test_ends_that_the_driver_does_not_take_are_refused(change: dict[str, object]) -> None:
    graph = read_network(resolve_model("digits")).graph
    first = dataclasses.replace(SOUND[0], name=f"t{graph.inputs[0]}")
    with pytest.raises(CompileError, match="where the driver takes"):
        made(inputs=(dataclasses.replace(first, **change),))  # type: ignore[arg-type]


needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
STRICT = ("-std=c++17", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")


@needs_compiler
def test_the_driver_agrees_with_esp_dls_declarations(tmp_path: Path) -> None:
    """Against a stand-in: ESP-DL's classes as its headers declare them, no code behind."""
    for path, content in made()[1].files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    subprocess.run(
        [
            *("g++", *STRICT, "-fsyntax-only", f"-I{STAND_INS / 'espdl'}", "-Iinclude"),
            "src/npu/esp_dl/driver.cpp",
        ],
        cwd=tmp_path,
        check=True,
    )


ZERO, SCALE, OUT_ZERO, OUT_SCALE, COUNT = -3, 0.011, 5, 0.02, 256
HEADER = f"""\
#define NB_ESP_DL_INPUTS {{{{"in", 0u, {COUNT}u, {ZERO}, {SCALE}f}}}}
#define NB_ESP_DL_OUTPUTS {{{{"out", {COUNT}u, {COUNT}u, {OUT_ZERO}, {OUT_SCALE}f}}}}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver, built for the host around a stand-in that gives back what it was given."""
    folder = tmp_path_factory.mktemp("espdl")
    (folder / "nb_esp_dl_config.h").write_text(HEADER)
    firmware = Path(__file__).resolve().parents[3] / "firmware"
    subprocess.run(
        [
            *("g++", *STRICT, "-o", str(folder / "play"), f"-DCOUNT={COUNT}"),
            *(f"-I{STAND_INS / 'espdl'}", f"-I{firmware / 'include'}", f"-I{folder}"),
            *(str(firmware / "npu/esp_dl/driver.cpp"), str(STAND_INS / "espdl/play.cpp")),
        ],
        check=True,
    )
    return folder / "play"


def played(program: Path, given: bytes, *words: object) -> tuple[int, bytes]:
    argv = [str(program), *map(str, words)]
    done = subprocess.run(argv, input=given, capture_output=True, check=False)
    return done.returncode, done.stdout


def a_tensor(zero: int, scale: float) -> Tensor:
    graph = read_network(resolve_model("digits")).graph
    quantization = Quantization(scales=(scale,), zero_points=(zero,), axis=0)
    return dataclasses.replace(graph.tensor(graph.outputs[0]), quantization=quantization)


@needs_compiler
@pytest.mark.parametrize("out", ["int8", "int16", "float32"])
@pytest.mark.parametrize("given", ["int8", "int16"])
def test_every_code_becomes_what_the_host_expects(given: str, out: str, program: Path) -> None:
    exponent = -6 if given == "int8" else -13
    out_exponent = -5 if out == "int8" else -12
    every = np.arange(-128, 128).astype(np.int8)
    code, got = played(
        program, every.tobytes(), DTYPES[given], exponent, DTYPES[out], out_exponent, COUNT, "out"
    )
    assert code == 0
    high = {"int8": 127, "int16": 32767}
    real = (every.astype(np.float32) - ZERO) * np.float32(SCALE)
    steps = np.clip(np.rint(real * 2.0**-exponent), -high[given] - 1, high[given])
    value = steps * 2.0**exponent
    if out != "float32":
        steps = np.clip(np.rint(value * 2.0**-out_exponent), -high[out] - 1, high[out])
        value = steps * 2.0**out_exponent
    wanted = codes(a_tensor(OUT_ZERO, OUT_SCALE), value)
    assert np.frombuffer(got, np.int8).tolist() == wanted.tolist()
    assert len(set(wanted.tolist())) > 60  # no constant answer


@needs_compiler
@pytest.mark.parametrize(
    ("given", "out", "size", "name", "error"),
    [
        ("int8", "float32", COUNT, "another", 1),
        ("int8", "float32", 10, "out", 2),
        ("int8", "uint8", COUNT, "out", 2),
        ("float32", "int8", COUNT, "out", 2),
    ],
    ids=["name", "size", "type of an output", "a float input"],
)
def test_what_the_model_is_not_the_driver_says(
    given: str, out: str, size: int, name: str, error: int, program: Path
) -> None:
    words = (DTYPES[given], -6, DTYPES[out], 0, size, name)
    assert played(program, bytes(COUNT), *words)[0] == error
