"""Any MODEL to an int8 .tflite: the one door of every verb.

A zoo id and an int8 .tflite go through as they are. All else is converted, compared with its
source, quantized, compared with the float network, and kept.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from npubench.compiler.findings import DEAD_IN_CALIBRATION, SYNTHETIC_CALIBRATION
from npubench.compiler.importers import kept
from npubench.compiler.importers.interface import (
    FLOAT,
    REFERENCE,
    Carried,
    Carrier,
    Converted,
    Importer,
    Source,
)
from npubench.compiler.importers.kept import MODEL, Kept
from npubench.compiler.importers.litert import quantizer_version
from npubench.compiler.importers.registry import importer_of
from npubench.compiler.importers.samples import Input, brought, content_sha256, synthetic
from npubench.compiler.importers.wishes import MIN_SOURCE_SNR_DB, Wishes, wishes_for
from npubench.compiler.quantize.made import make
from npubench.compiler.quantize.worker import run_isolated
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import CompileError, UsageError
from npubench.core.finding import Found
from npubench.core.progress import Event, Reporter, Silent, step
from npubench.core.version import VERSION
from npubench.zoo import Brought, ImportStep, ResolvedModel, load_zoo, model_id_of, resolve_model

WORST_LAYERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An imported network and what its user should know: see ``kept.Kept`` for ``meta``."""

    model: ResolvedModel
    kept: Kept
    fresh: bool


def load_model(
    argument: str, said: Mapping[str, Any] | None = None, *, reporter: Reporter | None = None
) -> ResolvedModel:
    """The network that a MODEL argument means, as an int8 .tflite.

    ``said``: wishes from the command line, by field of ``Wishes``. Raises UsageError, ConfigError
    and CompileError with what to do, ToolMissing with the command that sets a converter up and its
    cost, ToolError when a converter crashes.
    """
    found = source_of(argument)
    if found is None:
        if said and any(said.values()) and not _is_zoo(argument):
            raise UsageError(
                f"{argument} is an int8 .tflite: there is nothing to convert or quantize",
                hint="leave the options of the import out, or bring the float model",
            )
        if _is_zoo(argument) and not load_zoo(argument).committed:
            make(argument, reporter=reporter)
        return resolve_model(argument)
    imported = import_source(*found, said, reporter=reporter)
    tell(reporter or Silent(), imported)
    return imported.model


def source_of(argument: str) -> tuple[Source, str, Importer | Carrier] | None:
    """What is to be imported, and by whom; None for a zoo id, an int8 .tflite and all that no
    importer takes."""
    path, member = Path(argument), ""
    try:
        if not path.exists() and ":" in argument:
            head, _, member = argument.rpartition(":")
            path = Path(head)
        if not path.exists():
            return None
        found = importer_of(path, member)
        if found is None:
            return None
        sha256 = _sha256(path)
    except ValueError:  # a name that no file system takes
        return None
    except OSError as error:
        raise UsageError(f"cannot read model {argument}: {error.strerror or error}") from error
    return Source(path=path, member=member, sha256=sha256), *found


def import_source(
    source: Source,
    name: str,
    importer: Importer | Carrier,
    said: Mapping[str, Any] | None = None,
    *,
    reporter: Reporter | None = None,
) -> Import:
    """Import, or find the import that was made before. Raises as ``load_model``."""
    wishes = wishes_for(source.path, said)
    versions = f"{name} {importer.tool_version()}"
    if not isinstance(importer, Carrier):
        versions += f" quantizer {quantizer_version()}"
    data = [
        content_sha256(path) if path is not None and path.exists() else str(path)
        for path in (wishes.calibration, wishes.weights)
    ]
    folder = kept.place(source.sha256, source.member, versions, wishes.key(), *data)
    found = kept.find(folder)
    fresh = found is None
    if found is None:
        with step(reporter or Silent(), source.path.name, "import"):
            said_to = reporter or Silent()
            if isinstance(importer, Carrier):
                found = _carried(source, importer, wishes, folder, said_to)
            else:
                found = _made(source, importer, wishes, folder, said_to)
    if found.meta["outputs_snr_db"]:
        _refuse_noise(found, wishes, source)
    return Import(model=_resolved(source, found, wishes), kept=found, fresh=fresh)


