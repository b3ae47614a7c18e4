"""`npubench import`: a network of another framework as an int8 .tflite, kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, PlainReporter, console, print_json
from npubench.cli.wishes import (
    CalibrationOption,
    QuantizationOption,
    ShapeOption,
    WeightsOption,
    said,
)

HELP = """Convert and quantize a network of another framework.

FILE is a Keras file (.keras, .h5), a SavedModel folder, ONNX, PyTorch (module.py:Model, .pt2), a
float .tflite, or a YAML of ADI's ai8x-synthesis (with --weights). Every verb that takes MODEL
does the same by itself; this keeps the file and says what was lost.

Example: npubench import my.onnx --calibration images/ -o my.tflite
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("import", help=HELP)(import_network)


def import_network(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The network.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The int8 .tflite to write.")
    ] = None,
    shape: ShapeOption = None,
    calibration: CalibrationOption = None,
    quantization: QuantizationOption = None,
    weights: WeightsOption = None,
    min_snr_db: Annotated[
        float | None,
        typer.Option(help="The least signal to noise of the quantized outputs [default: 10]."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load a file that runs code when it is loaded.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Import, analyse, and say what was lost on the way."""
    from npubench.compiler.imported import import_file
    from npubench.report.imports import import_document, import_view

    wishes = said(
        shape, calibration, quantization, weights=weights, min_snr_db=min_snr_db, trust=trust
    )
    found = import_file(file, output, wishes, reporter=PlainReporter())
    document = import_document(found.meta, found.network, output)
    document["remarks"] = [finding.text for finding in found.findings]
    if as_json:
        print_json({"import": document})
        return
    out = console()
    out.print(import_view(document))
    named = output if output is not None else file
    out.print(f"Next: npubench bench {named}", markup=False, soft_wrap=True)
