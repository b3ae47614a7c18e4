"""Costs per layer as node data for Model Explorer, which lays them over the network's graph.

The format is that of its "node data provider": a graph's name, then ``results`` by the name of an
operator's output tensor or its number, with a gradient
(https://github.com/google-ai-edge/model-explorer/wiki/2.-User-Guide#custom-node-data).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from npubench.core.errors import StorageError, UsageError
from npubench.report.figure import file_name
from npubench.report.selection import by_network
from npubench.runs.schema import LayerRecord, RunRecord
from npubench.runs.store import StoredRun

GRADIENT = (
    {"stop": 0, "bgColor": "#eef4fb", "textColor": "#171c24"},
    {"stop": 1, "bgColor": "#c2513f", "textColor": "#ffffff"},
)


def write_overlays(runs: Sequence[StoredRun], folder: Path) -> list[Path]:
    """A file for the latest valid run of each network and target that has layers.

    Raises UsageError when there is none, StorageError.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for network in by_network(runs):
            for run in network.runs:
                overlays = overlay(run) if run.valid else {}
                if overlays:
                    path = folder / f"{file_name(network.name, run.target)}.json"
                    path.write_text(json.dumps(overlays, indent=1) + "\n", encoding="utf-8")
                    written.append(path)
    except OSError as error:
        raise StorageError(
            f"{folder}: overlays cannot be written: {error.strerror or error}",
            hint="choose another folder",
        ) from error
    if not written:
        raise UsageError("no valid run has costs per layer")
    return written


def overlay(run: RunRecord) -> dict[str, Any]:
    """Node data of one run: a value per operator, of the kind that most of them have."""
    costs = {layer.index: _cost(layer) for layer in run.layers}
    units = [unit for unit, value in costs.values() if value]
    if not units:
        return {}
    unit = max(dict.fromkeys(units), key=units.count)
    names = [layer.name for layer in run.layers]
    results = {
        (layer.name if layer.name and names.count(layer.name) == 1 else str(layer.index)): {
            "value": costs[layer.index][1]
        }
        for layer in run.layers
        if costs[layer.index][0] == unit and costs[layer.index][1] is not None
    }
    return {
        "main": {
            "results": results,
            "gradient": list(GRADIENT),
        }
    }


def _cost(layer: LayerRecord) -> tuple[str, float | None]:
    if layer.engine == "npu":
        return "NPU cycles", layer.npu_cycles
    return layer.unit, None if layer.value is None else float(layer.value)
