"""Time and energy of the MAX7800x's accelerator against what others measured: writes
docs/max7800x-time.md.

    .venv/bin/python scripts/max7800x_time.py                   # the page, from tests/data/npu
    .venv/bin/python scripts/max7800x_time.py --layers FOLDER   # the layers, from generated C

Published figures are in tests/data/npu/max7800x.toml, the networks' layers in max7800x-layers.json
beside it: what the registers say that ADI's tool programs. FOLDER holds what
scripts/max7800x_networks.py leaves: <part>/<network>/cnn.c.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "compiler"), str(ROOT / "host")]

from npubench.npu.max7800x.program import LayerProgram, Target  # noqa: E402
from npubench.npu.max7800x.replay import programmed  # noqa: E402
from npubench.npu.max7800x.timing import (  # noqa: E402
    PIPELINE_CYCLES,
    PIPELINED,
    PLAIN,
    formula_cycles,
    network_work,
    output_pixels,
)

DATA = ROOT / "tests" / "data" / "npu"
PAGE = ROOT / "docs" / "max7800x-time.md"
TEXT = Path(__file__).with_suffix(".md.in")
KEPT: tuple[str, ...] = (
    "kind", "kernel", "pooled", "window", "pad", "operands", "pools_first", "passes", "processors",
    "mask_count", "timeslots", "first_mask", "mask_sad", "weight_bits", "streams",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One published time and what is told of it here. ``us``, ``half_us``: the accelerator's and
    how far its last digit reaches. ``plain_cycles``: by the formula; ``pixels``: of all layers.
    ``energy_uj``: net, None where none was published."""

    row: dict[str, Any]
    us: float
    half_us: float
    plain_cycles: int
    pixels: int
    energy_uj: float | None = None

    @property
    def cycles(self) -> float:
        """What was measured, at the clock that was set."""
        return float(self.us * self.row["mhz"])

    def error(self, pipeline_cycles: float) -> float:
        """Of our cycles beside the measured ones."""
        extra = pipeline_cycles * self.pixels if self.row["pipelined"] else 0.0
        return (self.plain_cycles + extra) / self.cycles - 1


def published() -> dict[str, Any]:
    """The figures of others."""
    found: dict[str, Any] = tomllib.loads((DATA / "max7800x.toml").read_text(encoding="utf-8"))
    return found


@cache
def layers_of(part: str, network: str) -> tuple[LayerProgram, ...]:
    """The layers of a network on a part."""
    return tuple(_layer(index, row) for index, row in enumerate(_rows()[part][network]))


@cache
def _rows() -> dict[str, dict[str, list[list[Any]]]]:
    found: dict[str, dict[str, list[list[Any]]]] = json.loads(
        (DATA / "max7800x-layers.json").read_text(encoding="utf-8")
    )
    return found


def _layer(index: int, row: Sequence[Any]) -> LayerProgram:
    """What time does not depend on is nought."""
    said = dict(zip(KEPT, row, strict=True))
    for name in ("kernel", "pooled", "window", "pad"):
        said[name] = tuple(said[name])
    mask = int(said["processors"], 16)
    said["processors"] = tuple(n for n in range(64) if mask >> n & 1)
    return LayerProgram(
        index=index, width=0, dilation=(1, 1), stride=1, pools="none", eltwise="add",
        pixel_words=0, planar=False, read_base=0, slots=1, shift=0, activation="none", wide=False,
        biases={}, broadcasts=False, targets={0: Target(instance=0, word=0)},
        output_pixel_words=0, output_pass_words=0, **said,
    )  # fmt: skip


