"""The suite's table on a terminal, what became slower, and the predictions with their error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core import format as fmt
from npubench.report.table import cell, new_table, number


def micro_view(result: Mapping[str, Any], *, all_rows: bool = True) -> RenderableType:
    """``result``: the document of one target's micro.run.MicroResult."""
    rows = result["rows"]
    parts: list[RenderableType] = [
        Text(f"{result['target']}: suite {result['suite_version']}, {len(rows)} shapes", "bold")
    ]
    if all_rows:
        parts.append(_table(rows))
    parts.append(_changes(result))
    if result["predictions"] or result["left_out"]:
        parts += _predictions(result)
    for network, reason in result["failed"].items():
        parts.append(Text(fmt.printable(f"{network}: not predicted: {reason}", 300), "yellow"))
    return Group(*parts)


def _table(rows: list[Mapping[str, Any]]) -> RenderableType:
    table = new_table(tight=True)
    table.add_column("Shape", no_wrap=True)
    table.add_column("Kernel", overflow="fold")
    for title in ("Cost", "MACs per", "Bytes per", "Utilization", "Change"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            cell(row["name"]),
            cell("NPU" if row["engine"] == "npu" else row["kernel"]),
            number(f"{fmt.count(row['cost'])} {_unit(row['unit'])}"),
            number(fmt.NONE if row["macs_per"] is None else f"{row['macs_per']:.3g}"),
            number(f"{row['bytes_per']:.3g}"),
            number(fmt.percent(row["utilization_ratio"])),
            number(
                fmt.NONE
                if row["change_ratio"] is None
                else "0"
                if row["change_ratio"] == 0
                else fmt.signed(fmt.percent(row["change_ratio"]), row["change_ratio"])
            ),
        )
    return table


def _unit(unit: str) -> str:
    return "cycles" if unit == "npu cycles" else fmt.UNIT_SHORT.get(unit, unit)


def _changes(result: Mapping[str, Any]) -> Text:
    if result["compared_with"] is None:
        return Text("no earlier run of this suite on this target to compare with", style="dim")
    slower = result["regressions"]
    if not slower:
        return Text(f"against {result['compared_with']}: nothing costs more", style="dim")
    return Text(
        f"against {result['compared_with']}: {len(slower)} shapes cost more: {', '.join(slower)}",
        style="bold red",
    )


def _predictions(result: Mapping[str, Any]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if result["predictions"]:
        table = new_table(tight=True)
        table.add_column("Network", no_wrap=True)
        for title in ("Predicted", "Error (median, others)", "Counted", "Off by", "Unseen kinds"):
            table.add_column(title, justify="right", no_wrap=True)
        for item in result["predictions"]:
            on_npu = item["npu_predicted"] > item["predicted"]
            unit = "cycles" if on_npu else fmt.UNIT_SHORT.get(item["unit"], item["unit"])
            value = item["npu_predicted"] if on_npu else item["predicted"]
            actual = item["npu_actual"] if on_npu else item["actual"]
            off = item["left_out_ratio"]
            error = item["error_ratio"]
            table.add_row(
                cell(item["network"]),
                number(f"{fmt.count(round(value))} {unit}"),
                number("unknown" if error is None else f"±{fmt.percent(error)}"),
                number(fmt.NONE if actual is None else f"{fmt.count(round(actual))} {unit}"),
                number(fmt.NONE if off is None else fmt.signed(fmt.percent(off), off)),
                number(fmt.percent(item["unseen_ratio"])),
            )
        parts.append(table)
    for key, words in (
        ("left_out", "each network left out, fitted on the suite and the others"),
        ("suite_alone", "fitted on the suite alone"),
    ):
        found = result[key]
        if not found:
            continue
        middle = result[
            "median_error_ratio" if key == "left_out" else "suite_alone_median_error_ratio"
        ]
        worst = max(found, key=lambda item: abs(item["error_ratio"]))
        parts.append(
            Text(
                f"{words}: median {fmt.percent(middle)} over {len(found)} networks, worst "
                f"{fmt.percent(abs(worst['error_ratio']))} ({worst['network']})"
            )
        )
    parts.append(Text(f"predictions are fitted on: {result['fitted_on']}", style="dim"))
    return parts
