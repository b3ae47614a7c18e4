"""Power on the virtual bench: from a network to energy by stage, and MLPerf's energy mode."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from npubench.boards import load_board
from support.standing import assert_as_told

MAIN = "from npubench.cli.main import main; main()"

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(
        shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
        reason="needs qemu-system-arm and arm-none-eabi-gcc",
    ),
]


def bench(folder: Path, *words: str, board: str = "qemu-m4", code: int = 0) -> dict[str, Any]:
    """The one run of a bench command."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            MAIN,
            "bench",
            "digits",
            "--board",
            board,
            "--runs-dir",
            str(folder / "runs"),
            "--json",
            *words,
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stderr
    runs: list[dict[str, Any]] = json.loads(done.stdout)["runs"]
    assert len(runs) == 1
    return runs[0]


def test_a_bench_with_a_simulated_analyzer_ends_in_energy_by_stage(tmp_path: Path) -> None:
    run = bench(tmp_path, "--power", "ppk2-sim", "--report", str(tmp_path / "report.html"))
    energy = run["energy"]
    assert run["status"] == "ok"
    assert_as_told(run["run_dir"])
    assert energy["verdict"] == "ok"
    assert energy["reasons"] == []
    assert energy["evidence"] == "modelled"
    assert energy["instrument"]["serial"] == ""
    assert energy["voltage_source"] == "declared"
    assert abs(energy["clock_ppm"] - 21) < 10
    infer, load = energy["stages"]["infer"], energy["stages"]["load"]
    # The model's current and voltage, for the time that the board's own counts give.
    model = load_board("qemu-m4").power
    assert model is not None
    seconds = run["stages"]["infer"]["median"] * 128e-9
    truth_uj = model.stage_ua["infer"] * model.supply_mv / 1000 * seconds
    assert infer["gross_low_uj"] <= truth_uj <= infer["gross_high_uj"]
    assert infer["net_uj"] < infer["gross_uj"]
    assert load["repeats"] > 10
    text = (tmp_path / "report.html").read_text()
    assert 'class="trace"' in text
    assert (Path(run["run_dir"]) / "power" / "part-000000.parquet").exists()
    picture = tmp_path / "trace.png"
    subprocess.run(
        [
            sys.executable,
            "-c",
            MAIN,
            "power",
            "view",
            run["run_dir"],
            "--png",
            str(picture),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_part_with_an_npu_is_seen_at_its_own_pace(tmp_path: Path) -> None:
    """The instrument sees the middle of what the part's published power and modelled time give."""
    words = ("--on-model", "--power", "ppk2-sim")
    run = bench(tmp_path, *words, board="grove-vision-ai-v2")
    energy, modelled = run["energy"], run["stages"]["infer"]["energy_uj"]
    assert energy["verdict"] == "ok"
    assert_as_told(run["run_dir"])
    infer = energy["stages"]["infer"]
    assert modelled["low"] < infer["gross_uj"] < modelled["high"]
    stage = run["stages"]["infer"]
    assert stage["low"] <= infer["duration_us"] <= stage["high"]
    # The CPU's share lies between bounds of what it executed.
    cycles = stage["cycles"]
    assert 0.5 * stage["cpu_instructions"] < cycles["low"] < cycles["high"]
    assert "counted classes" in cycles["model"]
    # What the part takes asleep was not published.
    assert infer["net_uj"] is None
    assert energy["idle_uw"] is None


def test_a_bad_capture_refuses_the_run_and_keeps_its_timing(tmp_path: Path) -> None:
    run = bench(tmp_path, "--power", "ppk2-sim", "--power-fault", "counter-gap", code=1)
    assert run["status"] == "refused"
    assert run["energy"]["verdict"] == "refused"
    assert run["energy"]["reasons"][0].startswith("samples-lost: ")
    assert run["energy"]["stages"] == {}
    assert run["stages"]["infer"]["median"] > 0
    assert run["golden"]["status"] == "match"


def test_a_stored_capture_is_replayed_for_the_firmware_that_made_it(tmp_path: Path) -> None:
    first = bench(tmp_path, "--power", "ppk2-sim")
    stored = Path(first["run_dir"]) / "power"
    (tmp_path / "bench.toml").write_text(
        f'schema = 1\n[power.again]\ndriver = "replay"\nport = "{stored}"\n'
    )
    energy = bench(tmp_path, "--power", "again")["energy"]
    assert energy["verdict"] == "ok"
    assert energy["evidence"] == "modelled"
    assert energy["instrument"]["simulated"]
    assert energy["stages"] == first["energy"]["stages"]

    other = bench(tmp_path, "--power", "again", board="qemu-m7", code=1)
    assert other["status"] == "refused"
    assert "not of qemu-m7" in other["energy"]["reasons"][0]


@pytest.mark.long  # two runs on an emulated board, the second through a simulated instrument
def test_the_hint_that_bench_prints_works_as_it_is_printed(tmp_path: Path) -> None:
    """No word is added: the command is taken from the terminal and from the report."""

    def typed(line: str) -> str:
        words = shlex.split(line)
        assert words.pop(0) == "npubench"
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    shown = typed("npubench bench digits --board qemu-m4")
    (hint,) = re.findall(r"npubench bench [^\n]*--power [^\n]*", shown)
    page = (tmp_path / "npubench-report.html").read_text(encoding="utf-8")
    assert set(re.findall(r"npubench bench [^\n<]*--power [\w-]*", page)) == {hint}
    assert "Energy of an inference" in typed(hint)
    runs = [json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*/run.json")]
    assert sorted(run["energy"] is not None for run in runs) == [False, True]
    assert [run["energy"]["verdict"] for run in runs if run["energy"]] == ["ok"]
