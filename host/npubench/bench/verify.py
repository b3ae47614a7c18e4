"""A stored run verified: its files by their hashes, its numbers computed again from its own bytes.

A manifest alone proves little, since whoever rewrites a record can rewrite the manifest, too. So
every number that follows from raw bytes is derived once more: stages, layers and the answer from
the session, memory from ELF and link map, energy from samples and marks, identities from what the
device itself said. What cannot be derived is named. Nothing is built and no board is needed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from npubench.bench.derive import Derived, board_of, derive, derive_energy
from npubench.bench.record import answer_of
from npubench.build.memory import read_account, static_memory
from npubench.compiler.emit.project import read_project
from npubench.core.errors import NpubenchError
from npubench.core.stages import STAGE_CONTRACT_VERSION
from npubench.runs.archive import is_archive_name, opened
from npubench.runs.cite import (
    Citation,
    check_citation,
    find_cited,
    is_citation,
    parse_citation,
)
from npubench.runs.manifest import check_manifest, read_manifest
from npubench.runs.samples import FILE_NAME as SAMPLES_FILE
from npubench.runs.samples import make_samples, read_samples
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun, find_run, list_runs, read_run
from npubench.wire.failure import WrongFirmware

Status = Literal["ok", "differs", "unknown"]
Verdict = Literal["ok", "broken", "partial"]
RELATIVE = 1e-9
"""Floats that were written and read are equal; sums in another order differ by less than this."""
SHOWN_DIFFERENCES = 12
CHOSEN = ("kernel", "choice", "predicted")
"""Fields of a layer that today's compiler decides: no byte of the run tells them."""
MODELLED = ("cycles", "time_us", "energy_uj")
TIMES = ("median", "value", "low", "high")
"""Fields of stages and layers that are a model's of the part: another model says another thing."""
NPU_MODELLED = ("npu_cycles", "npu_work")
"""Fields of a layer that the NPU's timing model says."""
HOST_CLOCK = ("measured_hz", "uncertainty_ppm", "deviation_ppm", "source")
"""Fields of the clock that the host measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. ``unknown``: it cannot be derived, ``found`` says why."""

    what: str
    status: Status
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A run's verification. ``broken``: something is not what the run says; ``partial``: nothing
    is, but something that should be derivable could not be."""

    run_id: str
    checks: tuple[Check, ...]
    missing: tuple[str, ...]

    @property
    def status(self) -> Verdict:
        """The verdict over all checks."""
        if any(check.status == "differs" for check in self.checks):
            return "broken"
        return "partial" if any(check.status == "unknown" for check in self.checks) else "ok"

    def document(self) -> dict[str, Any]:
        """The verification as JSON values. ``not_derivable``: what no run can prove of itself."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "checks": [asdict(check) for check in self.checks],
            "not_derivable": list(self.missing),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifications:
    """All runs of what was named: one run, or an archive's."""

    runs: tuple[Verification, ...]

    @property
    def status(self) -> Verdict:
        """The worst of them."""
        found = {run.status for run in self.runs}
        return "broken" if "broken" in found else "partial" if "partial" in found else "ok"

    def document(self) -> dict[str, Any]:
        """One run's document, or a list of them under one status."""
        if len(self.runs) == 1:
            return self.runs[0].document()
        return {"status": self.status, "runs": [run.document() for run in self.runs]}


def verify_named(name: str, runs_dir: Path) -> Verifications:
    """Verify a run by its name or path, every run of an archive, or a citation: its run is looked
    for by the manifest's hash, and each part of the line is held against it.

    Raises ResultError when there is no such run, or the archive is damaged.
    """
    if is_citation(name):
        return Verifications(runs=(_verify_citation(parse_citation(name), runs_dir),))
    if is_archive_name(name) and Path(name).is_file():
        with opened(Path(name)) as folders:
            return Verifications(runs=tuple(verify_run(read_run(folder)) for folder in folders))
    return Verifications(runs=(verify_run(find_run(runs_dir, name)),))


def _verify_citation(citation: Citation, runs_dir: Path) -> Verification:
    run = find_cited(citation, list_runs(runs_dir).runs)
    whole = verify_run(run)
    claims = tuple(
        _check(claim.what, claim.status, claim.expected, claim.found)
        for claim in check_citation(citation, run)
    )
    return replace(whole, checks=(*claims, *whole.checks))


