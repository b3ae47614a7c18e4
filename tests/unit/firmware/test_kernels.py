"""Promise: the portable kernels, called as the lowering says, equal TensorFlow Lite Micro.

Every model of tests/data/ops and, where they are at hand, the MLPerf Tiny reference models are
lowered, the calls are compiled with the kernels into one host program under the address and
undefined-behaviour sanitizers, and each tensor is compared with the interpreter's. Every buffer is
its own allocation of the exact size, so that a read or write outside ends the program.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench.compiler.lower import SUPPORTED
from support.kernel_program import Program, build, check, lower
from support.operator_networks import networks

pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="tflite-micro is Linux on x86-64 only"
)

ROOT = Path(__file__).resolve().parents[3]
OPS = sorted((ROOT / "tests" / "data" / "ops").glob("*.tflite"))
REFERENCE = ROOT.parent / "shared" / "data" / "models"
NETWORKS = sorted(REFERENCE.glob("*.tflite")) if REFERENCE.is_dir() else []
MODELS = {path.stem: path.read_bytes() for path in OPS + NETWORKS} | networks()
ROUNDS = 3


@pytest.fixture(scope="module")
def programs() -> dict[str, Program]:
    return {name: lower(data, name) for name, data in MODELS.items()}


@pytest.fixture(scope="module")
def executable(programs: dict[str, Program], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(list(programs.values()), tmp_path_factory.mktemp("kernels"))


@pytest.mark.parametrize("name", MODELS)
def test_equals_the_reference(name: str, programs: dict[str, Program], executable: Path) -> None:
    check(executable, list(programs).index(name), programs[name], MODELS[name], ROUNDS)


def test_every_operator_has_a_model(programs: dict[str, Program]) -> None:
    """A new lowering brings a model that holds it to the reference."""
    covered = {op.kind for program in programs.values() for op in program.graph.ops}
    assert covered >= SUPPORTED
