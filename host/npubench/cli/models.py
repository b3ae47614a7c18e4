"""`npubench models`: the zoo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json

if TYPE_CHECKING:
    from npubench.core.errors import CompileError

app = typer.Typer(
    no_args_is_help=True,
    help="The model zoo: list, show, build; and quantize, for a float network of your own.\n\n"
    "Example: npubench models show kws",
)


@app.command("list", help="List the zoo.\n\nExample: npubench models list --json")
def list_models(as_json: JsonOption = False) -> None:
    """Every model of the zoo with its costs."""
    from npubench.report.describe import zoo_document

    documents = zoo_document()
    if as_json:
        print_json({"models": documents})
        return
    from npubench.report.terminal import models_table

    out = console()
    out.print(models_table(documents))
    out.print(
        "fetch: a trained one is public (npubench models fetch MODEL); made: built with TensorFlow "
        "when it is first used. Sources: --json, npubench models show MODEL",
        markup=False,
        style="dim",
        soft_wrap=True,
    )


@app.command(
    "fetch",
    help="Fetch the public, trained form of a zoo model, checked by its SHA-256.\n\n"
    "Example: npubench models fetch kws",
)
def fetch(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Zoo ids.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder to put them into.")
    ] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Each file is resumed where an earlier try broke off."""
    from dataclasses import asdict

    from npubench.zoo import fetch_models

    fetched = fetch_models(models, output)
    if as_json:
        print_json({"models": [asdict(item) for item in fetched]})
        return
    out = console()
    for item in fetched:
        words = "fetched" if item.fresh else "was there"
        out.print(f"{item.file}: {words}, licence {item.license}", markup=False, soft_wrap=True)
    out.print(f"Next: npubench bench {fetched[0].file}", markup=False, soft_wrap=True)


@app.command(
    "show",
    help="Show a model, layer by layer; a zoo id or a .tflite path.\n\n"
    "Example: npubench models show kws",
)
def show(model: str, as_json: JsonOption = False) -> None:
    """One model's description and analysis."""
    from npubench import api
    from npubench.report.describe import analysis_document

    found = api.analyze(model)
    if found.error is not None:
        raise found.error
    document = analysis_document(found.network, None)
    if as_json:
        print_json({"model": document})
        return
    from npubench.report.terminal import analysis_view

    console().print(analysis_view(document))


@app.command(
    "build",
    help="Re-create the zoo's .tflite files with TensorFlow and report any "
    "difference.\n\nExample: npubench models build digits",
)
def build(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Zoo ids; all if none.")
    ] = None,
    test_set: Annotated[
        Path | None,
        typer.Option(help="Also write the labelled samples of one trained model (.npz)."),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Exit code 1 when a rebuilt file differs from the committed one."""
    from dataclasses import asdict

    from npubench.compiler.zoo_build import build_models

    outcomes = build_models(models or (), test_set=test_set)
    if as_json:
        print_json({"models": [asdict(outcome) for outcome in outcomes]})
    else:
        out = console()
        for outcome in outcomes:
            verdict = "equal" if outcome.equal else f"differs: {outcome.difference}"
            out.print(f"{outcome.model_id}: {verdict}", markup=False, soft_wrap=True)
    return 0 if all(outcome.equal for outcome in outcomes) else 1


@app.command(
    "quantize",
    help="Quantize a float Keras file or SavedModel to an int8 .tflite that `bench` takes.\n\n"
    "SAMPLES is a .npy of representative inputs, or an .npz with an array for each of several "
    "inputs by its name: a few hundred real ones, not noise.\n\n"
    "Example: npubench models quantize my.keras --samples inputs.npy --output my.tflite",
)
def quantize(
    model: Annotated[Path, typer.Argument(help="A .keras or .h5 file, or a SavedModel folder.")],
    samples: Annotated[Path, typer.Option(help="Representative inputs, .npy or .npz.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .tflite to write.")],
    per_channel_dense: Annotated[
        bool, typer.Option(help="A scale per output of dense layers, instead of one per layer.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Full-integer post-training quantization with TensorFlow, in a process of its own."""
    from npubench.compiler.quantize.saved import quantize_saved

    outcome = quantize_saved(model, samples, output, per_channel_dense=per_channel_dense)
    refusal = _refusal(outcome.path)
    if as_json:
        print_json(
            {
                "model": str(outcome.path.resolve()),
                "sha256": outcome.sha256,
                "size_bytes": outcome.size_bytes,
                "samples": outcome.samples_count,
                "tensorflow": outcome.tensorflow,
                "refusal": None
                if refusal is None
                else {"message": refusal.message, "hint": refusal.hint},
            }
        )
        return 0 if refusal is None else refusal.exit_code
    out = console()
    out.print(
        f"{outcome.path} ({outcome.size_bytes} bytes, calibrated on {outcome.samples_count} "
        "samples)",
        markup=False,
        soft_wrap=True,
    )
    if refusal is not None:
        out.print(
            f"It cannot be run as it is: {refusal.message}\n  hint: {refusal.hint}",
            markup=False,
            soft_wrap=True,
        )
        return refusal.exit_code
    out.print(f"Next: npubench bench {outcome.path}", markup=False, soft_wrap=True)
    return 0


def _refusal(path: Path) -> CompileError | None:
    """Why no board's CPU takes the network, or None; what is too large for one is not meant."""
    from npubench.boards import load_board
    from npubench.compiler.compiled import compile_network, read_network
    from npubench.core.errors import CompileError, DoesNotFit
    from npubench.zoo import resolve_model

    try:
        compile_network(read_network(resolve_model(str(path))), load_board("qemu-m4"), "cpu")
    except DoesNotFit:
        return None
    except CompileError as error:
        return error
    return None