def collect(folder: Path) -> str:
    """The layers of all generated networks that are published, as JSON."""
    named = [*all_rows(), *published()["streams"]]
    wanted = {(row["part"], row["network"]) for row in named}
    parts: dict[str, dict[str, list[list[Any]]]] = {}
    for part, network in sorted(wanted):
        code = (folder / part / network / "cnn.c").read_text(encoding="utf-8")
        real = [layer for layer in programmed(code, part).layers if not layer.is_empty]
        parts.setdefault(part, {})[network] = [
            [_kept(layer, name) for name in KEPT] for layer in real
        ]
    lines = []
    for part, networks in parts.items():
        told = [
            f'  "{network}": [\n' + ",\n".join(f"   {json.dumps(row)}" for row in rows) + "\n  ]"
            for network, rows in networks.items()
        ]
        lines.append(f' "{part}": {{\n' + ",\n".join(told) + "\n }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _kept(layer: LayerProgram, name: str) -> Any:
    if name == "processors":
        return hex(sum(1 << number for number in layer.processors))
    value = getattr(layer, name)
    return list(value) if isinstance(value, tuple) else value


def all_rows() -> list[dict[str, Any]]:
    """Published times, those of the application note's table among them."""
    figures = published()
    rows: list[dict[str, Any]] = list(figures["times"])
    for row in figures["table"]:
        rows.append({**figures["table_conditions"], **row})
    return rows


def points() -> list[Point]:
    """All of them, beside what is computed here."""
    return [_point(row) for row in all_rows()]


def _point(row: dict[str, Any]) -> Point:
    layers = layers_of(row["part"], row["network"])
    us, half_us, energy = row.get("us"), row.get("half_us"), row.get("energy_uj")
    if us is None:
        us, half_us, energy = _table_time(row)
    return Point(
        row=row,
        us=us,
        half_us=half_us,
        plain_cycles=1
        + sum(formula_cycles(layer, prereads=row["part"] == "MAX78000") for layer in layers),
        pixels=sum(map(output_pixels, layers)),
        energy_uj=energy,
    )


def _table_time(row: dict[str, Any]) -> tuple[float, float, float]:
    """Time, its uncertainty and net energy of the inference, from the table's two windows: loading
    with inference, less loading. Where a window's time is printed with one digit after the point,
    energy over power says it better: E = (A - I) T, energy to half a microjoule."""
    times, halves = [], []
    for name in ("both", "load"):
        energy_uj, ms, active_mw = row[name]
        net_mw = active_mw - row["idle_mw"]
        if row.get("by_time") or net_mw <= 0:
            times.append(ms * 1e3)
            halves.append(50.0)
        elif name == "load" and ms < 1:
            times.append(ms * 1e3)
            halves.append(0.05)
        else:
            times.append(energy_uj / net_mw * 1e3)
            halves.append((0.5 / net_mw + energy_uj * 0.01 / net_mw**2) * 1e3)
    return times[0] - times[1], sum(halves), row["both"][0] - row["load"][0]


def macs_of(layer: LayerProgram) -> int:
    """Multiplications of a layer."""
    taps = layer.kernel[0] * layer.kernel[1]
    if layer.kind == "passthrough":
        return 0
    if layer.kind == "depthwise":
        return output_pixels(layer) * layer.passes * len(layer.processors) * taps
    return output_pixels(layer) * layer.mask_count * len(layer.processors) * taps


def fitted_on(found: Sequence[Point]) -> list[Point]:
    """Those on which the pipeline's constant is fitted: the table's."""
    return [one for one in found if "both" in one.row]


def pipeline_fit(found: Sequence[Point]) -> float:
    """Cycles an output pixel, by least squares of the relative error."""
    pairs = [(one.pixels / one.cycles, 1 - one.plain_cycles / one.cycles) for one in found]
    return sum(a * b for a, b in pairs) / sum(a * a for a, _ in pairs)


def held_out(found: Sequence[Point]) -> list[float]:
    """The error of each where it is left out of the fit."""
    return [
        one.error(pipeline_fit([other for other in found if other is not one])) for one in found
    ]


Feature = Callable[[Sequence[LayerProgram]], float]


def cycles(layers: Sequence[LayerProgram]) -> float:
    return float(network_work(layers, pipelined=True, prereads=False).cycles)


def quadrant_cycles(layers: Sequence[LayerProgram]) -> float:
    return float(network_work(layers, pipelined=True, prereads=False).quadrant_cycles)


def processor_cycles(layers: Sequence[LayerProgram]) -> float:
    counts = network_work(layers, pipelined=True, prereads=False).layers
    return float(
        sum(count * len(layer.processors) for count, layer in zip(counts, layers, strict=True))
    )


def macs(layers: Sequence[LayerProgram]) -> float:
    return float(sum(map(macs_of, layers)))


def kernel_words(layers: Sequence[LayerProgram]) -> float:
    return float(sum(macs_of(layer) // (layer.kernel[0] * layer.kernel[1]) for layer in layers))


FEATURES: dict[str, Feature] = {
    "a cycle of each quadrant that works": quadrant_cycles,
    "a cycle": cycles,
    "a cycle of each processor that works": processor_cycles,
    "a kernel that is read": kernel_words,
    "a MAC": macs,
}
"""What a network's net energy may be proportional to; the first is the model's."""


def energies() -> list[Point]:
    """Net energies at 200 MHz and 1.0 V, one of each network."""
    return [one for one in points() if one.energy_uj is not None and one.row["mhz"] == 200]


def energy_fit(found: Sequence[Point], feature: Feature) -> float:
    """Nanojoules of one, by least squares of the relative error."""
    shares = [_amount(one, feature) / _energy_nj(one) for one in found]
    return sum(shares) / sum(share * share for share in shares)


def energy_held_out(found: Sequence[Point], feature: Feature) -> list[float]:
    """The error of each where it is left out of the fit."""
    errors = []
    for one in found:
        each = energy_fit([other for other in found if other is not one], feature)
        errors.append(each * _amount(one, feature) / _energy_nj(one) - 1)
    return errors


def _amount(one: Point, feature: Feature) -> float:
    return _amount_of(one.row["part"], one.row["network"], feature)


@cache
def _amount_of(part: str, network: str, feature: Feature) -> float:
    return feature(layers_of(part, network))


def _energy_nj(one: Point) -> float:
    return float(one.energy_uj or 0) * 1e3


def page() -> str:
    """The whole page."""
    figures = published()
    told = points()
    table = fitted_on(told)
    others = [one for one in told if "both" not in one.row]
    plain = [one for one in others if one.row["part"] == "MAX78000"]
    slow = [one for one in others if one.row["part"] == "MAX78002" and not one.row["pipelined"]]
    drawn = [one for one in others if one.row["pipelined"]]
    held = held_out(table)
    return TEXT.read_text(encoding="utf-8").format(
        plain_count=len(plain),
        plain=_table(plain),
        plain_worst=_worst(one.error(0) for one in plain),
        plain_low=f"{min(map(_apart, plain)):.1f}",
        plain_high=f"{max(map(_apart, plain)):.1f}",
        slow=_table(slow),
        slow_worst=_worst(one.error(0) for one in slow if one.half_us < one.us / 100),
        constant=f"{PIPELINE_CYCLES:g}",
        fit=f"{pipeline_fit(table):.2f}",
        count=len(table),
        held_worst=_worst(held),
        pipelined=f"{100 * PIPELINED.high:g} %",
        bound=f"{100 * PLAIN.high:g} %",
        without=_worst(one.error(0) for one in table),
        table=_table(table, held),
        drawn=_table(drawn),
        streams=_streams(figures["streams"]),
        **_energy_words(),
        absent="".join(
            f"\n| {row['what']} | {row['source']} | {row['reason']} |" for row in figures["absent"]
        ),
    )


def _apart(one: Point) -> float:
    """Microseconds that a published time is above the formula's."""
    return one.us - one.plain_cycles / float(one.row["mhz"])


def _worst(errors: Iterable[float]) -> str:
    return f"{100 * max(map(abs, errors)):.1f} %"


def _table(found: Sequence[Point], held: Sequence[float] = ()) -> str:
    """One row a point; with ``held`` the error where it was left out of the fit as well."""
    lines = [
        "| network | layers of | clock | published, us | formula, cycles | output pixels "
        "| here, us | error |" + (" left out of the fit |" if held else ""),
        "|---|---|--:|--:|--:|--:|--:|--:|" + ("--:|" if held else ""),
    ]
    for at, one in enumerate(found):
        extra = PIPELINE_CYCLES * one.pixels if one.row["pipelined"] else 0.0
        ours = (one.plain_cycles + extra) / one.row["mhz"]
        lines.append(
            f"| {one.row['called']} | {one.row['network']} | {one.row['mhz']:g} MHz | "
            f"{one.us:,.1f} ± {one.half_us:,.1f} | {one.plain_cycles:,} | {one.pixels:,} | "
            f"{ours:,.1f} | {100 * (ours / one.us - 1):+.2f} % |"
            + (f" {100 * held[at]:+.2f} % |" if held else "")
        )
    return "\n".join(lines)


def _streams(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| network | part | published, us | here without the 1.5, us | with it, us |",
        "|---|---|--:|--:|--:|",
    ]
    for row in rows:
        work = network_work(
            layers_of(row["part"], row["network"]),
            pipelined=row["part"] == "MAX78002",
            prereads=row["part"] == "MAX78000",
        )
        lines.append(
            f"| {row['called']} | {row['part']} | {row['us']:,.0f} | "
            f"{work.low / row['mhz']:,.0f} | {work.high / row['mhz']:,.0f} |"
        )
    return "\n".join(lines)


def _energy_words() -> dict[str, str]:
    found = energies()
    lines = [
        "| proportional to | nJ | left out of the fit, at most | mean square |",
        "|---|--:|--:|--:|",
    ]
    for name, feature in FEATURES.items():
        errors = energy_held_out(found, feature)
        root = (sum(error * error for error in errors) / len(errors)) ** 0.5
        lines.append(
            f"| {name} | {energy_fit(found, feature):.3f} | {_worst(errors)} | {100 * root:.0f} % |"
        )
    each = energy_fit(found, quadrant_cycles)
    rows = [
        "| network | published net, uJ | quadrants' cycles | here, uJ | left out of the fit |",
        "|---|--:|--:|--:|--:|",
    ]
    for one, error in zip(found, energy_held_out(found, quadrant_cycles), strict=True):
        amount = _amount(one, quadrant_cycles)
        rows.append(
            f"| {one.row['called']} | {one.energy_uj:,.0f} | {amount:,.0f} | "
            f"{each * amount * 1e-3:,.0f} | {100 * error:+.0f} % |"
        )
    return {
        "energy_count": str(len(found)),
        "energy_nj": f"{each:.3f}",
        "energy_worst": _worst(energy_held_out(found, quadrant_cycles)),
        "quadrant_mw": f"{each * 200:.0f}",
        "features": "\n".join(lines),
        "energies": "\n".join(rows),
    }


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=Path)
    given = parser.parse_args(words)
    if given.layers is not None:
        (DATA / "max7800x-layers.json").write_text(collect(given.layers), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
