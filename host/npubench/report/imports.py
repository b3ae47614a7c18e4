"""An import as a document and as tables: the steps, what was lost, the layers that lost most."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.compiler.compiled import Network
from npubench.compiler.coverage.network import missing
from npubench.core import format as fmt
from npubench.core.format import printable
from npubench.report.coverage import missing_lines, uses_document
from npubench.report.table import cell, heading, key_values, new_table, number

WORST = 5


def import_document(
    meta: Mapping[str, Any], network: Network, output: Path | None
) -> dict[str, Any]:
    """JSON values of an import; ``meta`` as it was kept."""
    left = missing(network.graph)
    return {
        "model": network.resolved.id,
        "file": str((output or network.resolved.path).resolve()),
        "macs": network.analysis.macs,
        "parameters": network.analysis.parameters,
        "peak_live_bytes": network.analysis.peak_live_bytes,
        "size_bytes": len(network.data),
        "missing": uses_document(left),
        "missing_lines": missing_lines(left),
        **{name: value for name, value in meta.items() if name != "dependencies"},
    }


def import_view(document: Mapping[str, Any]) -> RenderableType:
    """For a terminal."""
    worst_db = min(document["outputs_snr_db"], default=None)
    to_source = document["snr_db_to_source"]
    rows = [
        ("file", f"{document['file']} ({fmt.size(document['size_bytes'])})"),
        ("from", document["source"]),
        ("network", document["network_sha256"]),
        ("artifact", document["artifact_sha256"]),
        ("MACs", fmt.count(document["macs"])),
        ("parameters", fmt.count(document["parameters"])),
        (
            "inputs",
            ", ".join(
                f"{item['name']} {'×'.join(map(str, item['shape']))}"
                + (f" ({layout})" if layout == "channels last" else "")
                for item, layout in zip(
                    document["inputs"],
                    document["layouts"] or [""] * len(document["inputs"]),
                    strict=False,
                )
            ),
        ),
        ("calibration", document["calibration"]),
        ("float and source", "" if to_source is None else f"equal to {to_source:.0f} dB"),
        (
            f"{document['quantization']} and float",
            "" if worst_db is None else f"{worst_db:.1f} dB signal to noise",
        ),
    ]
    parts: list[RenderableType] = [
        key_values([(key, printable(str(value), 300)) for key, value in rows if value])
    ]
    layers = sorted(document["layers"], key=lambda layer: float(layer["snr_db"]))[:WORST]
    if layers:
        table = new_table()
        for title in ("Operator", "Layer", "SNR"):
            table.add_column(title)
        for layer in layers:
            table.add_row(
                cell(layer["op"]), cell(layer["name"], 80), number(f"{layer['snr_db']:.1f} dB")
            )
        parts += [heading("Worst layers"), table]
    for line in document.get("remarks", ()):
        parts.append(Text(f"Remark: {printable(line, 300)}", style="yellow"))
    if document["missing"]:
        parts.append(heading("Without a kernel on the CPU"))
        parts += [Text(f"- {printable(line, 300)}") for line in document["missing_lines"]]
    return Group(*parts)
