"""Which class each file of a benchmark's accuracy set has, and how many files there are.

KWS names its class, AD whether it is an anomaly. The classes of IC's and VWW's images are data of
the repository mlcommons/tiny, which a reviewer brings: ``--labels``, or the variable below. The
words of the streaming test are figures that its runner writes into every results.json.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
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
VARIABLE = "NPUBENCH_MLPERF_LABELS"
"""Folders of labels, as in PATH, where none are named."""
LABELS_HINT = (
    "the classes of IC's and VWW's files: clone mlcommons/tiny and name "
    "--labels tiny/benchmark/evaluation/datasets"
)
OLDER_HINT = (
    "the image set of rounds up to v0.7 was another one, which some used until v1.2: its classes "
    "are in the history of mlcommons/tiny, git show "
    "6dff252:benchmark/evaluation/datasets/ic01/y_labels.csv; name it with --labels as well"
)
LABEL_ROW = re.compile(r"^([^,]{1,255}),(?:\s*\d{1,4}\s*,)?\s*(\d{1,4})\s*(?:,|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels that a reviewer brought (``own``), before what a file's name says."""

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
        return None


def read_labels(folders: Sequence[Path]) -> Labels:
    """All y_labels.csv below ``folders``: rows of file, number of classes, class. Raises
    UsageError where there is none. Without ``folders`` those of the environment's variable."""
    own: dict[str, int] = {}
    variable = os.environ.get(VARIABLE, "")
    named = folders or [Path(part) for part in variable.split(os.pathsep) if part]
    for folder in named:
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


def _lines(name: str) -> list[str]:
    text = files("npubench.audit").joinpath("datasets", f"{name}.csv").read_text("utf-8")
    return text.splitlines()[1:]
