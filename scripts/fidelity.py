"""Write docs/fidelity.md: predicted against published cycles, every image.

Run from a checkout: python scripts/fidelity.py [--check]. Everything follows from the stored counts
and weights.
"""

from __future__ import annotations

import sys
from pathlib import Path

from npubench.cycles.images import Image, load_images
from npubench.cycles.weights import PartWeights, cycles_range, load_weights, sentence

PAGE = Path(__file__).parents[1] / "docs" / "fidelity.md"
INTRODUCTION = """# Fidelity: modelled cycles against published ones

<!-- Written by scripts/fidelity.py from host/npubench/cycles/data: do not edit. -->

Submitters of MLPerf Tiny published the very firmware images that gave their results. Each image
listed here ran on the model of its board (`npubench referee`); what it executes in one inference
was counted by kind, and weights were fitted so that the counts give the cycles that silicon took.
An inference is the window of `infer 2` less the window of `infer 1`, between the reads of the timer
(or the pulses of the pin) that the image itself makes. No byte of an image is in this project.

- **Weights.** Documented costs of the core (`cycles/terms.py`), and at most two fitted,
  non-negative terms. The fit again: `python scripts/fit_cycles.py`.
- **Errors.** Where a part has two engines, each engine is predicted by weights fitted on the other;
  else each benchmark without its own images (a weaker test, and said so). *Terms fixed*: the terms
  were chosen on all images, the weights were not. *Chosen in the fold*: the terms too were chosen
  without what is predicted. The short list of terms itself was drawn up with all images at hand,
  which flatters both.
- **Ranges.** A displayed range runs from the lowest to the highest of all models that the images
  cannot tell apart (held-out errors within 1.5 points), widened by the worst error of both kinds,
  never less than 1 %. Code unlike the fitted engines', such as our own kernels, may err by more.
- **Not modelled.** Alignment of code, contention of buses, dual issue of the Cortex-M7 beyond a
  constant; the Cortex-M85 (its published images cannot be read). QEMU boards have no cycles of
  their own: `--as BOARD` lends them a part's, and says so.
- **Energy.** Energy per cycle of one named configuration, from published energies; its error leaves
  a benchmark out.
"""
REPOSITORIES = "Images: github.com/mlcommons/tiny_results_v1.1 and tiny_results_v1.2."


def page() -> str:
    """The page's text."""
    images = load_images()
    parts = [INTRODUCTION, _summary()]
    for weights in load_weights().values():
        parts.append(_part(weights, images))
    parts.append(_left_out(images))
    return "\n".join(parts) + f"\n{REPOSITORIES}\n"


def _summary() -> str:
    lines = [
        "## Errors",
        "",
        "| part | images | engines | left out | best model's terms, cycles each | terms fixed, "
        "mean / worst | chosen in the fold, mean / worst | models |",
        "| --- | ---: | --- | --- | --- | ---: | ---: | ---: |",
    ]
    for part in load_weights().values():
        best = part.models[0]
        terms = ", ".join(f"{name} {weight:.2f}" for name, weight in best.terms.items())
        lines.append(
            f"| {part.part} | {part.images} | {', '.join(part.engines)} | {part.held_out} | "
            f"{terms} | {best.held_out_mean_pct:.1f} / {best.held_out_worst_pct:.1f} % | "
            f"{part.nested_mean_pct:.1f} / {part.nested_worst_pct:.1f} % | {len(part.models)} |"
        )
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
        if image.is_fitted and image.part in known:
            continue
        why = image.reason or image.excluded
        if why is None and image.same_as is not None:
            why = "the same code and latency as another image, which counts once"
        if why is None:
            why = "counted; too few images of this part for a fit"
        lines.append(f"| {image.release} {image.benchmark} {image.mode} | {why} |")
    return "\n".join(lines) + "\n"


def main(words: list[str]) -> int:
    """Write the page, or with --check say whether it is current."""
    text = page()
    if "--check" in words:
        return int(PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