def _made(
    source: Source, importer: Importer, wishes: Wishes, folder: Path, reporter: Reporter
) -> Kept:
    job = source.path.name
    if wishes.calibration is not None and not wishes.calibration.exists():
        raise UsageError(f"there is no calibration data {wishes.calibration}")
    with tempfile.TemporaryDirectory(prefix="npubench-import-") as name:
        work = Path(name)
        with step(reporter, job, "convert", detail=importer.title):
            converted = importer.convert(source, wishes, work)
        (work / kept.LOG).write_text(converted.log, encoding="utf-8")
        reference = work / REFERENCE
        with step(reporter, job, "compare with the source"):
            face = run_isolated(
                {
                    "do": "face",
                    "float": str(work / FLOAT),
                    "reference": str(reference) if reference.exists() else None,
                    "output_names": list(converted.output_names),
                }
            )
        _refuse_difference(face, converted, source)
        inputs = [
            Input(name=item["name"], shape=tuple(item["shape"]), dtype=item["dtype"])
            for item in face["inputs"]
        ]
        samples = (
            synthetic(inputs, wishes.synthetic)
            if wishes.calibration is None
            else brought(wishes.calibration, inputs, wishes.preprocess)
        )
        np.savez(work / "samples.npz", **dict(samples.values))  # type: ignore[arg-type]
        with step(reporter, job, "quantize", detail=samples.origin):
            answer = run_isolated(
                {
                    "do": "post",
                    "float": str(work / FLOAT),
                    "samples": str(work / "samples.npz"),
                    "scheme": wishes.quantization,
                    "out": str(work / MODEL),
                }
            )
        if answer["floating"]:
            shown = ", ".join(answer["floating"][:5])
            raise CompileError(
                f"{len(answer['floating'])} operators of {source.title} have no integer form: "
                f"{shown}",
                hint="replace them in the model; every layer must run on integers",
            )
        meta = _meta(source, converted, wishes, face, answer, samples.origin, work)
        read_tflite((work / MODEL).read_bytes(), name=source.path.stem)
        return kept.keep(work, folder, meta)


def _carried(
    source: Source, importer: Carrier, wishes: Wishes, folder: Path, reporter: Reporter
) -> Kept:
    with tempfile.TemporaryDirectory(prefix="npubench-import-") as name:
        work = Path(name)
        with step(reporter, source.path.name, "take over", detail=importer.title):
            carried = importer.carry(source, wishes, work)
        (work / kept.LOG).write_text(carried.log, encoding="utf-8")
        (work / MODEL).write_bytes(carried.data)
        graph = read_tflite(carried.data, name=source.path.stem)
        network_sha256 = _network_sha256(source, carried)
        tensors = [graph.tensor(index) for index in graph.inputs]
        meta = {
            "npubench": VERSION,
            "source": source.path.name,
            "network_sha256": network_sha256,
            "artifact_sha256": graph.sha256,
            "dependencies": _hashes(carried.dependencies),
            "inputs": [
                {"name": one.name, "shape": list(one.shape), "dtype": one.dtype.value}
                for one in tensors
            ],
            "layouts": [],
            "snr_db_to_source": None,
            "outputs_snr_db": [],
            "layers": [],
            "dead": [],
            "quantization": "as brought",
            "calibration": "the network's own",
            "steps": [
                {
                    "tool": carried.tool,
                    "version": carried.version,
                    "input_sha256": network_sha256,
                    "output_sha256": graph.sha256,
                    "details": dict(carried.details),
                }
            ],
        }
        return kept.keep(work, folder, meta)


def _hashes(paths: tuple[Path, ...]) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _meta(
    source: Source,
    converted: Converted,
    wishes: Wishes,
    face: dict[str, Any],
    answer: dict[str, Any],
    origin: str,
    work: Path,
) -> dict[str, Any]:
    float_sha256 = hashlib.sha256((work / FLOAT).read_bytes()).hexdigest()
    artifact_sha256 = hashlib.sha256((work / MODEL).read_bytes()).hexdigest()
    network_sha256 = _network_sha256(source, converted)
    steps = []
    if converted.version:
        steps.append(
            {
                "tool": converted.tool,
                "version": converted.version,
                "input_sha256": network_sha256,
                "output_sha256": float_sha256,
                "details": {
                    **converted.details,
                    "snr_db_to_source": face["snr_db"],
                    "input_layouts": ", ".join(face["layouts"]),
                },
            }
        )
    worst = sorted(answer["layers"], key=lambda layer: float(layer["snr_db"]))[:WORST_LAYERS]
    steps.append(
        {
            "tool": "ai-edge-quantizer",
            "version": quantizer_version(),
            "input_sha256": float_sha256,
            "output_sha256": artifact_sha256,
            "details": {
                "quantization": wishes.quantization,
                "calibration": origin,
                "calibrated_on_real_data": wishes.calibration is not None,
                "snr_db_of_outputs": min(answer["outputs"]),
                "worst_layers": "; ".join(
                    f"{layer['op']} {layer['name'][:60]} {layer['snr_db']:.1f} dB"
                    for layer in worst
                ),
                "dead_channels": sum(item["channels"] for item in answer["dead"]),
            },
        }
    )
    return {
        "npubench": VERSION,
        "source": source.path.name + (f":{source.member}" if source.member else ""),
        "network_sha256": network_sha256,
        "artifact_sha256": artifact_sha256,
        "dependencies": _hashes(converted.dependencies),
        "inputs": face["inputs"],
        "layouts": face["layouts"],
        "snr_db_to_source": face["snr_db"],
        "outputs_snr_db": answer["outputs"],
        "layers": answer["layers"],
        "dead": answer["dead"],
        "quantization": wishes.quantization,
        "calibration": origin,
        "steps": steps,
    }


