"""The words that say how a network is imported: `--shape`, `--calibration`, `--quantization`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

ShapeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="INPUT=1,64,64,3",
        help="A shape that the model leaves open; repeatable. A free batch is 1 by itself.",
    ),
]
CalibrationOption = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        help="Real inputs to quantize with: a folder of images or wav files, .npy or .npz; else "
        "synthetic ones.",
    ),
]
QuantizationOption = Annotated[
    str | None,
    typer.Option("--quantization", help="int8 (per channel, default), int8-per-tensor, int16x8."),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        "--checkpoint-file",
        help="What belongs to the model: a state dict for a PyTorch class (.pt), the quantized "
        "checkpoint of a YAML of ADI's (.pth.tar).",
    ),
]


def said(
    shape: list[str] | None = None,
    calibration: Path | None = None,
    quantization: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The wishes that were said, by field. Raises UsageError for a word that is none."""
    import difflib

    from npubench.compiler.importers.wishes import SCHEMES, parse_shapes
    from npubench.core.errors import UsageError

    if quantization is not None and quantization not in SCHEMES:
        close = difflib.get_close_matches(quantization, SCHEMES, n=1)
        raise UsageError(
            f"there is no quantization {quantization[:40]!r}",
            hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(SCHEMES)}",
        )
    found = {
        "shapes": parse_shapes(shape or []),
        "calibration": calibration,
        "quantization": quantization,
        **more,
    }
    return {name: value for name, value in found.items() if value not in (None, (), False)}
