"""`npubench bench`: the main verb."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npubench.cli.farm import (
    CoordinatorOption,
    InsecureOption,
    OnOption,
    PlaceOption,
    ResumeOption,
)
from npubench.cli.output import (
    INTERRUPTED,
    BaudOption,
    JsonOption,
    MlperfOption,
    command_line,
    console,
    print_json,
    reporter,
)
from npubench.cli.target import OnModelOption, OnSimulatorOption, SetOption, place_of
from npubench.cli.wishes import (
    CalibrationOption,
    QuantizationOption,
    ShapeOption,
    WeightsOption,
    said,
)

if TYPE_CHECKING:
    pass

HELP = """Run networks on boards and report every stage.

MODEL is a zoo id (npubench models list), an int8 .tflite, or a float network to convert: Keras,
SavedModel, ONNX, PyTorch (module.py:Model), LiteRT; see npubench import.

Example: npubench bench my.tflite --board qemu-m4 --board qemu-m55
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("bench", help=HELP)(bench)


def bench(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Zoo ids or files.")],
    board: Annotated[
        list[str] | None,
        typer.Option(
            "--board",
            "-b",
            help="Board id; repeat for several [default: qemu-m4, qemu-m55 and qemu-m55-u55, the "
            "last with its NPU and without].",
        ),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", help="Backend instead of the board's default; repeatable."),
    ] = None,
    options: SetOption = None,
    runs_dir: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("runs"),
    report: Annotated[Path | None, typer.Option(help="Where to write the HTML report.")] = None,
    repetitions: Annotated[
        int | None,
        typer.Option(
            "--repetitions",
            "-n",
            min=1,
            max=100_000,
            help="Timed repetitions (default: 2 emulated, 20 physical).",
        ),
    ] = None,
    warmups: Annotated[int, typer.Option(min=0, max=10_000, help="Untimed warm-ups.")] = 1,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Seed of the generated input.")
    ] = 1,
    input_path: Annotated[
        Path | None,
        typer.Option(
            "--input",
            exists=True,
            dir_okay=False,
            readable=True,
            help="An input of your own instead of a generated one: .npy, .npz (several inputs) or "
            "the raw bytes.",
        ),
    ] = None,
    verify_layers: Annotated[
        bool, typer.Option("--verify-layers", help="Compare every tensor with the golden one.")
    ] = False,
    layers: Annotated[bool, typer.Option(help="Count each layer in a run of its own.")] = True,
    port: Annotated[str | None, typer.Option(help="Serial port of a physical board.")] = None,
    baud: BaudOption = None,
    probe: Annotated[str | None, typer.Option(help="Serial number of the debug probe.")] = None,
    flash: Annotated[bool, typer.Option(help="Flash a physical board first.")] = True,
    on_model: OnModelOption = False,
    on_simulator: OnSimulatorOption = False,
    line_fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Rehearse a bad line: KIND:MATCH[#NTH], e.g. drop:rep or silence:op#3.",
            hidden=True,
        ),
    ] = None,
    power: Annotated[
        str | None,
        typer.Option(
            help="Power instrument of bench.toml, or a simulated one (ppk2-sim; "
            "npubench power list).",
        ),
    ] = None,
    power_fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Make a simulated instrument misbehave (npubench power list --faults); "
            "repeatable.",
        ),
    ] = None,
    as_board: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="BOARD|CORE",
            help="Tell emulated boards' cycles, time and energy as of this board's part (the same "
            "core), e.g. --board qemu-m4 --as nucleo-l4r5zi; or, for a board's model whose part "
            "has no weights, as of its core: cortex-m33.",
        ),
    ] = None,
    mlperf: MlperfOption = None,
    shape: ShapeOption = None,
    calibration: CalibrationOption = None,
    quantization: QuantizationOption = None,
    weights: WeightsOption = None,
    place: PlaceOption = None,
    coordinator: CoordinatorOption = None,
    on: OnOption = None,
    resume: ResumeOption = False,
    insecure: InsecureOption = False,
    timings: Annotated[
        bool, typer.Option("--timings", help="Show how long each step took.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Run the matrix of models and boards, keep the runs, print a table, write the report."""
    from npubench import api
    from npubench.wire.faulty import parse_mishap

    if report is None and not as_json:
        report = Path("npubench-report.html")
    code = None
    try:
        with reporter(live=not timings, timings=timings) as progress:
            outcome = api.bench(
                models,
                boards=board or (),
                backends=backend or (),
                options=options or (),
                place=place_of(on_model=on_model, on_simulator=on_simulator, port=port),
                mlperf=mlperf,
                wishes=said(shape, calibration, quantization, weights=weights),
                settings=api.Settings(
                    warmups=warmups,
                    repetitions=repetitions,
                    seed=seed,
                    input_path=input_path,
                    layers=layers,
                    verify_layers=verify_layers,
                    port=port,
                    baud=baud,
                    probe_serial=probe,
                    flash=flash,
                    mishaps=tuple(parse_mishap(text) for text in line_fault or ()),
                    power=power,
                    power_faults=tuple(power_fault or ()),
                    as_board=as_board,
                    command=command_line(),
                ),
                runs_dir=runs_dir,
                report=report,
                progress=progress,
                at=place,
                coordinator=coordinator,
                on=on,
                insecure=insecure,
                resume=resume,
            )
    except api.Interrupted as stop:
        outcome, code = stop.outcome, INTERRUPTED
        sys.stderr.write(
            f"npubench: interrupted: {len(outcome.stored)} of {outcome.jobs_count} runs are "
            "finished and kept, nothing half-written was left behind\n"
        )
    if as_json:
        trouble = outcome.error_document()
        if code == INTERRUPTED:
            trouble = {"kind": "Interrupted", "message": "the command was interrupted", "hint": ""}
        from npubench.report.npu_costs import costs_document
        from npubench.report.selection import by_network
        from npubench.report.speedup import npu_pairs

        print_json(
            {
                "runs": outcome.documents(),
                "npu_against_cpu": costs_document(npu_pairs(by_network(outcome.stored))),
                "error": trouble,
            }
        )
    elif outcome.stored:
        from npubench.report.power_hint import terminal_lines
        from npubench.report.terminal import outcome_view

        out = console()
        out.print(outcome_view(outcome.stored, total_s=outcome.duration_s if timings else None))
        for line in terminal_lines([stored.record for stored in outcome.stored]):
            out.print(line, markup=False, highlight=False, soft_wrap=True, style="dim")
        out.print(f"Runs:   {runs_dir.resolve()}", markup=False, soft_wrap=True)
        if outcome.report is not None:
            earlier = outcome.earlier_count
            also = f" ({earlier} earlier run{'' if earlier == 1 else 's'} kept)" if earlier else ""
            out.print(f"Report: {outcome.report.resolve()}{also}", markup=False, soft_wrap=True)
    if not as_json or outcome.error is not None:
        from npubench.core.paths import located

        for line in outcome.complaints():
            sys.stderr.write(located(line) + "\n")
    return outcome.exit_code if code is None else code
