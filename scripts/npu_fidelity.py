"""The NPU's timing against counters that others printed from Arm's: writes docs/npu-fidelity.md.

Run from the root: ``.venv/bin/python scripts/npu_fidelity.py FOLDER``. FOLDER holds the compiled
files by the names of tests/data/npu/fvp.toml, ``<folder>/<accelerator>/<network>_vela.tflite``; the
page says how they are made. Each is checked by its hash; a count whose file is not there says so.
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "compiler"), str(ROOT / "host")]

from npubench.compiler.backends.ethos_u.output import job_tensors, read_vela  # noqa: E402
from npubench.core.errors import CompileError  # noqa: E402
from npubench.npu.ethosu.config import accelerator  # noqa: E402
from npubench.npu.ethosu.events import Event, event_counts  # noqa: E402
from npubench.npu.ethosu.memory_system import read_memory_system  # noqa: E402
from npubench.npu.ethosu.payload import parse_payload  # noqa: E402
from npubench.npu.ethosu.stream import operations  # noqa: E402
from npubench.npu.ethosu.timeline import program_time  # noqa: E402

DATA = ROOT / "tests" / "data" / "npu"
PAGE = ROOT / "docs" / "npu-fidelity.md"
FITTED = ("rnnoise_INT8", "kws_micronet_m")
"""The networks on which the two constants without a document were fitted."""
COUNTERS = {
    "cycles": Event.NPU_ACTIVE,
    "axi0_read_beats": Event.AXI0_READ_BEATS,
    "axi0_write_beats": Event.AXI0_WRITE_BEATS,
    "axi1_read_beats": Event.AXI1_READ_BEATS,
}


def published() -> dict[str, Any]:
    """The figures of others."""
    found: dict[str, Any] = tomllib.loads((DATA / "fvp.toml").read_text(encoding="utf-8"))
    return found


def find(folder: Path, row: dict[str, Any]) -> bytes | None:
    """The compiled file of a count, checked by its hash; None where it is not there."""
    path = folder / row["folder"] / row["accelerator"] / f"{row['network']}_vela.tflite"
    if not path.is_file():
        return None
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != row["compiled"]:
        raise SystemExit(f"{path} is not the file that fvp.toml names")
    return data


def modelled(data: bytes, name: str) -> dict[str, int]:
    """Our counters of a compiled network on an accelerator."""
    part = accelerator(name)
    setting = published()["systems"][name.split("-")[1]]
    system = read_memory_system(DATA / "fvp.ini", axi_bytes=part.axi_bytes, **setting)
    totals = dict.fromkeys(COUNTERS, 0)
    model = read_vela(data, name="compiled")
    for op in model.ops:
        try:
            stream = job_tensors(model, op).stream.data
        except CompileError:
            continue  # an operator of the CPU's
        assert stream is not None
        program = tuple(operations(parse_payload(stream).words))
        counts = event_counts(program_time(program, part, system))
        for counter, event in COUNTERS.items():
            totals[counter] += counts[event]
    return totals


def ratios(folder: Path, rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, int]]]:
    """Counts whose file is there, with ours."""
    found = []
    for row in rows:
        data = find(folder, row)
        if data is not None:
            found.append((row, modelled(data, row["accelerator"])))
    return found


def page(folder: Path) -> str:
    """The whole page."""
    figures = published()
    own, rebuilt, near = (
        ratios(folder, [row for row in figures["counts"] if row["stream"] == stream])
        for stream in ("own", "rebuilt", "near")
    )
    missing = len(figures["counts"]) - len(own) - len(rebuilt) - len(near)
    if missing:
        raise SystemExit(f"{missing} compiled files are not in {folder}")
    both = own + rebuilt
    held = [pair for pair in both if pair[0]["network"] not in FITTED]
    fitted = [pair for pair in both if pair[0]["network"] in FITTED]
    text = HEAD.format(
        count=len(both),
        exact=_exact(both),
        counters=3 * len(both),
        off=_off(both),
        held=_spread(held),
        held_count=len(held),
        fitted=_spread(fitted),
        fitted_count=len(fitted),
    )
    text += "\n## The stream that ran there, byte by byte\n\n" + OWN + "\n" + _table(own)
    text += (
        "\n## Compiled again, with the publication's Vela\n\n" + REBUILT + "\n" + _table(rebuilt)
    )
    text += "\n## Another stream: a network that was not at hand\n\n" + NEAR + "\n" + _table(near)
    text += "\n## Not comparable\n\n| what | source | why |\n| --- | --- | --- |\n"
    text += "".join(
        f"| {row['what']} | {row['source']} | {row['reason']} |\n" for row in figures["absent"]
    )
    return text + TAIL.format(
        networks="".join(
            f"| {name} | `{row['sha256'][:16]}` | {row['where']} |\n"
            for name, row in figures["networks"].items()
        )
    )


def _table(pairs: list[tuple[dict[str, Any], dict[str, int]]]) -> str:
    lines = [
        "| network | Ethos | cycles: here | FVP | here / FVP | beats: AXI0 read | AXI0 written | "
        "AXI1 read |",
        "| --- " * 8 + "|",
    ]
    for row, ours in pairs:
        beats = (
            f"{row[counter]:,} "
            + ("=" if ours[counter] == row[counter] else f"({ours[counter]:,})")
            for counter in list(COUNTERS)[1:]
        )
        lines.append(
            f"| {row['network']}{'' if row['network'] in FITTED else ' (held out)'} | "
            f"{row['accelerator'].removeprefix('ethos-').upper()} | {ours['cycles']:,} | "
            f"{row['cycles']:,} | {ours['cycles'] / row['cycles']:.3f} | {' | '.join(beats)} |"
        )
    return "\n".join(lines) + "\n"


def _exact(pairs: list[tuple[dict[str, Any], dict[str, int]]]) -> int:
    return sum(
        ours[counter] == row[counter] for row, ours in pairs for counter in list(COUNTERS)[1:]
    )


def _off(pairs: list[tuple[dict[str, Any], dict[str, int]]]) -> str:
    """The counters of beats that are not equal, in words."""
    found = [
        f"{row['network']} on a {row['accelerator'].removeprefix('ethos-').upper()}: "
        f"{ours[counter]:,} for {row[counter]:,} {counter.replace('_', ' ').upper()[:4]}"
        f"{counter.replace('_', ' ')[4:]}"
        for row, ours in pairs
        for counter in list(COUNTERS)[1:]
        if ours[counter] != row[counter]
    ]
    return "; ".join(found) or "none"


def _spread(pairs: list[tuple[dict[str, Any], dict[str, int]]]) -> str:
    errors = [ours["cycles"] / row["cycles"] - 1 for row, ours in pairs]
    rms = (sum(error * error for error in errors) / len(errors)) ** 0.5
    return f"{min(errors):+.1%} to {max(errors):+.1%}, {rms:.1%} in the square mean"


HEAD = """# The NPU's timing against Arm's own model