def _network_sha256(source: Source, converted: Converted | Carried) -> str:
    """Of the file as brought; with the files that it reads, where it reads some."""
    if not converted.dependencies:
        return source.sha256
    digest = hashlib.sha256(source.sha256.encode())
    for path in sorted(converted.dependencies):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _refuse_difference(face: dict[str, Any], converted: Converted, source: Source) -> None:
    """Refuse a conversion that computes something else."""
    snr_db = face["snr_db"]
    if snr_db is None or snr_db >= MIN_SOURCE_SNR_DB:
        return
    why = face.get("why") or f"its outputs agree to {snr_db:.1f} dB only"
    raise CompileError(
        f"{converted.tool} {converted.version} converts {source.title} to another network: {why} "
        f"({MIN_SOURCE_SNR_DB:g} dB are needed)",
        hint="try another form of the model (Keras, ONNX, PyTorch), or simplify what it computes",
    )


def _refuse_noise(found: Kept, wishes: Wishes, source: Source) -> None:
    """Refuse a quantized network that answers something else than the float one."""
    worst_db = min(found.meta["outputs_snr_db"])
    if worst_db >= wishes.min_snr_db:
        return
    layers = sorted(found.meta["layers"], key=lambda layer: float(layer["snr_db"]))[:WORST_LAYERS]
    named = "; ".join(
        f"{item['op']} {item['name'][:60]} {item['snr_db']:.1f} dB" for item in layers
    )
    raise CompileError(
        f"{found.meta['source']} as {wishes.quantization} is {worst_db:.1f} dB from the float "
        f"network, {wishes.min_snr_db:g} dB are needed; worst layers: {named}",
        hint="calibrate on real inputs (--calibration), or quantize as int16x8; "
        f"--min-snr-db takes {source.path.name} all the same",
    )


def _resolved(source: Source, found: Kept, wishes: Wishes) -> ResolvedModel:
    steps = tuple(
        ImportStep(
            tool=item["tool"],
            version=item["version"],
            input_sha256=item["input_sha256"],
            output_sha256=item["output_sha256"],
            details=tuple(item["details"].items()),
        )
        for item in found.meta["steps"]
    )
    stem = source.path if not source.member else source.path.with_name(source.member)
    return replace(
        ResolvedModel(id=model_id_of(stem), path=found.model, entry=None),
        brought=Brought(
            source=found.meta["source"],
            network_sha256=found.meta["network_sha256"],
            float_path=found.float_model if found.float_model.exists() else found.model,
            steps=steps,
            preprocess=wishes.preprocess.model_dump_json(),
            findings=remarks(found),
        ),
    )


def remarks(one: Kept) -> tuple[Found, ...]:
    """What the user of an import should know."""
    found = []
    if one.meta["calibration"].startswith("synthetic"):
        found.append(SYNTHETIC_CALIBRATION.found())
    dead = sum(item["channels"] for item in one.meta["dead"])
    if dead:
        found.append(DEAD_IN_CALIBRATION.found(channels=dead))
    return tuple(found)


def tell(reporter: Reporter, imported: Import) -> None:
    """Report the remarks of an import that was just made."""
    if imported.fresh:
        for found in remarks(imported.kept):
            said = Event(job=imported.model.id, step="remark", state="note", detail=found.text)
            reporter.event(said)


def _is_zoo(argument: str) -> bool:
    from npubench.zoo import zoo_ids

    return argument in zoo_ids()


def _sha256(path: Path) -> str:
    if path.is_dir():
        return content_sha256(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
