"""What a converter said before it failed: kept in a file of its own that the error names."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from npubench.core.paths import cache_root

FOLDER = "failed"


def keep_words(said: str, model: str) -> Path:
    """Keep the words under the model's name; equal words are kept once. A cache that cannot be
    written costs the log, nothing else."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", model)[:60] or "model"
    digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:8]
    path = cache_root() / "imports" / FOLDER / f"{stem}-{digest}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said, encoding="utf-8", errors="replace")
    except OSError:
        return Path("(not kept: the cache cannot be written)")
    return path
