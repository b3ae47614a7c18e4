"""From a job to a firmware image: build what was compiled, account for its memory."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from npubench.bench.artifact import hand_over
from npubench.bench.job import Job
from npubench.build.baseline import build_baseline
from npubench.build.firmware import Firmware, build_firmware, require_port
from npubench.build.memory import StaticMemory, account_memory
from npubench.compiler.backends import configured_backend
from npubench.compiler.compiled import (
    Compiled,
    Network,
    compile_network,
    read_network,
    write_source,
)
from npubench.compiler.vendor.simulated import SimulatedBackend
from npubench.core.errors import ConfigError, StorageError
from npubench.core.progress import Event, Reporter, Silent, step
from npubench.emulators.board_model.description import models_driver
from npubench.zoo import ResolvedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An image that is ready to boot or to flash, with its memory account."""

    compiled: Compiled
    firmware: Firmware
    memory: StaticMemory


def read_remarked(model: ResolvedModel, reporter: Reporter) -> Network:
    """Parse a model file and tell what its user should know before it is run."""
    network = read_network(model)
    brought = model.brought
    told = () if brought is None else brought.findings  # when it was imported
    for found in (one for one in network.findings if one not in told):
        reporter.event(Event(job=model.id, step="remark", state="note", detail=found.text))
    return network


def compile_job(
    job: Job, network: Network | None = None, *, reporter: Reporter | None = None
) -> Compiled:
    """The job's network for its target, see compile_network; ``network`` if it was read before.
    A backend of a vendor with a simulator hands over what it compiled, see artifact.hand_over."""
    found = read_remarked(job.model, reporter or Silent()) if network is None else network
    backend = configured_backend(job.backend, job.options)
    if isinstance(backend, SimulatedBackend):
        return hand_over(job, found, backend)
    return compile_network(found, job.board, job.backend, job.options)


def require_engine(compiled: Compiled, *, on_model: bool) -> None:
    """Refuse what a board's model cannot run: most play the processor alone. Raises ConfigError."""
    driver = compiled.plan.driver
    if on_model and driver != "none" and not models_driver(compiled.board, driver):
        raise ConfigError(
            f"the model of {compiled.board.id} has no NPU: it plays the processor and cannot run "
            f"what is compiled for driver {driver!r}",
            hint="run it on the board itself (without --on-model), or on the CPU: --backend cpu",
        )


def build_image(compiled: Compiled, job: Job, reporter: Reporter) -> Prepared:
    """Build the image and its board's baseline, and account for their memory. Raises ConfigError,
    before anything is built, when the board is a model without the engine."""
    require_engine(compiled, on_model=job.board.is_model)
    with step(reporter, job.title, "build"):
        firmware = build_firmware(
            compiled.project, compiled.board, reporter=reporter, job=job.title
        )
    baseline = None if compiled.board.hosted else build_baseline(compiled.board, reporter)
    memory = account_memory(firmware, compiled.board, compiled.plan, baseline=baseline)
    return Prepared(compiled=compiled, firmware=firmware, memory=memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """A firmware image on disk. ``elf`` and ``project`` lie in the output folder where one was
    named, else in the cache."""

    job: Job
    prepared: Prepared
    elf: Path
    project: Path

    def document(self) -> dict[str, Any]:
        """The image as JSON values."""
        firmware = self.prepared.firmware
        return {
            "target": str(self.job.target),
            "board": self.job.board.id,
            "backend": self.job.backend,
            "model": self.job.model.id,
            "elf": str(self.elf.resolve()),
            "project": str(self.project.resolve()),
            "elf_sha256": firmware.elf_sha256,
            "project_sha256": firmware.project_sha256,
            "cached": firmware.cached,
            "memory": asdict(self.prepared.memory),
        }


def build_to(job: Job, output: Path | None, reporter: Reporter) -> BuiltImage:
    """Compile and build a job's image and, where a folder is named, copy image and project there.

    Of a board that cannot be built here the project is written all the same, and the error says
    what is missing. Raises StorageError when the folder cannot be written.
    """
    compiled = compile_job(job, reporter=reporter)
    if output is not None and job.board.status.missing:
        write_source(compiled, output / "project")
        require_port(job.board, project=output / "project")
    prepared = build_image(compiled, job, reporter)
    firmware = prepared.firmware
    if output is None:
        return BuiltImage(
            job=job, prepared=prepared, elf=firmware.elf, project=firmware.project_dir
        )
    try:
        shutil.copytree(firmware.project_dir, output / "project", dirs_exist_ok=True)
        image = Path(shutil.copy2(firmware.elf, output / "firmware.elf"))
        shutil.copy2(firmware.map, output / "firmware.map")
    except OSError as error:  # shutil.Error, too
        raise StorageError(
            f"{output}: cannot be written: {error.strerror or error}",
            hint=f"choose another folder with --output; the image is ready: {firmware.elf}",
        ) from error
    return BuiltImage(job=job, prepared=prepared, elf=image, project=output / "project")
