"""A stored run made once more: the same project built elsewhere, the same questions asked again.

The project in the run folder is built, not one that today's compiler would emit, in a folder of its
own with an empty cache. An ELF that is identical to the byte is the same firmware; what then
differs lies in the board, the emulator or the collector.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from npubench.bench.derive import job_of, read_file
from npubench.bench.job import Job, Settings
from npubench.bench.prepare import Prepared, compile_job
from npubench.bench.record import Findings
from npubench.bench.run import judge
from npubench.bench.session import collect
from npubench.build.firmware import Firmware, build_firmware
from npubench.build.memory import account_memory
from npubench.compiler.compiled import Compiled, read_bytes
from npubench.compiler.emit.project import read_project
from npubench.core.errors import ResultError
from npubench.core.evidence import Evidence
from npubench.core.progress import Reporter
from npubench.runs.compare import NATURE
from npubench.runs.samples import read_samples
from npubench.runs.schema import StageRecord
from npubench.runs.store import StoredRun
from npubench.stats.compare import Verdict, compare_samples

NOT_DIFFERENT = (Verdict.EQUAL, Verdict.NEGLIGIBLE, Verdict.NOT_SHOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproducedStage:
    """One stage, then and now, in ``unit``. ``same``: equal where it is deterministic, else no
    difference that the data carries."""

    stage: str
    unit: str
    then: float | None
    now: float | None
    same: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What came out. ``tools``: each tool whose version is another one: then and now."""

    run_id: str
    elf_identical: bool
    elf_then: str
    elf_now: str
    tools: Mapping[str, tuple[str, str]]
    golden: str
    stages: tuple[ReproducedStage, ...]
    built_only: bool

    @property
    def status(self) -> Literal["reproduced", "built", "differs"]:
        """``built``: the ELF is identical and nothing was run, on request."""
        same = self.elf_identical and all(stage.same for stage in self.stages)
        if not same or (not self.built_only and self.golden == "mismatch"):
            return "differs"
        return "built" if self.built_only else "reproduced"

    def document(self) -> dict[str, Any]:
        """The reproduction as JSON values."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "elf_identical": self.elf_identical,
            "elf_then": self.elf_then,
            "elf_now": self.elf_now,
            "tools": {name: {"then": a, "now": b} for name, (a, b) in self.tools.items()},
            "golden": self.golden,
            "stages": [asdict(stage) for stage in self.stages],
        }


def reproduce_run(
    stored: StoredRun, *, reporter: Reporter, port: str | None = None, build_only: bool = False
) -> Reproduction:
    """Build a run's project again and, unless ``build_only``, run it on the same kind of target.

    ``port`` names a physical board's console. Raises ResultError for a run that never had an image,
    and what building, flashing and running raise.
    """
    record = stored.record
    if record.environment.elf_sha256 is None:
        raise ResultError(
            f"{record.run_id}: it never had an image: it is {record.status}",
            hint="nothing can be reproduced of a run that was not built",
        )
    job, settings = job_of(stored)
    project = read_project(stored.path / "project")
    with tempfile.TemporaryDirectory(prefix="npubench-reproduce-") as scratch:
        firmware = build_firmware(
            project, job.board, reporter=reporter, job=job.title, cache=Path(scratch)
        )
        stages: tuple[ReproducedStage, ...] = ()
        golden = "not run"
        if not build_only:
            again = _run(stored, job, replace(settings, port=port), firmware, reporter)
            golden = again.golden.status
            stages = _compare(stored, again)
    then, now = record.environment.tools, firmware.tools
    return Reproduction(
        run_id=record.run_id,
        elf_identical=firmware.elf_sha256 == record.environment.elf_sha256,
        elf_then=record.environment.elf_sha256,
        elf_now=firmware.elf_sha256,
        tools={
            name: (then.get(name, "absent"), now.get(name, "absent"))
            for name in sorted({*then, *now})
            if then.get(name) != now.get(name)
        },
        golden=golden,
        stages=stages,
        built_only=build_only,
    )


def _run(
    stored: StoredRun, job: Job, settings: Settings, firmware: Firmware, reporter: Reporter
) -> Findings:
    record = stored.record
    compiled = _compiled(stored, job)
    prepared = Prepared(
        compiled=compiled,
        firmware=firmware,
        memory=account_memory(firmware, job.board, compiled.plan, baseline=None),
    )
    if record.settings is not None and record.settings.own_input:
        settings = replace(settings, input_path=stored.path / "input.bin")
    session = collect(
        job, prepared, settings, log=io.BytesIO(), sent_log=io.StringIO(), reporter=reporter
    )
    findings = Findings()
    judge(job, compiled, settings, findings, session, reporter)
    return findings


def _compiled(stored: StoredRun, job: Job) -> Compiled:
    """The network as compiled today, with what really ran as its artifact."""
    network = read_bytes(job.model, read_file(stored, "model.tflite"))
    compiled = compile_job(job, network)
    kept = next(
        (name for name in ("artifact.tflite", "artifact.bin") if (stored.path / name).is_file()),
        "model.tflite",
    )
    plan = replace(
        compiled.plan,
        artifact=read_file(stored, kept),
        artifact_sha256=stored.record.model.artifact_sha256,
    )
    return replace(compiled, plan=plan)


def _compare(stored: StoredRun, again: Findings) -> tuple[ReproducedStage, ...]:
    kept: dict[str, list[float]] = {}
    for sample in read_samples(stored.path):
        kept.setdefault(sample.stage, []).append(float(sample.value))
    return tuple(
        _stage(name, stage, kept.get(name, []), again)
        for name, stage in stored.record.stages.items()
        if stage.median is not None
    )


def _stage(name: str, then: StageRecord, samples: list[float], again: Findings) -> ReproducedStage:
    now = again.stages.get(name)
    median = None if now is None else now.median
    if now is None or median is None or then.median is None:
        same, reason = False, "it was not measured this time"
    elif then.deterministic or then.evidence is not Evidence.MEASURED:
        same = median == then.median
        reason = "equal" if same else "a deterministic count is another one"
    else:
        fresh = [float(value) for value in again.values.get(_stage_key(again, name), ())]
        hz = None if again.clock is None else again.clock.measured_hz
        if hz and then.unit == "us":
            fresh = [value * 1e6 / hz for value in fresh]
        found = compare_samples(samples, fresh, nature=NATURE[then.evidence])
        same, reason = found.verdict in NOT_DIFFERENT, found.reason
    return ReproducedStage(
        stage=name,
        unit=then.unit,
        then=None if then.median is None else float(then.median),
        now=None if median is None else float(median),
        same=same,
        reason=reason,
    )


def _stage_key(again: Findings, name: str) -> Any:
    return next((stage for stage in again.values if stage.value == name), name)
