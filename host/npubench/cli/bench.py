"""`npubench bench`: the main verb."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npubench.cli.output import (
    INTERRUPTED,
    JsonOption,
    MlperfOption,
    PlainReporter,
    console,
    print_json,
)
from npubench.cli.target import OnModelOption, OnSimulatorOption, SetOption, place_of

if TYPE_CHECKING:
    from npubench.runs.store import StoredRun

HELP = """Run networks on boards and report every stage.

MODEL is a zoo id (npubench models list) or the path of an int8 .tflite.

Example: npubench bench my.tflite --board qemu-m4 --board qemu-m55
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("bench", help=HELP)(bench)


def bench(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Zoo ids or .tflite paths.")
    ],
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
    mlperf: MlperfOption = None,
    timings: Annotated[
        bool, typer.Option("--timings", help="Show how long each step took.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Run the matrix of models and boards, keep the runs, print a table, write the report."""
    from npubench.bench.energy import check_power, with_power
    from npubench.bench.flashing import require_boards
    from npubench.bench.job import Settings, default_jobs, resolve_jobs
    from npubench.bench.matrix import Interrupted, run_matrix
    from npubench.core.errors import NpubenchError, UsageError
    from npubench.target import parse_settings
    from npubench.wire.faulty import parse_mishap

    place = place_of(on_model=on_model, on_simulator=on_simulator, port=port)
    by_backend = parse_settings(options or ())
    if board:
        jobs = resolve_jobs(
            models, board, backend or (), place=place, settings=by_backend, mlperf=mlperf
        )
    elif on_simulator:
        raise UsageError("--on-simulator needs a board", hint="name one with --board")
    else:
        jobs = default_jobs(models, backend or (), settings=by_backend, mlperf=mlperf)
    settings = Settings(
        warmups=warmups,
        repetitions=repetitions,
        seed=seed,
        input_path=input_path,
        layers=layers,
        verify_layers=verify_layers,
        port=port,
        probe_serial=probe,
        flash=flash,
        mishaps=tuple(parse_mishap(text) for text in line_fault or ()),
        power=power,
        power_faults=tuple(power_fault or ()),
    )
    if not board:
        jobs, without = with_power(jobs, settings)
        for name in without:
            sys.stderr.write(f"npubench: {name} has no virtual power: it is left out\n")
    check_power([job.board for job in jobs], settings)
    require_boards(jobs, settings)
    code = None
    try:
        if sys.stderr.isatty() and not timings:
            from npubench.cli.output import LiveReporter

            with LiveReporter() as live:
                outcome = run_matrix(jobs, settings, runs_dir=runs_dir, reporter=live)
        else:
            outcome = run_matrix(
                jobs, settings, runs_dir=runs_dir, reporter=PlainReporter(timings=timings)
            )
    except Interrupted as stop:
        outcome, code = stop.outcome, INTERRUPTED
        sys.stderr.write(
            f"npubench: interrupted: {len(outcome.stored)} of {len(jobs)} runs are finished and "
            "kept, nothing half-written was left behind\n"
        )
    report_path = (
        report if report is not None else (None if as_json else Path("npubench-report.html"))
    )
    if code == INTERRUPTED:
        report_path = None
    if report_path is not None:
        from npubench.report.html import write_report

        try:
            shown = _with_earlier(outcome.stored, runs_dir)
            write_report(shown, report_path)
        except NpubenchError as error:
            # The runs are stored: they are shown all the same.
            outcome = replace(outcome, error=outcome.error or error)
            report_path = None
    if as_json:
        trouble = outcome.error_document()
        if code == INTERRUPTED:
            trouble = {"kind": "Interrupted", "message": "the command was interrupted", "hint": ""}
        print_json({"runs": outcome.documents(), "error": trouble})
    elif outcome.stored:
        from npubench.report.terminal import energy_table, npu_table, results_table

        out = console()
        out.print(results_table(outcome.stored, reasons=False))  # they come on stderr, once
        npu = npu_table(outcome.stored)
        if npu is not None:
            out.print(npu)
        energy = energy_table(outcome.stored)
        if energy is not None:
            out.print(energy)
        if timings:
            from npubench.report.terminal import timings_table

            out.print(timings_table(outcome.stored, total_s=outcome.duration_s))
        out.print(f"Runs:   {runs_dir.resolve()}", markup=False, soft_wrap=True)
        if report_path is not None:
            earlier = len(shown) - len(outcome.stored)
            also = f" ({earlier} earlier run{'' if earlier == 1 else 's'} kept)" if earlier else ""
            out.print(f"Report: {report_path.resolve()}{also}", markup=False, soft_wrap=True)
    if not as_json or outcome.error is not None:
        for line in outcome.complaints():
            sys.stderr.write(line + "\n")
    return outcome.exit_code if code is None else code


def _with_earlier(stored: Sequence[StoredRun], runs_dir: Path) -> list[StoredRun]:
    """The new runs and all that the folder held before: a report never forgets."""
    from npubench.runs.store import list_runs

    new = {run.record.run_id for run in stored}
    earlier = [run for run in list_runs(runs_dir).runs if run.record.run_id not in new]
    return [*earlier, *stored]
