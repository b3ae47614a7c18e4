"""Promise: ``cpu.optimise`` trades what it says: instructions, flash, RAM."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from npubench.boards import load_board
from npubench.compiler.analyze import analyze
from npubench.compiler.arena import plan_arena
from npubench.compiler.backends.cpu.selection import (
    CODE_BYTES,
    Goal,
    Selection,
    code_bytes,
    select,
)
from npubench.compiler.graph import Graph
from npubench.compiler.plan import KernelCall
from npubench.compiler.tflite.reader import load_tflite
from npubench.core.paths import data_root

# Most bytes of activations that live at once, in the network's own order.
PEAKS = {
    "kws_ref_model": 16_000,
    "vww_96_int8": 55_296,
    "pretrainedResnet_quant": 49_152,
    "ad01_int8": 768,
}


@cache
def network(path: Path) -> Graph:
    return load_tflite(path)[1]


@cache
def selected(path: Path, board: str, goal: Goal) -> Selection:
    return select(network(path), load_board(board).cpu.kernels, goal)


def arena(path: Path, board: str, goal: Goal) -> int:
    return plan_arena(network(path), selected(path, board, goal).steps).size_bytes


def flash(selection: Selection) -> int:
    return sum(len(item.data) for item in selection.constants) + code_bytes(selection.steps)


def instructions(selection: Selection) -> int:
    return sum(
        step.choice.instructions or 0
        for step in selection.steps
        if isinstance(step, KernelCall) and step.choice is not None
    )


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-m55"])
@pytest.mark.parametrize("name", sorted(PEAKS))
def test_the_arena_stays_below_the_peak_of_live_activations(
    shared_models: Path, name: str, board: str
) -> None:
    path = shared_models / f"{name}.tflite"
    assert analyze(network(path)).peak_live_bytes == PEAKS[name]
    assert arena(path, board, "speed") <= PEAKS[name]


@pytest.mark.parametrize("board", ["qemu-m4", "qemu-m55"])
def test_each_goal_is_best_at_what_it_is_for(board: str) -> None:
    path = data_root() / "models" / "kws" / "kws.tflite"
    goals: tuple[Goal, ...] = ("speed", "size", "ram")
    chosen = {goal: selected(path, board, goal) for goal in goals}
    for goal in goals:
        # Copying weights into RAM costs instructions, and saves more cycles than that.
        assert instructions(chosen["speed"]) <= 1.005 * instructions(chosen[goal])
        assert flash(chosen["size"]) <= flash(chosen[goal])
        assert arena(path, board, "ram") <= arena(path, board, goal)
    assert flash(chosen["size"]) < flash(chosen["speed"])


def test_least_memory_is_not_bought_where_it_changes_nothing() -> None:
    path = data_root() / "models" / "kws" / "kws.tflite"
    assert arena(path, "qemu-m55", "ram") < arena(path, "qemu-m55", "speed")
    ram, speed = selected(path, "qemu-m4", "ram"), selected(path, "qemu-m4", "speed")
    assert kernels_of(ram) == kernels_of(speed)
    assert instructions(ram) == pytest.approx(instructions(speed), rel=0.005)


def kernels_of(selection: Selection) -> list[str]:
    return [step.kernel for step in selection.steps if isinstance(step, KernelCall)]


def test_weights_are_copied_where_memory_is_to_spare(shared_models: Path) -> None:
    graph_path = shared_models / "pretrainedResnet_quant.tflite"
    copied = {
        goal: [
            dict(step.params)["copied"]
            for step in selected(graph_path, "qemu-m4", goal).steps
            if isinstance(step, KernelCall) and step.kernel == "nb_dsp_conv2d_s8"
        ]
        for goal in get_args(Goal)
    }
    assert copied["speed"].count(1) > 5
    assert not any(copied["ram"] + copied["size"])


def test_a_choice_says_what_it_was_made_for() -> None:
    path = data_root() / "models" / "kws" / "kws.tflite"
    reasons = {
        step.choice.reason
        for step in selected(path, "qemu-m55", "size").steps
        if isinstance(step, KernelCall) and step.choice is not None
    }
    assert "chosen for size" in reasons


@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
)
def test_code_is_as_large_as_the_choice_believes(tmp_path: Path) -> None:
    firmware = data_root() / "firmware"
    core = {
        "mve": ("-mcpu=cortex-m55", "-mfpu=auto"),
        "dsp": ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"),
    }
    for (flavour, source), believed in CODE_BYTES.items():
        made = tmp_path / "kernel.o"
        subprocess.run(
            [
                "arm-none-eabi-gcc", *core.get(flavour, core["dsp"]), "-mthumb",
                "-mfloat-abi=hard", "-std=gnu11", "-O2", "-fno-tree-vectorize", "-I",
                str(firmware / "include"), "-c", str(firmware / "kernels" / flavour / source),
                "-o", str(made),
            ],
            check=True,
        )  # fmt: skip
        said = subprocess.run(
            ["arm-none-eabi-size", str(made)], capture_output=True, text=True, check=True
        ).stdout
        size_bytes = int(said.splitlines()[1].split()[0])
        assert size_bytes == pytest.approx(believed, rel=0.1), (flavour, source, size_bytes)
