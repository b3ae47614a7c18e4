"""`npubench dut`: drive any MLPerf Tiny firmware, whoever built it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, PlainReporter, console, print_json

HELP = """Measure a device with MLPerf Tiny firmware, whoever built it.

Only the benchmark's base commands are used: five windows of a little over 10 s, as its runner does
it, timed by the device and held against the host's clock. With --model its results are held
against the network's. Ends with 1 when a figure is refused.

Example: npubench dut --port /dev/ttyACM0 --model kws01.tflite
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("dut", help=HELP)(dut)


def dut(
    port: Annotated[str, typer.Option(help="Its console: a port, a pty, socket://HOST:PORT.")],
    baud: Annotated[
        int, typer.Option(min=300, max=12_000_000, help="The console's speed in bit/s.")
    ] = 115_200,
    model: Annotated[
        str | None, typer.Option(help="The network that it runs: zoo id or .tflite.")
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--input",
            exists=True,
            dir_okay=False,
            readable=True,
            help="What to upload, in the form of the benchmark's data set; repeatable (default: "
            "generated).",
        ),
    ] = None,
    windows: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 5,
    iterations: Annotated[
        int | None,
        typer.Option("--iterations", "-n", min=1, help="Inferences in a window (default: 11 s)."),
    ] = None,
    warmups: Annotated[int, typer.Option(min=0, max=10_000, help="Untimed, per window.")] = 10,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of generated inputs.")] = 1,
    log: Annotated[Path | None, typer.Option(help="Keep every received byte in this file.")] = None,
    as_json: JsonOption = False,
) -> int:
    """Measure and print."""
    from npubench.mlperf.run import run_dut

    result = run_dut(
        port,
        baud=baud,
        model=model,
        inputs=tuple(inputs or ()),
        windows=windows,
        iterations=iterations,
        warmups=warmups,
        seed=seed,
        log=log,
        reporter=PlainReporter(),
    )
    if as_json:
        print_json(result.document())
        return 0 if result.is_ok else 1
    out = console()

    def say(text: str) -> None:
        out.print(text, markup=False, soft_wrap=True)

    say(f"{result.name}: {result.model} ({result.profile}) at {result.port}")
    for window in result.windows:
        rate = window.throughput_ips
        timed = (
            f"{window.host_s:.3f} s by the host"
            if rate is None or window.elapsed_us is None
            else f"{window.elapsed_us / 1e6:.3f} s, {rate:.3f} inferences/s"
        )
        say(f"  {window.input}: {window.iterations} inferences in {timed}")
    if result.median_ips is not None and result.latency_us is not None:
        say(
            f"Median: {result.median_ips:.3f} inferences/s, {result.latency_us:.1f} us each "
            f"({result.evidence})"
        )
    if result.clock is not None:
        say(
            f"Its clock: {result.clock.deviation_ppm:+.0f} ppm against the host's, known to "
            f"{result.clock.uncertainty_ppm:.0f} ppm"
        )
    elif result.evidence == "modelled":
        say("Its clock is not held against the host's: a program may be behind this port.")
    if result.reference is not None and result.is_ok:
        say(f"Its results are the network's ({result.reference}).")
    for found in result.findings:
        say(f"{found.finding.id}: {found.text}")
    return 0 if result.is_ok else 1
