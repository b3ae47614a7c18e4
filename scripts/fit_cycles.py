"""Fit the weights of parts again from the stored counts of published images.

Run from a checkout: python scripts/fit_cycles.py. Writes host/npubench/cycles/data/weights.json
when it differs; equal images give equal weights.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from npubench.cycles.images import load_images
from npubench.cycles.rebuilt import load_rebuilt
from npubench.referee.core_fit import fit_cores
from npubench.referee.fit import fit_all

WEIGHTS = Path(__file__).parents[1] / "host" / "npubench" / "cycles" / "data" / "weights.json"


def main() -> int:
    """Fit, write, and say the errors."""
    images, rebuilt = load_images(), load_rebuilt()
    fitted, cores = fit_all(images, rebuilt), fit_cores(images, rebuilt)
    document = {
        "schema": 1,
        "parts": [part.model_dump(mode="json") for part in fitted],
        "cores": [core.model_dump(mode="json") for core in cores],
    }
    WEIGHTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for part in (*fitted, *cores):
        sys.stdout.write(
            f"{part.part}: {part.images} images, {len(part.engines)} engines, {len(part.models)} "
            f"forms, held out {part.mean_pct}/{part.worst_pct} %, one form chosen in the fold "
            f"{part.chosen_mean_pct}/{part.chosen_worst_pct} %, ratios {part.ratio_pct} %\n"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
