"""A factory of run records: whole, valid, and changed by keyword where a test needs it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun

LAYERS = (
    ("CONV_2D", "conv_1", 320_000, 2_560, 0.33),
    ("DEPTHWISE_CONV_2D", "dw_1", 72_000, 576, 0.17),
    ("CONV_2D", "pw_1", 512_000, 4_096, 0.45),
    ("AVERAGE_POOL_2D", "pool", 0, 0, 0.03),
    ("RESHAPE", "flat", 0, 0, 0.0),
    ("FULLY_CONNECTED", "fc", 768, 768, 0.02),
)


def sha256(text: str) -> str:
    """A hash that is stable and different for different texts."""
    return hashlib.sha256(text.encode()).hexdigest()


def build_record(
    *,
    model: str = "kws",
    board: str = "qemu-m4",
    backend: str = "cpu",
    infer: int | float = 43_039_868,
    unit: str = "instructions",
    evidence: str = "counted",
    status: str = "ok",
    golden: str = "match",
    n: int = 2,
    boots: int = 1,
    deterministic: bool = True,
    second: int = 0,
    macs: int = 2_656_768,
    network: str | None = None,
    low: float | None = None,
    high: float | None = None,
    **changes: Any,
) -> RunRecord:
    """A record as ``bench`` makes it; ``changes`` replace whole fields of it."""
    network_sha256 = sha256(network or model)
    kind = {"measured": "physical", "counted": "emulated"}.get(evidence, "emulated")

    def stage(value: float, count: int = n, **more: Any) -> dict[str, Any]:
        steady = None if count == 1 else deterministic
        return {
            "unit": unit,
            "evidence": evidence,
            "median": value,
            "min": value if deterministic else value - 7,
            "max": value,
            "n": count,
            "mad": 0 if deterministic else 3,
            "deterministic": steady,
        } | more

    parts = {"load": 1_510, "infer": infer, "unload": 96, "post": 1_204}
    stages = {
        "init_cold": stage(5_120, boots),
        "init_warm": stage(4_980),
        **{name: stage(value) for name, value in parts.items()},
        "end_to_end": stage(sum(parts.values())),
    }
    if low is not None and high is not None:
        rest = sum(parts.values()) - infer
        stages["infer"] |= {"low": low, "high": high}
        stages["end_to_end"] |= {"low": low + rest, "high": high + rest}
    error = None
    if status == "failed":
        error = {
            "kind": "DeviceError",
            "message": f"{board}: no answer for 10 s after bench",
            "hint": "is the console's port right?",
        }
        stages = {}
    layer_unit = "cycles" if unit == "us" else unit
    document: dict[str, Any] = {
        "stage_contract": 1,
        "run_id": f"20261125T0155{second:02d}Z-{model[:20]}-{board}-{backend}-{second:06x}",
        "created": f"2026-11-25T01:55:{second:02d}Z",
        "status": status,
        "error": error,
        "evidence": evidence if stages else "unavailable",
        "target": f"{board}:{backend}",
        "board": board,
        "board_kind": kind,
        "backend": backend,
        "place": "physical" if kind == "physical" else "emulated",
        "model": {
            "name": model,
            "network_sha256": network_sha256,
            "artifact_sha256": network_sha256,
            "macs": macs,
            "parameters": 23_756,
            "ops": len(LAYERS),
            "source": f"{model}.tflite",
        },
        "golden": {
            "status": golden,
            "reference": "none" if golden == "unavailable" else "tflm",
            "tensors": 0 if golden == "unavailable" else 1,
            "mismatches": int(golden == "mismatch"),
            "first_mismatch": "operator 3" if golden == "mismatch" else None,
            "elements_differ": 5 if golden == "mismatch" else 0,
            "max_abs_diff": 12 if golden == "mismatch" else 0,
            "input_seed": 1,
            "reason": "no reference is available here" if golden == "unavailable" else None,
        },
        "stages": stages,
        "layers": [
            {
                "index": index,
                "op": op,
                "name": name,
                "engine": "none" if not share else "cpu",
                "kernel": f"nb_{op.lower()}",
                "macs": macs_,
                "weight_bytes": weights,
                "input_bytes": 8_000,
                "output_bytes": 8_000,
                "unit": layer_unit,
                "evidence": evidence,
                "value": round(infer * share),
            }
            for index, (op, name, macs_, weights, share) in enumerate(LAYERS)
        ]
        if stages
        else [],
        "memory": {
            "flash_bytes": 52_400,
            "ram_bytes": 25_632,
            "arena_bytes": 22_000,
            "weights_bytes": 38_100,
            "kernels_bytes": 7_200,
            "harness_flash_bytes": 6_900,
            "harness_ram_bytes": 1_320,
            "fixture_bytes": 490,
            "stack_bytes": 1_288,
            "baseline_flash_bytes": 412,
            "baseline_ram_bytes": 64,
            "data_bytes": 0,
            "scratch_bytes": 1_024,
            "regions": {"code": 52_400, "ram": 25_632},
        },
        "clock": {
            "counter_unit": "ticks",
            "counter_hz": 20_000_000,
            "nominal_hz": None,
            "tolerance_ppm": 10_000,
            "window_cost": 14,
            "selftest_expected": 20_000,
            "selftest_counted": 20_000,
            "source": "emulator: virtual time, no clock to check",
        },
        "answer": {"index": 3, "milli": 996},
        "environment": {
            "npubench": "0.1.0",
            "git": "756aba3",
            "platform": "Linux-x86_64",
            "python": "3.11.2",
            "tools": {"arm-none-eabi-gcc": "12.2.1", "qemu-system-arm": "7.2.0"},
            "flags": ["-O2", "-mcpu=cortex-m4", "-mthumb"],
            "elf_sha256": sha256(f"elf{board}"),
            "project_sha256": sha256("project"),
            "firmware": "npubench 0.1.0",
            "transport": "socket",
        },
        "command": ["npubench", "bench", model, "--board", board],
        "timings_s": {"compile": 0.021, "build": 0.412, "run": 0.988, "total": 1.421},
    }
    return RunRecord.model_validate(document | changes)


@pytest.fixture
def make_record() -> Callable[..., RunRecord]:
    """``build_record``, for tests."""
    return build_record


@pytest.fixture
def make_stored(tmp_path: Path) -> Callable[..., StoredRun]:
    """A record with a folder that need not exist."""

    def make(**fields: Any) -> StoredRun:
        record = build_record(**fields)
        return StoredRun(path=tmp_path / "runs" / record.run_id, record=record)

    return make
