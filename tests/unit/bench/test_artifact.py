"""What a vendor's compiler makes for a board is compiled as for its simulator: byte for byte the
same, but for what the vendor's tool itself leaves undefined."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from npubench.bench import artifact, forms, prepare
from npubench.bench.job import Job, Settings, resolve_jobs
from npubench.bench.simulate import simulate_job
from npubench.compiler.compiled import Network, read_network
from npubench.compiler.vendor.adapter import NeedsVendorRuntime
from npubench.compiler.vendor.simulated import SimulatedBackend
from npubench.compiler.vendor.simulation import Asked, Simulation
from npubench.core.errors import ToolMissing
from npubench.core.progress import Silent
from npubench.golden.many import real_answers
from npubench.target import Place
from npubench.toolenv import environment
from npubench.zoo import resolve_model

pytest.importorskip("tflite_micro", reason="the reference exists for Linux on x86-64 alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """Its artifact is a digest of all that it compiles from; it computes as the network does."""

    tool: str = "nncase"
    form: Literal["int8", "float", "ranged"] = "float"
    tells_cycles: bool = False
    is_slow: bool = False
    settings: tuple[str, ...] = ()

    def check(self) -> None:
        """It needs no tool."""

    def simulate(self, asked: Asked) -> Simulation:
        digest = hashlib.sha256(asked.model + repr(sorted(asked.ranges.items())).encode())
        for array in asked.calibration:
            digest.update(np.ascontiguousarray(array).tobytes())
        return Simulation(
            version="1",
            outputs=real_answers(asked.model, asked.inputs),
            figures={"model_bytes": len(asked.model)},
            artifact=("network.bin", digest.digest()),
        )


BACKEND = SimulatedBackend(
    name="nncase", engine="an NPU", simulator=Echo(), runtime="its run time", sources=("none",)
)


@pytest.fixture(scope="module")
def digits() -> Network:
    return read_network(resolve_model("digits"))


def a_job(place: Place | None) -> Job:
    (job,) = resolve_jobs(["digits"], ["k210-maix"], ["nncase"], place=place)
    return job


def handed_over(network: Network) -> tuple[NeedsVendorRuntime, Path]:
    with pytest.raises(NeedsVendorRuntime) as error:
        prepare.compile_job(a_job(None), network)
    return error.value, Path(error.value.hint.split("output is in ")[1].split(";")[0])


def simulated(network: Network, runs: Path, seed: int) -> bytes:
    stored = simulate_job(
        a_job(Place.SIMULATOR),
        network,
        Settings(seed=seed),
        runs_dir=runs,
        reporter=Silent(),
        cancelled=threading.Event(),
    )
    (found,) = stored.path.glob("network.*")
    data = found.read_bytes()
    assert stored.record.model.artifact_sha256 == hashlib.sha256(data).hexdigest()
    return data


def test_an_image_would_hold_what_the_simulator_ran(
    digits: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "cache"))
    for module in (prepare, forms):
        monkeypatch.setattr(module, "configured_backend", lambda *_: BACKEND)
    error, kept = handed_over(digits)
    assert kept.read_bytes() == simulated(digits, tmp_path, 1) == simulated(digits, tmp_path, 2)
    assert "its run time" in error.message
    assert "compiled as for its simulator" in error.message
    assert "model_bytes" in error.message
    assert hashlib.sha256(kept.read_bytes()).hexdigest()[:12] in error.message
    assert "--backend cpu" in error.hint


@pytest.mark.parametrize("name", ["nncase", "cvitek", "mvp", "axon", "esp-dl", "gap8"])
def test_without_its_environment_the_way_to_it_is_told(
    name: str, digits: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "cache"))
    boards = {
        "nncase": "k210-maix",
        "cvitek": "milkv-duo",
        "mvp": "xg24-dk2601b",
        "axon": "nrf54lm20b",
        "esp-dl": "esp32-s3-devkitc",
        "gap8": "gapuino",
    }
    (job,) = resolve_jobs(["digits"], [boards[name]], [name])
    with pytest.raises(ToolMissing, match="needs its vendor's compiler") as error:
        prepare.compile_job(job, digits)
    assert "npubench tools setup" in error.value.hint
    assert "--backend cpu" in error.value.hint


def test_the_real_nncase_makes_one_kmodel_for_both(digits: Network, tmp_path: Path) -> None:
    try:
        environment.environment("nncase")
    except ToolMissing as missing:
        pytest.skip(f"{missing.message}; {missing.hint}")
    _, kept = handed_over(digits)
    one, other = kept.read_bytes(), simulated(digits, tmp_path, 3)
    assert len(one) == len(other)
    # nncase leaves padding as the memory was: one byte here, seven of the trained kws.
    assert sum(a != b for a, b in zip(one, other, strict=True)) <= 16
    assert artifact.cache_root() in kept.parents
