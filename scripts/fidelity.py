"""Write docs/fidelity.md and its plot: predicted against published cycles, every image.

Run from a checkout: python scripts/fidelity.py [--check]. Everything follows from the stored counts
and weights.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from npubench.cycles.images import Image, load_images
from npubench.cycles.rebuilt import how_built, load_rebuilt
from npubench.cycles.weights import (
    PartWeights,
    cycles_range,
    load_cores,
    load_weights,
    sentence,
)
from npubench.referee.fit import held_out, samples_of

DOCS = Path(__file__).parents[1] / "docs"
PAGE, PLOT = DOCS / "fidelity.md", DOCS / "fidelity.svg"
INTRODUCTION = """# Fidelity: modelled cycles against published ones

<!-- Written by scripts/fidelity.py from host/npubench/cycles/data: do not edit. -->

Submitters of MLPerf Tiny published the very firmware images that gave their results. Each image
listed here ran on the model of its board (`npubench referee`); what it executes in one inference
was counted by kind, and weights were fitted so that the counts give the cycles that silicon took.
An inference is the window of `infer 2` less the window of `infer 1`, between the reads of the timer
(or the pulses of the pin, or the console's lines) that the image itself makes. The images of the
CY8C624A read no timer and move no pin there (they touch their serial block alone): their windows
are bounded by lines, whose printing cancels in the difference. Those of round 1.3 read CYCCNT; what
is stored of them was bounded by lines before that read was seen, 0.02 % apart. No byte of an image
is in this project.

![What was held out: predicted against published cycles](fidelity.svg)

- **Weights.** Documented costs of the core, and three fitted, non-negative weights (two on the
  M0+, whose loads wait for nothing beyond its table): what waits for a load, constants from flash,
  and fetches that come late; on the M7, whose table is not public, an instruction or an issue of
  its two slots takes the place of one. A weight is drawn to what documents let one expect (one
  cycle, a share of the wait states that the image itself set, one to three cycles), the less the
  more the images say (`cycles/terms.py`). The fit again: `python scripts/fit_cycles.py`; the counts
  again, from the images: `python scripts/count_images.py`.
- **Forms.** Each of these can be counted in more than one way (words of 4, 8 or 16 bytes; every
  taken branch, or targets and instructions that need two fetches; ...). Where a manual says which
  is the part's (the width of its flash, a cache for constants), the other ways are out; else every
  way is fitted, and the part's model is the mean of all. An earlier version chose two terms of up
  to five by the data: with the terms chosen inside the fold its worst errors were 12.9 to 23.7 %.
- **How the list was cut.** By physical reason, not by error: terms that no memory system or
  pipeline explains (rotations of SXTB16, which fit well) are out. The list was drawn up with the
  images of rounds 1.1 and 1.2 at hand, which flatters their errors.
- **Errors.** Where a part has two engines, each engine is predicted by weights fitted on the other;
  else each benchmark without its own images (a weaker test, and said so). *Mean of all forms* is
  what is displayed. *One form chosen* is the error with a single form, chosen inside each fold.
  *Ratios*: how far the ratio of two images of one benchmark is off at worst, where nothing of that
  benchmark was seen; with it `compare` judges two runs on one part.
- **A part without images** can be lent its core's weights (`--as cortex-m33`), fitted on all of
  the core's parts; its error leaves one whole part out, whose memory system is another. It lends
  them on: `--board qemu-m33 --as pico2` tells the core's cycles at the part's clock.
- **Kept back.** Images of round 1.3 were counted and predicted (by the weights of that day, with
  two chosen terms) before their results were looked at. They are in no fit.
- **Ranges.** A displayed range reaches as far as the worst error of what was held out, of images
  that were kept back and of software that was built here (both with today's weights), or as a form
  that the images cannot tell from the best (held-out errors within 1.5 points), whichever is
  farther; never less than 1 %. Code unlike the fitted engines', such as our own kernels, may err
  by more.
- **Not modelled.** Contention of buses, prefetch, dual issue of the Cortex-M7 beyond pairs in
  order; the Cortex-M85: its published images (EK-RA8D1) could not be fetched, and their Helium
  instructions would not run on a board model. QEMU boards have no cycles of their own: `--as BOARD`
  lends them a part's, and says so.
- **Energy.** Energy per cycle of one named configuration, from published energies; its error leaves
  a benchmark out.
"""
# Mean and worst error in per cent, with one form chosen inside the fold: what was aimed at.
GOALS = {
    "cortex-m0plus": (4, 12),
    "cortex-m33": (4, 10),
    "cortex-m4": (5, 12),
    "cortex-m7": (7, 16),
}
SHORT_OF = {
    "STM32L4R5ZI": "by the mean alone: a fold with one engine takes words of 4 bytes, the other of "
    "8; the mean of all forms, which is displayed, is well inside",
    "CY8C624A": "five images of one engine, and only those of `ad` stream constants from flash "
    "(0.03 misses an instruction; the others 0.001 to 0.009) and run code of which 86 % are 32-bit "
    "instructions that cross a word (the others: 31 to 38 %): left out, nothing is known of "
    "either. Registers explain nothing: PLL 8 MHz * 75 / 2 / 2 = 150 MHz as stated, 5 wait states, "
    "no wait of RAM, cache and prefetch left on. Plain words instead of its cache's misses gave "
    "15.1 / 25.9 %",
}
REPOSITORIES = (
    "Images: github.com/mlcommons/tiny_results_v1.1, tiny_results_v1.2, tiny_results_v1.3. "
    "Code that was built here: tiny_results_v1.0."
)
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf")
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 330, 56, 14, 150, 44
LIMIT_PCT, FIRST, LAST = 20, 2.5e5, 2e8


def page() -> str:
    """The page's text."""
    images = load_images()
    parts = [INTRODUCTION, _summary(), _kept_back(images), _rebuilt()]
    for weights in load_weights().values():
        parts.append(_part(weights, images))
    parts.append(_left_out(images))
    return "\n".join(parts) + f"\n{REPOSITORIES}\n"


def plot() -> str:
    """Held-out predictions over published cycles, as SVG; images that were kept back hollow."""
    inner_w, inner_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(cycles: float, off_pct: float) -> tuple[str, str]:
        x = LEFT + inner_w * math.log(cycles / FIRST) / math.log(LAST / FIRST)
        y = TOP + inner_h * (0.5 - off_pct / (2 * LIMIT_PCT))
        return f"{x:.1f}", f"{y:.1f}"

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for off in range(-LIMIT_PCT, LIMIT_PCT + 1, 5):
        _, y = place(FIRST, off)
        stroke = "#555555" if off == 0 else "#dddddd"
        lines.append(
            f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="{stroke}"/>'
            f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" dominant-baseline="middle">'
            f"{off:+d} %</text>"
        )
    for power, words in ((6, "1 M"), (7, "10 M"), (8, "100 M")):
        x, _ = place(10**power, 0)
        lines.append(
            f'<path d="M{x} {TOP}V{HEIGHT - BOTTOM}" stroke="#dddddd"/>'
            f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{words}</text>'
        )
    lines.append(
        f'<text x="{LEFT + inner_w / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
        "published cycles of an inference; up: predicted too many</text>"
    )
    for number, weights in enumerate(load_weights().values()):
        colour = COLOURS[number % len(COLOURS)]
        y = TOP + 14 + 18 * number
        lines.append(
            f'<circle cx="{WIDTH - RIGHT + 14}" cy="{y}" r="4" fill="{colour}"/>'
            f'<text x="{WIDTH - RIGHT + 24}" y="{y}" dominant-baseline="middle">'
            f"{weights.part}</text>"
        )
        for cycles, off, hollow in _points(weights):
            x, y_point = place(cycles, max(-LIMIT_PCT, min(LIMIT_PCT, off)))
            fill = "#ffffff" if hollow else colour
            lines.append(
                f'<circle cx="{x}" cy="{y_point}" r="4" fill="{fill}" stroke="{colour}" '
                'fill-opacity="0.8"/>'
            )
    y = TOP + 14 + 18 * (len(load_weights()) + 1)
    lines.append(
        f'<circle cx="{WIDTH - RIGHT + 14}" cy="{y}" r="4" fill="#ffffff" stroke="#555555"/>'
        f'<text x="{WIDTH - RIGHT + 24}" y="{y}" dominant-baseline="middle">kept back</text></svg>'
    )
    return "\n".join(lines) + "\n"


def _points(weights: PartWeights) -> list[tuple[float, float, bool]]:
    """Published cycles, how far off in per cent, and whether the image was kept back."""
    import numpy as np

    images = [image for image in load_images() if image.part == weights.part and image.is_fitted]
    samples = samples_of(images)
    errors = held_out(samples, samples.groups, np.ones(len(images), dtype=bool)).mean(axis=0)
    found = [
        (image.published_cycles, 100 * float(error), False)
        for image, error in zip(images, errors, strict=True)
    ]
    return found + [
        (image.published_cycles, 100 * (image.predicted.mid / image.published_cycles - 1), True)
        for image in load_images()
        if image.part == weights.part and image.predicted is not None
    ]


def _goal(part: PartWeights) -> str:
    mean, worst = GOALS[part.core]
    reached = part.chosen_mean_pct <= mean and part.chosen_worst_pct <= worst
    return (
        f"| {part.part} | {part.core} | {mean} / {worst} % | {part.chosen_mean_pct:.2f} / "
        f"{part.chosen_worst_pct:.1f} % | {part.mean_pct:.1f} / {part.worst_pct:.1f} % | "
        f"{'reached' if reached else SHORT_OF[part.part]} |"
    )


def _summary() -> str:
    lines = [
        "## Errors",
        "",
        "| part | core | images | engines | left out | mean of all forms, mean / worst | "
        "one form chosen in the fold, mean / worst | ratios, worst | forms |",
        "| --- | --- | ---: | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for part in load_weights().values():
        lines.append(
            f"| {part.part} | {part.core} | {part.images} | {', '.join(part.engines)} | "
            f"{part.held_out} | {part.mean_pct:.1f} / {part.worst_pct:.1f} % | "
            f"{part.chosen_mean_pct:.1f} / {part.chosen_worst_pct:.1f} % | "
            f"{part.ratio_pct:.1f} % | {len(part.models)} |"
        )
    lines += [
        "",
        "What was aimed at, with one form chosen inside the fold (which no displayed figure does), "
        "and what was reached:",
        "",
        "| part | core | goal, mean / worst | reached | displayed: mean of all forms | why not |",
        "| --- | --- | ---: | ---: | ---: | --- |",
        *(_goal(part) for part in load_weights().values()),
        "",
        "| core | parts | images | leave one part out, mean / worst | ratios, worst |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for core in load_cores().values():
        lines.append(
            f"| {core.core} | {', '.join(core.parts)} | {core.images} | {core.mean_pct:.1f} / "
            f"{core.worst_pct:.1f} % | {core.ratio_pct:.1f} % |"
        )
    lines += [
        "",
        "Mean weights of all forms, cycles each; a term that is in some forms only counts there:",
        "",
        "| part | wait states | weights |",
        "| --- | ---: | --- |",
    ]
    for part in load_weights().values():
        sums: dict[str, float] = {}
        for model in part.models:
            for term, weight in model.terms.items():
                sums[term] = sums.get(term, 0.0) + weight / len(part.models)
        words = ", ".join(f"`{term}` {weight:.2f}" for term, weight in sorted(sums.items()))
        lines.append(f"| {part.part} | {part.wait_states} | {words} |")
    lines += [
        "",
        "| part | configuration | nJ per cycle | images | leave one benchmark out |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for part in load_weights().values():
        lines += [
            f"| {part.part} | {energy.submitter}, {energy.configuration} | "
            f"{energy.nj_per_cycle:.3f} | {energy.images} | {energy.error_pct:.1f} % |"
            for energy in part.energy
        ]
    return "\n".join(lines) + "\n"


def _kept_back(images: tuple[Image, ...]) -> str:
    known = load_weights()
    lines = [
        "## Predicted before it was looked at",
        "",
        "| release | benchmark | instructions | predicted | published | off | inside | "
        "today's weights |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    errors = []
    for image in images:
        if image.predicted is None or image.part not in known:
            continue
        then, cycles = image.predicted, image.published_cycles
        off = 100 * (then.mid / cycles - 1)
        today = 100 * (cycles_range(known[image.part], image.counts).mid / cycles - 1)
        errors.append(abs(off))
        inside = "yes" if then.low <= cycles <= then.high else "no"
        lines.append(
            f"| {image.engine} {image.release} | {image.benchmark} | {image.instructions or 0:,} | "
            f"{then.mid:,.0f} ({then.low:,.0f} to {then.high:,.0f}) | {cycles:,.0f} | "
            f"{off:+.1f} % | {inside} | {today:+.1f} % |"
        )
    lines += ["", f"Mean {sum(errors) / len(errors):.1f} %, worst {max(errors):.1f} %."]
    return "\n".join(lines) + "\n"


def _rebuilt() -> str:
    """Another engine, of which no image is public but the code."""
    lines = [
        "## Another engine, built here",
        "",
        "No weights were fitted on it. Its code and its latencies are public, its images are not: "
        "it was compiled here and ran on the part's board model, and its cycles were predicted "
        "once, by the weights of that day; nothing was changed after they were set beside the "
        f"published ones. {how_built()}. Outputs are TensorFlow Lite Micro's; those of ad were not "
        "compared, since the release quantizes it in a way of its own. A part without weights has "
        "its core's, on the model of another part of that core.",
        "",
        "| release | part | weights | benchmark | instructions | predicted | published | off | "
        "inside | today's weights |",
        "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    errors: dict[str, list[float]] = {}
    again = []
    for row in load_rebuilt():
        then, cycles = row.predicted, row.published_cycles
        off = 100 * (then.mid / cycles - 1)
        errors.setdefault(row.weights, []).append(abs(off))
        if row.again_cycles is not None:
            again.append(100 * abs(row.again_cycles / cycles - 1))
        inside = "yes" if then.low <= cycles <= then.high else "no"
        weights = load_weights().get(row.weights) or load_cores()[row.weights]
        today = 100 * (cycles_range(weights, row.counts).mid / cycles - 1)
        lines.append(
            f"| {row.engine} {row.release} | {row.part} | {row.weights} | {row.benchmark} | "
            f"{row.instructions:,} | {then.mid:,.0f} ({then.low:,.0f} to {then.high:,.0f}) | "
            f"{cycles:,.0f} | {off:+.1f} % | {inside} | {today:+.1f} % |"
        )
    lines.append("")
    lines += [
        f"{name}: mean {sum(found) / len(found):.1f} %, worst {max(found):.1f} %."
        for name, found in errors.items()
    ]
    lines.append(
        f"The same software on the same board was published again in round 1.1: "
        f"{max(again):.2f} % apart at most."
    )
    return "\n".join(lines) + "\n"


def _part(weights: PartWeights, images: tuple[Image, ...]) -> str:
    lines = [
        f"## {weights.part}",
        "",
        f"{sentence(weights)}.",
        "",
        "| release | benchmark | instructions | published cycles | cycles / instruction | "
        "modelled (all images fitted) | off |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for image in images:
        if image.part == weights.part and image.is_fitted:
            found = cycles_range(weights, image.counts)
            off = 100 * (found.mid / image.published_cycles - 1)
            count = image.instructions or 1
            lines.append(
                f"| {image.engine} {image.release} | {image.benchmark} | {count:,} | "
                f"{image.published_cycles:,.0f} | {image.published_cycles / count:.2f} | "
                f"{found.mid:,.0f} ({found.low:,.0f} to {found.high:,.0f}) | {off:+.1f} % |"
            )
    return "\n".join(lines) + "\n"


def _left_out(images: tuple[Image, ...]) -> str:
    known = load_weights()
    lines = ["## Images without a part in a fit", "", "| image | why |", "| --- | --- |"]
    for image in images:
        if (image.is_fitted and image.part in known) or image.predicted is not None:
            continue
        why = image.reason or image.excluded
        if why is None and image.same_as is not None:
            why = "the same code and latency as another image, which counts once"
        if why is None:
            why = "counted; too few images of this part for a fit"
        lines.append(f"| {image.release} {image.benchmark} {image.mode} | {why} |")
    return "\n".join(lines) + "\n"


def main(words: list[str]) -> int:
    """Write the page and its plot, or with --check say whether they are current."""
    texts = {PAGE: page(), PLOT: plot()}
    if "--check" in words:
        return int(any(path.read_text(encoding="utf-8") != text for path, text in texts.items()))
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
