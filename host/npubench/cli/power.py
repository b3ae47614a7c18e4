"""`npubench power`: the instruments: list, show, capture, import, simulate, calibrate, view."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npubench.cli import power_windows
from npubench.cli.output import JsonOption, console, print_json

if TYPE_CHECKING:
    from npubench.power.capture.free import Totals

app = typer.Typer(
    no_args_is_help=True,
    help="Power instruments: list, show, capture, import, windows, simulate, calibrate, "
    "view.\n\n"
    "Example: npubench power list",
)

FaultOption = Annotated[
    list[str] | None,
    typer.Option("--power-fault", help="Make a simulated instrument misbehave; repeatable."),
]


@app.command(
    "list",
    help="List the instruments of bench.toml, the drivers, the simulated instruments and what is "
    "plugged in.\n\nExample: npubench power list --faults",
)
def list_instruments(
    faults: Annotated[
        bool, typer.Option("--faults", help="The ways in which simulators can misbehave.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """What there is."""
    if faults:
        _list_faults(as_json=as_json)
        return
    from npubench.power.look import list_instruments as there_are

    found = there_are()
    if as_json:
        print_json(found.document())
        return
    out = console()

    def section(title: str, lines: list[str]) -> None:
        out.print(title, style="bold")
        for line in lines or ["none"]:
            out.print("  " + line, markup=False, soft_wrap=True)

    section(
        f"Instruments of {found.bench_file or 'bench.toml (there is none)'}",
        [
            f"{name:16} {item.driver} {item.serial or item.port}"
            for name, item in found.instruments.items()
        ],
    )
    section(
        "Plugged in",
        [f"{item.driver:16} {item.port} serial {item.serial}" for item in found.plugged_in],
    )
    section(
        "Simulated (--power NAME)",
        [f"{kind.name:16} {kind.title}" for kind in found.simulators]
        + [f"{'virtual':16} the board's power model, without a wire"],
    )
    section(
        "Drivers",
        [
            f"{d.name:16} {d.title}" + (f" (extra: {d.extra})" if d.extra else "")
            for d in found.drivers
        ],
    )


def _list_faults(*, as_json: bool) -> None:
    from npubench.power.look import list_faults

    found = list_faults()
    if as_json:
        print_json({"faults": [asdict(item) for item in found]})
        return
    out = console()
    for item in found:
        out.print(f"{item.name:18} {item.what}", markup=False, soft_wrap=True)
        out.print(f"{'':18} {', '.join(item.simulators)}", markup=False, soft_wrap=True)


@app.command(
    "show",
    help="Open an instrument and show who answers and what it delivers.\n\n"
    "Example: npubench power show ppk2-sim",
)
def show(name: str, power_fault: FaultOption = None, as_json: JsonOption = False) -> None:
    """One instrument."""
    from npubench.power.look import show_instrument

    found = show_instrument(name, tuple(power_fault or ()))
    document = found.document()
    if as_json:
        print_json({"instrument": document})
        return
    out = console()
    for key, value in document.items():
        if key != "accuracy":
            out.print(f"{key:12} {value}", markup=False, soft_wrap=True)
    source = found.traits.accuracy.source or "none: energies have no interval, verdict unqualified"
    out.print(f"{'accuracy':12} {source}", markup=False, soft_wrap=True)


@app.command(
    "capture",
    help="Capture without a board, into a folder. Ends with 1 when something speaks against it.\n\n"
    "Example: npubench power capture ppk2-sim --seconds 2 --output my-capture",
)
def capture(
    name: str,
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")],
    seconds: Annotated[float, typer.Option(min=0.01, help="How long.")] = 10.0,
    power_fault: FaultOption = None,
    as_json: JsonOption = False,
) -> int:
    """Capture and sum up."""
    from npubench.power.look import capture_free

    found = capture_free(name, output, seconds=seconds, faults=tuple(power_fault or ()))
    if as_json:
        print_json(
            {
                "folder": str(output),
                "totals": asdict(found.totals),
                "ended": found.ended,
                "reasons": [str(reason) for reason in found.reasons],
            }
        )
    else:
        out = console()
        out.print(_totals_line(found.totals), markup=False, soft_wrap=True)
        for reason in found.reasons:
            out.print(str(reason), markup=False, soft_wrap=True)
    return 1 if found.reasons else 0


@app.command(
    "import",
    help="Import a capture of another program (any table, .ppk2, .jls) into a new folder, for "
    "power view. What can be read in two ways is refused.\n\n"
    "Example: npubench power import export.csv -o my-capture --unit mA",
)
def import_capture(
    file: Annotated[Path, typer.Argument(help="The file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")],
    time_column: Annotated[
        str, typer.Option(help="The time's column: its name, or its number from 1.")
    ] = "",
    current_column: Annotated[str, typer.Option(help="The current's column.")] = "",
    voltage_column: Annotated[str, typer.Option(help="The voltage's column, or none.")] = "",
    unit: Annotated[
        list[str] | None,
        typer.Option(help="A unit that a column lacks, such as mA, ms or V; repeatable."),
    ] = None,
    shunt_ohms: Annotated[
        float | None, typer.Option(help="The current's column is a voltage over this shunt.")
    ] = None,
    voltage_mv: Annotated[
        float, typer.Option(min=1.0, help="The supply's voltage where the file has none.")
    ] = 3000.0,
    as_json: JsonOption = False,
) -> None:
    """Import and sum up."""
    from npubench.core.errors import UsageError
    from npubench.power.capture.imported import import_file

    if shunt_ohms is not None and not shunt_ohms > 0:
        raise UsageError(f"a shunt of {shunt_ohms:g} ohms is none")
    options: dict[str, str | int | float | bool] = {
        "time_column": time_column,
        "current_column": current_column,
        "voltage_column": voltage_column,
        "unit": ",".join(unit or ()),
    }
    if shunt_ohms is not None:
        options["shunt_ohms"] = shunt_ohms
    found = import_file(file, output, options, voltage_mv=voltage_mv)
    if as_json:
        print_json(
            {
                "folder": str(output),
                "seconds": found.totals.seconds,
                "samples": found.totals.samples,
                "lost_samples": found.totals.lost,
                "mean_ua": found.totals.mean_ua,
                "min_ua": found.totals.low_ua,
                "max_ua": found.totals.high_ua,
                "findings": list(found.findings),
            }
        )
        return
    out = console()
    out.print(_totals_line(found.totals), markup=False, soft_wrap=True)
    for finding in found.findings:
        out.print(finding, markup=False, soft_wrap=True)


@app.command(
    "simulate",
    help="Serve a simulated instrument to any program, in real time, on a pty or a TCP port of "
    "this machine, until Ctrl-C or for --seconds.\n\n"
    "Example: npubench power simulate lpm01a-sim --pty ./lpm01a",
)
def simulate(
    name: Annotated[str, typer.Argument(metavar="ID", help="See npubench power list.")],
    pty: Annotated[
        Path | None, typer.Option("--pty", help="Make this path a link to the pty.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="A TCP port; 0: any free one.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=86_400, help="How long.")] = 3600.0,
    current_ua: Annotated[
        float | None,
        typer.Option(help="A constant current, instead of idle and inferences in turn."),
    ] = None,
    power_fault: FaultOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve."""
    import time

    from npubench.power.capture.served import serve

    with serve(
        name,
        seconds=seconds,
        current_ua=current_ua,
        faults=tuple(power_fault or ()),
        pty=pty,
        port=port,
    ) as (kind, simulator):
        where = simulator.address if pty is None else str(pty)
        if as_json:
            print_json(
                {
                    "instrument": kind.name,
                    "driver": kind.driver,
                    "address": where,
                    "rate_hz": kind.rate_hz,
                    "supply_mv": simulator.feed.supply_mv,
                    "seconds": seconds,
                }
            )
        else:
            console().print(
                f"{kind.title}: {where} (for {seconds:g} s, or until Ctrl-C)",
                markup=False,
                soft_wrap=True,
            )
        sys.stdout.flush()
        time.sleep(seconds)


