"""What differs in the sources of a kernel between two stored runs: their folders keep them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from npubench.runs.gap_cause import Changed
from npubench.runs.reader import StoredRun

_KERNELS = "src/kernels/"
_MODEL = ("src/model/nb_model.c", "src/model/nb_weights.bin")


def changed_sources(a: StoredRun, b: StoredRun) -> Changed | None:
    """For a kernel's name: its file that differs, else that what it is called with does; None for
    no difference. None at all where a folder does not keep its project."""
    listed = _listed(a.path), _listed(b.path)
    if not listed[0] or not listed[1]:
        return None
    differ = {name for name in listed[0] if listed[0][name] != listed[1].get(name)}
    headers = sorted(
        name for name in differ if name.startswith("include/nb_kernels") or "requant" in name
    )
    texts: dict[str, str] = {}

    def changed(kernel: str) -> str | None:
        home = _home(a.path, listed[0], kernel, texts)
        if home in differ:
            return f"{home} differs"
        if headers:
            return f"{headers[0]} differs"
        if differ.intersection(_MODEL):
            return "what it is called with differs (src/model)"
        return None

    return changed


def _listed(folder: Path) -> Mapping[str, str]:
    """Path to SHA-256 of a run's project; empty where there is none."""
    try:
        document = json.loads((folder / "project" / "project.json").read_text(encoding="utf-8"))
        return {str(name): str(digest) for name, digest in document["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _home(
    folder: Path, listed: Mapping[str, str], kernel: str, texts: dict[str, str]
) -> str | None:
    """The source that defines a kernel."""
    define = re.compile(rf"^\S[^;\n]*\b{re.escape(kernel)}\(", re.MULTILINE)
    for name in listed:
        if not name.startswith(_KERNELS) or not name.endswith(".c") or ".." in name.split("/"):
            continue
        if name not in texts:
            try:
                texts[name] = (folder / "project" / name).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                texts[name] = ""
        if define.search(texts[name]):
            return name
    return None
