"""`npubench power`: the instruments: list, show, capture, import, simulate, calibrate, view."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from npubench.cli.output import JsonOption, console, print_json

if TYPE_CHECKING:
    from npubench.power.capture.free import Totals

CUT_OFF = "the process that captured was killed; every finished part is here"

app = typer.Typer(
    no_args_is_help=True,
    help="Power instruments: list, show, capture, import, simulate, calibrate, view.\n\n"
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
    from npubench.power.registry import driver_names, load_driver
    from npubench.power.simulators.catalog import kinds
    from npubench.power.simulators.faults import FAULTS
    from npubench.power.source.benchfile import bench_path, read_bench

    simulated = kinds()
    if faults:
        rows = [
            {
                "name": name,
                "what": what,
                "simulators": [kind.name for kind in simulated.values() if name in kind.faults],
            }
            for name, what in FAULTS.items()
        ]
        if as_json:
            print_json({"faults": rows})
            return
        out = console()
        for row in rows:
            out.print(f"{row['name']:18} {row['what']}", markup=False, soft_wrap=True)
            out.print(f"{'':18} {', '.join(row['simulators'])}", markup=False, soft_wrap=True)
        return
    bench = read_bench()
    drivers = [load_driver(name) for name in driver_names()]
    found = [item for driver in drivers for item in driver.detect()]
    if as_json:
        print_json(
            {
                "bench_file": None if bench_path() is None else str(bench_path()),
                "instruments": {
                    name: item.model_dump(mode="json") for name, item in bench.power.items()
                },
                "drivers": [
                    {"name": d.name, "title": d.title, "extra": d.extra, "notes": d.notes}
                    for d in drivers
                ],
                "simulators": [
                    {
                        "name": kind.name,
                        "title": kind.title,
                        "rate_hz": kind.rate_hz,
                        "faults": list(kind.faults),
                    }
                    for kind in simulated.values()
                ],
                "plugged_in": [asdict(item) for item in found],
            }
        )
        return
    out = console()

    def section(title: str, lines: list[str]) -> None:
        out.print(title, style="bold")
        for line in lines or ["none"]:
            out.print("  " + line, markup=False, soft_wrap=True)

    section(
        f"Instruments of {bench_path() or 'bench.toml (there is none)'}",
        [
            f"{name:16} {item.driver} {item.serial or item.port}"
            for name, item in bench.power.items()
        ],
    )
    section("Plugged in", [f"{item.driver:16} {item.port} serial {item.serial}" for item in found])
    section(
        "Simulated (--power NAME)",
        [f"{kind.name:16} {kind.title}" for kind in simulated.values()]
        + [f"{'virtual':16} the board's power model, without a wire"],
    )
    section(
        "Drivers",
        [f"{d.name:16} {d.title}" + (f" (extra: {d.extra})" if d.extra else "") for d in drivers],
    )


@app.command(
    "show",
    help="Open an instrument and show who answers and what it delivers.\n\n"
    "Example: npubench power show ppk2-sim",
)
def show(name: str, power_fault: FaultOption = None, as_json: JsonOption = False) -> None:
    """One instrument."""
    from npubench.power.capture.rig import Playback, choose_power, open_power
    from npubench.power.simulators.trace import Piece, Trace

    choice = choose_power(name, tuple(power_fault or ()))
    playback = None
    if choice.simulated:
        playback = Playback(trace=Trace([Piece(seconds=1.0, current_ua=5000.0)]), trouble_s=0.5)
    with open_power(choice, playback) as opened:
        identity, traits = asdict(opened.identity), opened.traits
    document: dict[str, Any] = {
        "name": name,
        **identity,
        "rate_hz": traits.rate_hz,
        "marker_bits": traits.marker_bits,
        "edges": traits.edges,
        "voltage": traits.voltage,
        "voltage_mv": traits.voltage_mv,
        "accuracy": traits.accuracy.model_dump(mode="json"),
    }
    if as_json:
        print_json({"instrument": document})
        return
    out = console()
    for key, value in document.items():
        if key != "accuracy":
            out.print(f"{key:12} {value}", markup=False, soft_wrap=True)
    source = traits.accuracy.source or "none: energies have no interval, verdict unqualified"
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
    from npubench.power.capture.free import capture_for, doubts, totals
    from npubench.power.capture.rig import choose_power

    choice = choose_power(name, tuple(power_fault or ()))
    stored = capture_for(choice, output, seconds=seconds)
    found = totals(stored)
    against = doubts(stored, found, seconds=None if choice.recorded else seconds)
    if as_json:
        print_json(
            {
                "folder": str(output),
                "totals": asdict(found),
                "ended": "" if stored.loss is None else stored.loss.ended,
                "reasons": [str(reason) for reason in against],
            }
        )
    else:
        out = console()
        out.print(_totals_line(found), markup=False, soft_wrap=True)
        for reason in against:
            out.print(str(reason), markup=False, soft_wrap=True)
    return 1 if against else 0


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
    from npubench.power.capture.free import calibrate as compare
    from npubench.power.capture.free import capture_for
    from npubench.power.capture.rig import choose_power

    stored = capture_for(choose_power(name), output, seconds=seconds)
    found = compare(stored, reference_ua=reference_ua, reference_ratio=reference_ratio)
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
    from npubench.power.capture.free import doubts, totals
    from npubench.power.energy.refusal import Cause
    from npubench.power.parts import read_capture
    from npubench.power.plot.marked import draw

    inner = folder / "power"
    stored = read_capture(inner if inner.is_dir() else folder)
    if png is not None:
        draw(stored, png, begin_s=begin_s, end_s=end_s, columns=width)
    found = totals(stored)
    ended = CUT_OFF if stored.loss is None else stored.loss.ended
    against = [reason for reason in doubts(stored, found) if reason.cause != Cause.STREAM_ENDED]
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "instrument": asdict(stored.identity),
                "totals": asdict(found),
                "ended": ended,
                "reasons": [str(reason) for reason in against],
                "png": None if png is None else str(png),
            }
        )
        return
    out = console()
    out.print(f"{stored.identity.model}", markup=False, soft_wrap=True)
    out.print(_totals_line(found), markup=False, soft_wrap=True)
    if ended:
        out.print(f"ended early: {ended}", markup=False, soft_wrap=True)
    for reason in against:
        out.print(str(reason), markup=False, soft_wrap=True)
    if png is not None:
        out.print(f"picture: {png}", markup=False, soft_wrap=True)