class _Subject:
    """A run under verification; its session is collected once."""

    def __init__(self, stored: StoredRun) -> None:
        self.stored = stored
        self.record = stored.record
        self.path = stored.path

    @cached_property
    def derived(self) -> Derived:
        return derive(self.stored)

    @property
    def has_session(self) -> bool:
        return all((self.path / name).is_file() for name in ("serial.bin", "sent.jsonl"))


def verify_run(stored: StoredRun) -> Verification:
    """Verify one run folder. Never raises for what is wrong in it: that is a check that differs."""
    checks: list[Check] = []
    subject = _Subject(stored)
    for group in (_files, _identities, _session, _samples, _accuracy, _memory, _energy):
        try:
            checks += group(subject)
        except NpubenchError as error:
            checks.append(_check(group.__name__.strip("_"), "unknown", "derived", error.message))
    return Verification(
        run_id=stored.record.run_id, checks=tuple(checks), missing=_not_derivable(stored.record)
    )


def _not_derivable(record: RunRecord) -> tuple[str, ...]:
    """What the run states and its bytes cannot show."""
    found = ["versions of tools, host and git state", "durations on the host"]
    if record.layers:
        found.append("the compiler's choice of kernels")
    if record.clock is not None and record.clock.measured_hz is not None:
        found.append("the measured clock: the host's time stamps are not in the session's bytes")
    if record.memory is not None and record.memory.baseline_flash_bytes is not None:
        found.append("memory of the empty firmware: its image is not in the run")
    if record.npu is not None:
        found.append("figures of the NPU's compiler")
    if any(item.form != "target" for item in record.accuracy):
        found.append("accuracy on the host: the whole test set is not in the run")
    return tuple(found)


def _files(run: _Subject) -> Iterator[Check]:
    manifest = read_manifest(run.path)
    if manifest is None:
        yield _check("manifest", "unknown", "manifest.json", "the run was stored before manifests")
        return
    if manifest.run_id != run.record.run_id:
        yield _check("manifest: run id", "differs", manifest.run_id, run.record.run_id)
    wrong = check_manifest(run.path, manifest)
    for item in wrong:
        yield _check(
            f"file {item.name}", "differs", item.expected or "no such file", item.found or "missing"
        )
    if not wrong:
        yield _check("files", "ok", f"{len(manifest.files)} by the manifest", "all equal")


def _identities(run: _Subject) -> Iterator[Check]:
    """Files against the hashes of the record, and both against what the device said."""
    record = run.record
    steps = record.import_steps
    network = steps[-1].output_sha256 if steps else record.model.network_sha256
    yield _hash(run, "model.tflite", "network", network)
    if record.model.artifact_sha256 != network:
        name = next(
            (name for name in ("artifact.tflite", "artifact.bin") if (run.path / name).exists()),
            "artifact.tflite",
        )
        yield _hash(run, name, "artifact", record.model.artifact_sha256)
    if record.environment.elf_sha256 is not None:
        yield _hash(run, "firmware.elf", "image", record.environment.elf_sha256)
    if record.environment.project_sha256 is not None:
        project = read_project(run.path / "project")
        yield _equal("project", record.environment.project_sha256, project.sha256)
    if record.stage_contract != STAGE_CONTRACT_VERSION:
        yield _check(
            "stage contract", "unknown", str(STAGE_CONTRACT_VERSION), str(record.stage_contract)
        )


def _session(run: _Subject) -> Iterator[Check]:
    """Everything that the board said, collected and judged again."""
    record = run.record
    if record.settings is None or record.status == "partial" or not run.has_session:
        yield _check("session", "unknown", "a whole session", f"the run is {record.status}")
        return
    try:
        again = run.derived
    except WrongFirmware as error:
        yield _check("device", "differs", "the firmware and network of the record", error.message)
        return
    yield _equal("device: network", record.model.artifact_sha256, again.session.caps.artifact)
    project = record.environment.project_sha256 or ""
    yield _equal("device: build", project[:16], again.session.caps.build)
    yield _equal("device: board", record.board, again.session.caps.board)
    yield from _values(record, again)


