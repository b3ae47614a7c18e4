"""A kernel that became three per cent slower fails the gate, and the sentence names its layer."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import pytest

from npubench.bench.job import Settings, resolve_jobs
from npubench.bench.run import run_job
from npubench.compiler.compiled import compile_network, read_network
from npubench.compiler.emit import sources
from npubench.core.progress import Silent
from npubench.runs.gate import gate_runs
from npubench.runs.policy import parse_rules
from npubench.runs.store import StoredRun

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
]
KERNEL = "kernels/portable/softmax_s8.c"
LOOP = "for (volatile int nb_idle = 0; nb_idle < 1200; nb_idle += 1) {}\n"


def run_digits(runs_dir: Path) -> StoredRun:
    (job,) = resolve_jobs(["digits"], ["qemu-m4"], ["cpu"])
    compiled = compile_network(read_network(job.model), job.board, job.backend)
    return run_job(
        job,
        compiled,
        Settings(),
        runs_dir=runs_dir,
        reporter=Silent(),
        cancelled=threading.Event(),
    )


def test_a_planted_slowdown_fails_with_the_layer_that_it_is_in(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run_digits(tmp_path / "before")
    firmware = Path(shutil.copytree(checkout / "firmware", tmp_path / "firmware"))
    kernel = firmware / KERNEL
    text, count = re.subn(
        r"(\nvoid nb_softmax_s8\([^{]*\{\n)", rf"\g<1>    {LOOP}", kernel.read_text()
    )
    assert count == 1
    kernel.write_text(text)
    monkeypatch.setattr(sources, "firmware_root", lambda: firmware)
    after = run_digits(tmp_path / "after")
    assert after.record.status == "ok"
    gate = gate_runs(before, after, parse_rules(["infer>2%"]))
    assert gate.status == "fail"
    (item,) = gate.pairs[0].metrics
    assert item.growth is not None
    assert 0.02 < item.growth < 0.06
    assert "SOFTMAX" in item.sentence
    same = gate_runs(before, run_digits(tmp_path / "again"), parse_rules(["infer>0"]))
    assert same.status == "fail"
    monkeypatch.undo()
    assert gate_runs(before, run_digits(tmp_path / "undone"), parse_rules(["infer>0"])).status == (
        "pass"
    )
