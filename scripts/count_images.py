"""Run the published images again and hold what is stored of them against what is counted now.

Run from a checkout: python scripts/count_images.py FILE|FOLDER... [--write]. Images have any name;
they are known by their hashes (`npubench referee --fetch FOLDER` brings them). Says of every known
image that is there whether it ran and counted the same, to the last instruction, and how many are
not there; --write stores the new counts, registers and bounds.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from npubench.cycles.images import load_images
from npubench.referee.run import find_images, judge_image

DATA = Path(__file__).parents[1] / "host" / "npubench" / "cycles" / "data" / "images.json"
KINDS = ("counts", "registers", "bounded_by", "instructions")


def _seen(path: Path) -> tuple[str, dict[str, Any]]:
    """What an image does now: its status in words, and what is stored of it."""
    verdict = judge_image(path, board_id=None, references=(), boot_limit_s=200.0)
    if verdict.status != "ok":
        return f"{verdict.status}: {verdict.reason}", {}
    found = {kind: verdict.details[kind] for kind in ("counts", "registers")}
    return "ok", found | {
        "bounded_by": verdict.bounded_by,
        "instructions": verdict.instructions,
    }


def main(words: list[str]) -> int:
    """Judge every known image that is named; 1 when one differs or is refused."""
    writes = "--write" in words
    paths = [Path(word) for word in words if word != "--write"]
    by_hash = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in find_images(paths)}
    document = json.loads(DATA.read_text(encoding="utf-8"))
    tally = {"same": 0, "differs": 0, "refused": 0, "absent": 0}
    for image, stored in zip(load_images(), document["images"], strict=True):
        name = f"{image.part} {image.release} {image.benchmark} {image.mode}"
        path = by_hash.get(image.sha256)
        if path is None:
            tally["absent"] += 1
            continue
        status, found = _seen(path)
        if not found:
            tally["refused"] += 1
            sys.stdout.write(f"{name}: {status}\n")
            continue
        if image.reason is not None:
            tally["same"] += 1
            sys.stdout.write(f"{name}: ok, {found['instructions']}; not stored: {image.reason}\n")
            continue
        known = {kind: stored.get(kind) for kind in KINDS}
        now = dict(found)
        if not writes:  # what was not counted at the time cannot differ
            now["counts"] = {k: v for k, v in found["counts"].items() if k in known["counts"]}
            now["registers"] = {
                k: v for k, v in found["registers"].items() if k in known["registers"]
            }
        same = now == known
        tally["same" if same else "differs"] += 1
        what = [kind for kind in KINDS if now[kind] != known[kind]]
        sys.stdout.write(f"{name}: {'same' if same else 'differs in ' + ', '.join(what)}\n")
        sys.stdout.flush()
        if writes:
            stored.update(found)
    if writes:
        DATA.write_text(
            json.dumps(document, indent=0, separators=(",", ":")) + "\n", encoding="utf-8"
        )
    sys.stdout.write(", ".join(f"{count} {name}" for name, count in tally.items()) + "\n")
    return 0 if tally["differs"] + tally["refused"] == 0 else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
