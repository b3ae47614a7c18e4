"""The ESP-IDF project holds the .espdl file that the executor answered for, and a driver for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from npubench.boards import load_board
from npubench.compiler.backends.esp_dl.image import codes, espdl_plan
from npubench.compiler.compiled import identity_of, read_network
from npubench.compiler.emit.project import Project, render_project
from npubench.compiler.plan import Plan
from npubench.core.errors import ConfigError
from npubench.zoo import resolve_model

ARTIFACT = b"EDL2" + bytes(range(1, 100))
STAND_INS = Path(__file__).resolve().parents[2] / "support"


def made(board: str = "esp32-s3-devkitc") -> tuple[Plan, Project]:
    network = read_network(resolve_model("digits"))
    graph = network.graph
    outputs = [np.zeros((1, *graph.tensor(index).shape[1:])) for index in graph.outputs]
    names = [f"t{index}" for index in (*graph.inputs, *graph.outputs)]
    chosen = load_board(board)
    plan = espdl_plan(graph, ARTIFACT, outputs, chosen, names=names, version="1", seed=1)
    return plan, render_project(graph, plan, chosen, identity_of(network.resolved, graph))


def test_the_project_holds_the_very_file_and_names_the_component() -> None:
    plan, project = made()
    assert project.files["src/model/nb_weights.bin"][: len(ARTIFACT)] == ARTIFACT
    assert b".balign 16" in project.files["src/model/nb_weights.S"]
    assert b"nb_espdl" in project.files["src/model/nb_weights.S"]
    assert b"espressif/esp-dl" in project.files["src/idf_component.yml"]
    assert b"*.cpp" in project.files["src/CMakeLists.txt"]
    assert plan.artifact == ARTIFACT
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


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
def test_the_driver_agrees_with_esp_dls_declarations(tmp_path: Path) -> None:
    """Against a stand-in: ESP-DL's classes as its headers declare them, no code behind."""
    for path, content in made()[1].files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    subprocess.run(
        [
            "g++", "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion", "-Wshadow",
            "-Werror", f"-I{STAND_INS / 'espdl'}", "-Iinclude", "src/npu/esp_dl/driver.cpp",
        ],
        cwd=tmp_path,
        check=True,
    )  # fmt: skip