def _values(record: RunRecord, again: Derived) -> Iterator[Check]:
    findings = again.findings
    status = findings.status if record.status != "refused" else "refused"
    yield _equal("status", record.status, status)
    # Who was off was found by running other networks on the board; none is run here.
    yield _same("golden answer", record.golden, findings.golden, ("second_opinion",))
    others: dict[tuple[str, str], None] = {}
    for name in sorted({*record.stages, *findings.stages}):
        stage, again_stage = record.stages.get(name), findings.stages.get(name)
        ignored = _of_other_model(stage, again_stage, others)
        yield _same(f"stage {name}", stage, again_stage, ignored)
    config = None if record.npu is None else record.npu.config_sha256
    spoiled: tuple[str, ...] = ()
    if config is not None and again.npu_config not in (None, config):
        others[f"NPU {config[:12]}", f"NPU {str(again.npu_config)[:12]}"] = None
        spoiled = (*NPU_MODELLED, *MODELLED, *TIMES)
    differing = []
    for kept, derived in zip(record.layers, findings.layers, strict=False):
        # Records of before there was such a field; it is a model's, as the estimate beside it.
        newer = ("npu_work",) if kept.npu_work is None else ()
        of_npu = spoiled if kept.engine == "npu" else ()
        ignored = (*CHOSEN, *newer, *of_npu, *_of_other_model(kept, derived, others))
        check = _same(f"layer {kept.index} ({kept.op})", kept, derived, ignored)
        if check.status != "ok":
            differing.append(check)
    if len(record.layers) != len(findings.layers):
        differing.append(
            _check("layers", "differs", str(len(record.layers)), str(len(findings.layers)))
        )
    for theirs, todays in others:
        yield _check("modelled figures", "unknown", todays, f"by another model: {theirs}")
    yield from differing[:SHOWN_DIFFERENCES]
    if record.layers and not differing:
        yield _check("layers", "ok", f"{len(record.layers)}", "all equal")
    if record.clock is not None and findings.clock is not None:
        yield _same("counter", record.clock, findings.clock, HOST_CLOCK)
    yield _equal("answer", record.answer, answer_of(again.session))


def _of_other_model(
    kept: Any, derived: Any, others: dict[tuple[str, str], None]
) -> tuple[str, ...]:
    """The modelled fields that name another model than today's, which cannot be derived here; the
    pairs of models are added to ``others``."""
    found: dict[str, None] = {}
    for field, spoiled in (("cycles", MODELLED), ("energy_uj", ("energy_uj",))):
        theirs, todays = getattr(kept, field, None), getattr(derived, field, None)
        if theirs is not None and (todays is None or _model_of(theirs) != _model_of(todays)):
            others[theirs.model, "none" if todays is None else todays.model] = None
            found |= dict.fromkeys(spoiled)
        elif theirs is None and todays is not None:
            # The record was made before there was such a model.
            others["none", todays.model] = None
            found |= dict.fromkeys((*spoiled, *(TIMES if field == "cycles" else ())))
    return tuple(found)


def _model_of(value: Any) -> tuple[str, bool]:
    """A model by its name, and whether it said how far the ratio of two runs may be off."""
    return value.model, value.ratio_pct is not None


def _samples(run: _Subject) -> Iterator[Check]:
    if not run.has_session:
        return
    if not (run.path / SAMPLES_FILE).is_file():
        if run.record.stages and run.record.board_kind != "host":
            yield _check(SAMPLES_FILE, "unknown", "a file", "missing")
        return
    kept = read_samples(run.path)
    again = run.derived
    derived = make_samples(
        run.record,
        {stage.value: values for stage, values in again.findings.values.items()},
        again.raw_counts,
    )
    for mine, theirs in zip(kept, derived, strict=False):
        if (mine.stage, mine.rep, mine.unit, mine.raw_count) != (
            theirs.stage,
            theirs.rep,
            theirs.unit,
            theirs.raw_count,
        ) or not _close(mine.value, theirs.value):
            yield _check(
                f"sample {mine.rep} of {mine.stage}",
                "differs",
                f"{theirs.value} {theirs.unit} by the session's bytes",
                f"{mine.value} {mine.unit}",
            )
            return
    same = len(kept) == len(derived)
    yield _check(SAMPLES_FILE, "ok" if same else "differs", str(len(derived)), str(len(kept)))