Written by `scripts/npu_fidelity.py`; do not edit.

**Model against model**; the few figures of silicon stand in [npu.md](npu.md#timing). The \
figures compared with are counters that Arm, and one public study, printed from Arm's fixed \
virtual platform (FVP) of the Corstone-300 with its timing adapters on: {count} of them name \
their setting and have a stream \
that can be had. Marks: `=` the same number of beats.

- **Beats.** {exact} of {counters} counters are equal to the beat. The rest: {off}.
- **Cycles of the held-out networks** ({held_count} counts): {held}.
- Cycles of the two networks on which something was fitted ({fitted_count} counts): {fitted}.

What the model takes from documents: the work of the units per block (Vela's open sources; where \
its two cores differ, the older), the cut into blocks and the order of the loops (the stream), \
the timing adapters' latencies and rates (the evaluation kit). What follows from counters that \
were equal in every setting afterwards: the command stream is read over the port of the \
constants; a beat is an aligned word, so that unaligned NHWC rows cost one more; NHWC is written \
in groups of 16 channels of each core; an input of at most two slices is not fetched again for \
the next output channels. Reading and writing share a memory's bandwidth, since the adapters \
count both against one limit. Operations follow one another, except that one which needs nothing \
of the one before fetches while that one drains. What no document says and was fitted, on \
rnnoise and kws_micronet_m alone: an operation costs 40 cycles beside its parts, and a core has \
asked for 1 \
216 bytes of constants at most. Nothing belongs to a network.

**How far "held out" goes.** The two constants never saw ad_medium and yolo. The rules above \
were chosen with all counts in view: yolo showed that two slices of an input stay, and which of \
several ways to follow one another fits, rnnoise that two cores write in groups of 32. One \
network was first tried when all stood: MobileNetV2, below.
"""

OWN = """\
The first is Arm's own file (ARM-software/ML-examples, cmsis-pack-examples/kws/src). The others \
are the study's: Vela 5.0.0 makes the files with the very hashes that it published.
"""

REBUILT = """\
The evaluation kit named Vela 3.1.0 when these figures came (its setup script, November 2021 to \
February 2022). That version is confirmed: with it all beats of constants are equal, with 3.0.0 \
they are not, and for kws_micronet_m it makes the command stream of Arm's own file.
"""

NEAR = """\
MobileNetV2 came last, when rules and constants stood. Its int8 file is not to be had; the older \
uint8 one is, the same layers with other weights and fewer conversions. Its stream is another: it \
writes 1 to 4 % less, reads 3 to 10 % less, and so should be quicker.
"""

TAIL = """
**NPU_IDLE** is the FVP's step, not work. Total cycles (active plus idle) end in the same digits \
in nearly all counts: whole thousands and 172 with Arm, and 50 to 86 in the study. The platform \
advances in steps of 1,000 cycles, the interrupt comes with the next step, and what is left of \
it counts as idle: anything from 0 to 1,000 (62 to 1,074 in the study). Here the counters run \
within a job and idle is 0.

**AXI0 reads of ad_medium** were 0.72 of Arm's in an earlier count. That compared a new stream \
with a figure of April 2021, of a Vela that is not known: 2.1.1 comes to 0.73 and reads other \
constants. Against the count that the page has had since November 2021, and six of the study, \
the reads are equal to the beat.

## How to have the files

| network | SHA-256 | where |
| --- | --- | --- |
{networks}
Vela 5.0.0 and 3.1.0 are on PyPI. `vela NETWORK.tflite --accelerator-config ACCELERATOR \
--optimise Performance --config default_vela.ini --system-config ... --memory-mode ...` with the \
evaluation kit's `scripts/vela/default_vela.ini` and the sections in `tests/data/npu/fvp.toml`; \
then `FOLDER/vela-5.0.0/ACCELERATOR/NETWORK_vela.tflite`, and `arm/` for Arm's own. \
`NPUBENCH_FIDELITY=\
FOLDER` lets the tests compare.
"""


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1])), encoding="utf-8")
