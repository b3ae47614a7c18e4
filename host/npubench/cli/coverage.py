"""`npubench coverage`: which operators run, in which types, on which engine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json
from npubench.cli.target import BackendOption, OnModelOption, SetOption, one_job, place_of


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(
        "coverage",
        help="Say which operators run, in which element types, on which engine; of MODEL, where "
        "one is named.\n\nExample: npubench coverage my.tflite --board qemu-m55-u55",
    )(coverage)


def coverage(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Zoo id or .tflite path.")
    ] = None,
    board: Annotated[str | None, typer.Option("--board", "-b", help="Board id.")] = None,
    backend: BackendOption = None,
    settings: SetOption = None,
    costs: Annotated[
        bool,
        typer.Option(
            "--costs",
            help="Also compile with each option of the NPU's compiler changed, and say what it "
            "costs in memory and cycles.",
        ),
    ] = False,
    on_model: OnModelOption = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page docs/coverage.md.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Exit code 1 when a network holds what runs nowhere here."""
    from npubench.core.errors import UsageError
    from npubench.report.coverage import coverage_document, coverage_markdown, coverage_view

    if model is not None:
        return _network(
            model, board, backend, settings, costs=costs, on_model=on_model, as_json=as_json
        )
    if board is not None or backend is not None:
        raise UsageError("--board and --backend need a MODEL", hint="npubench coverage MODEL ...")
    from npubench.compiler.coverage.table import coverage as general

    table = general()
    if as_json:
        print_json(coverage_document(table))
    elif markdown:
        sys.stdout.write(coverage_markdown(table))
    else:
        console().print(coverage_view(table))
    return 0


def _network(
    model: str,
    board: str | None,
    backend: str | None,
    settings: list[str] | None,
    *,
    costs: bool,
    on_model: bool,
    as_json: bool,
) -> int:
    from npubench.bench.inspect import inspect_model
    from npubench.report.coverage import uses_document, uses_view
    from npubench.report.option_costs import costs_view
    from npubench.report.scheme_cost import cost_rows, told_cost
    from npubench.report.table import key_values

    place = place_of(on_model=on_model)
    found = inspect_model(
        model,
        None if board is None else one_job(model, board, backend, settings, place),
        costs=costs,
    )
    npu = {} if found.compiled is None else found.compiled.plan.npu
    details = npu.get("details")
    told = details if isinstance(details, dict) else {}
    cost = told_cost(told)
    scheme = () if cost is None else cost_rows(cost, told)
    document = {
        "name": found.name,
        "board": board,
        "operators": uses_document(found.uses),
        "engines": found.engines,
        "runs": found.error is None,
        "error": None if found.error is None else found.error_document(),
        "scheme": dict(scheme),
    }
    if costs:
        document["options"] = [cost.document() for cost in found.costs]
    if as_json:
        print_json(document)
    else:
        console().print(uses_view(found.uses, found.engines))
        if scheme:
            console().print(key_values(scheme))
        if found.costs:
            console().print(costs_view([cost.document() for cost in found.costs]))
    found.tell(sys.stderr)
    return 0 if found.error is None else 1
