"""A network of another framework, imported and kept as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npubench.compiler.compiled import Network, read_network
from npubench.compiler.importers.load import import_source, source_of
from npubench.compiler.quantize.saved import write_replacing
from npubench.core.errors import UsageError
from npubench.core.finding import Found
from npubench.core.progress import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The int8 network, what is known of its way (``meta``), and where it was kept, if it was."""

    network: Network
    meta: Mapping[str, Any]
    findings: tuple[Found, ...]
    output: Path | None


def import_file(
    file: str, output: Path | None, wishes: Mapping[str, Any], *, reporter: Reporter
) -> Imported:
    """Import a file and analyse what came out; ``output`` receives the .tflite.

    Raises UsageError for a file that cannot be imported or an output that is no .tflite, what the
    import raises, StorageError when ``output`` cannot be written.
    """
    found = source_of(file)
    if found is None:
        raise UsageError(
            f"{file} is nothing that can be imported"
            if Path(file).exists()
            else f"there is no file {file}",
            hint="an int8 .tflite and a zoo id need no import; see npubench import --help",
        )
    if output is not None and output.suffix != ".tflite":
        raise UsageError(f"the output {output} must end in .tflite")
    imported = import_source(*found, wishes, reporter=reporter)
    network = read_network(imported.model)
    if output is not None:
        write_replacing(output, network.data)
    return Imported(
        network=network,
        meta=imported.kept.meta,
        findings=network.findings,
        output=output,
    )