def _totals_line(found: Totals) -> str:
    return (
        f"{found.samples} samples, {found.seconds:.3f} s, mean {found.mean_ua:.2f} uA, "
        f"{found.low_ua:.2f} to {found.high_ua:.2f} uA, {found.lost} lost"
    )


@app.command(
    "calibrate",
    help="Compare an instrument with a known current; prints what to write into bench.toml.\n\n"
    "Example: npubench power calibrate lab-ppk2 --reference-ua 5000 --reference-ratio 0.001",
)
def calibrate(
    name: str,
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder for the capture.")],
    reference_ua: Annotated[float, typer.Option(help="The known current, in microamperes.")],
    reference_ratio: Annotated[
        float, typer.Option(min=0.0, help="How well it is known, relative, k = 2.")
    ],
    seconds: Annotated[float, typer.Option(min=0.1, help="How long.")] = 5.0,
    as_json: JsonOption = False,
) -> None:
    """A calibration against one point."""
    from npubench.power.look import calibrate_instrument

    found = calibrate_instrument(
        name,
        output,
        seconds=seconds,
        reference_ua=reference_ua,
        reference_ratio=reference_ratio,
    )
    if as_json:
        print_json({"calibration": asdict(found)})
        return
    out = console()
    out.print(
        f"mean {found.mean_ua:.3f} uA for {reference_ua:.3f} uA: {100 * found.error_ratio:+.3f} %"
    )
    out.print("for bench.toml:")
    out.print(
        f"[power.{name}.accuracy]\n"
        f"ranges = [{{ gain_ratio = {found.gain_ratio:.5f} }}]\n"
        f'source = "calibrated at {reference_ua:g} uA known to {reference_ratio:g} (k = 2)"',
        markup=False,
        soft_wrap=True,
    )


@app.command(
    "view",
    help="Sum up a capture (or a run's), also one that was cut off, and draw it as PNG, stages "
    "shaded.\n\nExample: npubench power view runs/RUN --png trace.png",
)
def view(
    folder: Annotated[Path, typer.Argument(help="A capture's folder, or a run's.")],
    png: Annotated[Path | None, typer.Option("--png", help="The picture to write.")] = None,
    begin_s: Annotated[float, typer.Option("--begin", help="Draw from this second on.")] = 0.0,
    end_s: Annotated[float | None, typer.Option("--end", help="Draw up to this second.")] = None,
    width: Annotated[int, typer.Option(min=100, max=8000, help="Columns.")] = 1400,
    as_json: JsonOption = False,
) -> None:
    """What a capture holds."""
    from npubench.power.look import view_capture

    found = view_capture(folder, png=png, begin_s=begin_s, end_s=end_s, columns=width)
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "instrument": asdict(found.identity),
                "totals": asdict(found.totals),
                "ended": found.ended,
                "reasons": [str(reason) for reason in found.reasons],
                "png": None if png is None else str(png),
            }
        )
        return
    out = console()
    out.print(f"{found.identity.model}", markup=False, soft_wrap=True)
    out.print(_totals_line(found.totals), markup=False, soft_wrap=True)
    if found.ended:
        out.print(f"ended early: {found.ended}", markup=False, soft_wrap=True)
    for reason in found.reasons:
        out.print(str(reason), markup=False, soft_wrap=True)
    if png is not None:
        out.print(f"picture: {png}", markup=False, soft_wrap=True)


power_windows.register(app)
