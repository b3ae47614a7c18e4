"""Which class each file of a benchmark's accuracy set has, and how many files there are.

KWS names its class, AD whether it is an anomaly. IC, VWW and the words of the streaming test come
from `datasets/`: facts of the repository mlcommons/tiny (benchmark/evaluation/datasets; the words
as its runner writes them into results.json). IC had another set in round v0.5.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from npubench.audit.textfile import read_text
from npubench.core.errors import UsageError

FILE_COUNTS = {
    "kws": (1000,),
    "vww": (1000,),
    "ic": (200,),
    "ic02": (200,),
    "ad": (248, 72),
}
"""Files of an accuracy run; AD has a smaller set to choose since round v1.2."""

KWS_NAME = re.compile(r"tst_000\d{3}_.+_(\d{1,2})\.bin")
AD_NAME = re.compile(r"(normal|anomaly)_id_\d+_\d+.*\.bin")
OLDER_SET = "ic01_v0.5"
LABEL_ROW = re.compile(r"^([^,]{1,255}),(?:\s*\d{1,4}\s*,)?\s*(\d{1,4})\s*(?:,|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels that a reviewer brought (``own``), before those that are known."""

    own: dict[str, int]

    def of(self, benchmark: str, name: str) -> int | None:
        """The class of a file, or None where nothing tells."""
        if name in self.own:
            return self.own[name]
        if benchmark == "kws":
            found = KWS_NAME.fullmatch(name)
            return int(found.group(1)) if found else None
        if benchmark == "ad":
            found = AD_NAME.fullmatch(name)
            return None if found is None else int(found.group(1) == "anomaly")
        if benchmark in ("ic", "ic02"):
            known = {**_table(OLDER_SET), **_table("ic01")}
            return known.get(name)
        return _table("vww01").get(name) if benchmark == "vww" else None

    def is_older_set(self, benchmark: str, names: Collection[str]) -> bool:
        """Whether most files are those of round v0.5 that were replaced."""
        if benchmark not in ("ic", "ic02") or not names:
            return False
        older = _table(OLDER_SET).keys() - _table("ic01").keys()
        return 2 * sum(name in older for name in names) > len(names)


def read_labels(folders: Sequence[Path]) -> Labels:
    """All y_labels.csv below ``folders``: rows of file, number of classes, class. Raises
    UsageError where there is none."""
    own: dict[str, int] = {}
    for folder in folders:
        paths = [folder] if folder.is_file() else sorted(folder.rglob("y_labels*.csv"))
        rows = [LABEL_ROW.match(line) for path in paths for line in read_text(path).splitlines()]
        found = {row.group(1).strip(): int(row.group(2)) for row in rows if row}
        if not found:
            raise UsageError(
                f"{folder} holds no labels",
                hint="name a y_labels.csv (file,classes,class), or a folder above it",
            )
        own |= found
    return Labels(own=own)


@cache
def words_s() -> tuple[tuple[float, float], ...]:
    """Beginnings and ends of the wake words in long_wav.wav, in seconds."""
    rows = [line.split(",") for line in _lines("sww01")]
    return tuple((float(begin), float(end)) for begin, end in rows)


@cache
def _table(name: str) -> dict[str, int]:
    return {file: int(label) for file, label in (line.split(",") for line in _lines(name))}


def _lines(name: str) -> list[str]:
    text = files("npubench.audit").joinpath("datasets", f"{name}.csv").read_text("utf-8")
    return text.splitlines()[1:]