def _accuracy(run: _Subject) -> Iterator[Check]:
    """What the target itself answered; where none is kept there is nothing to look at."""
    kept = [item for item in run.record.accuracy if item.form == "target"]
    if not kept or not run.has_session:
        return
    derived = [item for item in run.derived.findings.accuracy if item.form == "target"]
    for mine, theirs in zip(kept, [*derived, None], strict=False):
        yield _same(f"accuracy: {mine.metric}", mine, theirs)


def _memory(run: _Subject) -> Iterator[Check]:
    record = run.record.memory
    if record is None:
        return
    link_map = run.path / "firmware.map"
    if not link_map.is_file():
        yield _check("memory", "unknown", "firmware.map", "the run was stored without its link map")
        return
    static = static_memory(
        read_account(run.path / "firmware.elf", link_map, board_of(run.record)), None
    )
    derived = {
        "flash_bytes": static.flash_bytes,
        "ram_bytes": static.ram_bytes - record.arena_spare_bytes + (record.stack_bytes or 0),
        "arena_bytes": static.arena_bytes - record.arena_spare_bytes,
        "weights_bytes": static.weights_bytes,
        "kernels_bytes": static.kernels_bytes,
        "harness_flash_bytes": static.harness_flash_bytes,
        "harness_ram_bytes": static.harness_ram_bytes,
        "npu_driver_bytes": static.npu_driver_bytes,
        "fixture_bytes": static.fixture_bytes,
        "data_bytes": static.data_bytes,
        "scratch_bytes": static.scratch_bytes,
        "regions": dict(static.regions),
    }
    kept = record.model_dump(mode="json", include=set(derived))
    yield from _compared("memory", kept, derived)


def _energy(run: _Subject) -> Iterator[Check]:
    record = run.record.energy
    if record is None:
        return
    again = derive_energy(run.stored)
    yield _same("energy verdict", _Only(record.verdict), _Only(again.verdict))
    if record.verdict == again.verdict == "refused":
        return
    yield _same("idle power", _Only(record.idle_uw), _Only(again.idle_uw))
    for name in sorted({*record.stages, *again.stages}):
        yield _same(f"energy of {name}", record.stages.get(name), again.stages.get(name))


# --- comparing -----------------------------------------------------------------------------------


class _Only:
    """A bare value beside records."""

    def __init__(self, value: object) -> None:
        self.value = value

    def model_dump(self, **_: object) -> dict[str, object]:
        return {"value": self.value}


def _same(what: str, kept: Any, derived: Any, ignored: tuple[str, ...] = ()) -> Check:
    """Two records field by field; the first difference is named."""
    if kept is None or derived is None:
        same = kept is derived
        return _check(what, "ok" if same else "differs", _there(derived), _there(kept))
    left, right = kept.model_dump(mode="json"), derived.model_dump(mode="json")
    for field in ignored:
        left.pop(field, None)
        right.pop(field, None)
    return next(iter(_compared(what, left, right)))


def _compared(what: str, kept: dict[str, Any], derived: dict[str, Any]) -> Iterator[Check]:
    for field in sorted({*kept, *derived}):
        if not _close(kept.get(field), derived.get(field)):
            yield _check(
                f"{what}: {field}", "differs", str(derived.get(field)), str(kept.get(field))
            )
            return
    yield _check(what, "ok", "as derived", "equal")


def _equal(what: str, expected: object, found: object) -> Check:
    return _check(what, "ok" if expected == found else "differs", str(expected), str(found))


def _close(left: Any, right: Any) -> bool:
    if isinstance(left, float) or isinstance(right, float):
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            return bool(left == right)
        return math.isclose(left, right, rel_tol=RELATIVE, abs_tol=0.0)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_close(left[key], right[key]) for key in left)
    return bool(left == right)


def _hash(run: _Subject, name: str, what: str, expected: str) -> Check:
    path = run.path / name
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return _check(f"{what}: {name}", "differs", expected, error.strerror or "unreadable")
    return _equal(f"{what}: {name}", expected, found)


def _there(value: object) -> str:
    return "absent" if value is None else "present"


def _check(what: str, status: Status, expected: str, found: str) -> Check:
    return Check(what=what, status=status, expected=expected, found=found)
