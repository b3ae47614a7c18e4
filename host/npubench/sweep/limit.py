"""Where it breaks: the largest value of one axis that fits a target and meets its budgets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from npubench.core.errors import NpubenchError, UsageError
from npubench.core.format import count, percent
from npubench.core.progress import Event, Reporter
from npubench.runs.sweeps import PointRecord
from npubench.sweep.axis import Axis
from npubench.sweep.engine import run_points
from npubench.sweep.points import Point, Request, points_of
from npubench.sweep.result import sweep_record

_QUANTITY: Final = re.compile(r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-zµ]+)")
UNITS: Final[Mapping[str, Mapping[str, float]]] = {
    "latency": {
        "us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6,
        "instr": 1.0, "kinstr": 1e3, "Minstr": 1e6, "Ginstr": 1e9,
    },
    "ram": {"B": 1.0, "KiB": 1024.0, "MiB": 1048576.0, "kB": 1e3, "MB": 1e6},
    "flash": {"B": 1.0, "KiB": 1024.0, "MiB": 1048576.0, "kB": 1e3, "MB": 1e6},
    "energy": {"nJ": 1e-3, "uJ": 1.0, "µJ": 1.0, "mJ": 1e3, "J": 1e6},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """At most ``limit`` of ``metric``; ``text`` as it was given. ``counted``: in instructions."""

    metric: Literal["latency", "ram", "flash", "energy"]
    limit: float
    text: str
    counted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Of one series: the largest value that holds, the smallest above it that does not, and why.

    ``holds`` None: not even the first value does. ``breaks`` None: every value holds. ``tried``:
    values that were looked at, of ``values_count``. ``monotonic``: False where a larger value that
    was tried holds although a smaller one does not.
    """

    series: str
    axis: str
    holds: float | None
    breaks: float | None
    reason: str | None
    budgets: tuple[str, ...]
    tried: int
    values_count: int
    monotonic: bool
    point: PointRecord | None

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        found = asdict(replace(self, point=None))
        found["point"] = None if self.point is None else self.point.model_dump(mode="json")
        return found


def parse_budgets(texts: Mapping[str, str]) -> tuple[Budget, ...]:
    """Budgets from text with a unit. Raises UsageError."""
    found = []
    for metric, text in texts.items():
        if metric not in UNITS:
            raise UsageError(f"there is no budget {metric!r}", hint=f"known: {', '.join(UNITS)}")
        match = _QUANTITY.fullmatch(text.strip())
        if match is None or match["unit"] not in UNITS[metric]:
            raise UsageError(
                f"--{metric} {text}: a number with a unit is wanted",
                hint=f"units: {', '.join(UNITS[metric])}",
            )
        found.append(
            Budget(
                metric=metric,  # type: ignore[arg-type]
                limit=float(match["value"]) * UNITS[metric][match["unit"]],
                text=text,
                counted=match["unit"].endswith("instr"),
            )
        )
    return tuple(found)


def find_limits(
    request: Request, budgets: Mapping[str, str], *, runs_dir: Path, reporter: Reporter
) -> tuple[Limit, ...]:
    """Bisect along the one numeric axis of more than one value, for each series.

    A value fails that does not compile, does not fit, does not run, answers wrongly or exceeds a
    budget. Each point looked at is a stored run. Raises UsageError for another number of axes, and
    for a budget that a target's numbers cannot be held to.
    """
    limits = parse_budgets(budgets)
    axes = [axis for axis in request.axes if len(axis.values) > 1]
    if len(axes) != 1 or not axes[0].numeric:
        raise UsageError(
            "--where-it-breaks wants one axis of numbers",
            hint="vary one, and set others to one value: --vary width=0.35",
        )
    axis = axes[0]
    points = _Points(request, axis)
    series = points.series()
    return tuple(
        _Search(request, axis, name, points, limits, runs_dir, reporter).limit() for name in series
    )


class _Points:
    """The points of one value at a time: a network is made when it is looked at."""

    def __init__(self, request: Request, axis: Axis) -> None:
        self._request = request
        self._axis = axis
        self._made: dict[int, dict[str, Point] | NpubenchError] = {}

    def series(self) -> tuple[str, ...]:
        """All series, from the first value whose network can be made. Raises its error if none."""
        for index in (0, len(self._axis.values) - 1):
            made = self._at(index)
            if not isinstance(made, NpubenchError):
                return tuple(made)
        assert isinstance(made, NpubenchError)
        raise made

    def at(self, index: int, series: str) -> Point | NpubenchError:
        """The point of a series, or why there is no network."""
        made = self._at(index)
        return made if isinstance(made, NpubenchError) else made[series]

    def _at(self, index: int) -> dict[str, Point] | NpubenchError:
        if index not in self._made:
            alone = Axis(name=self._axis.name, values=(self._axis.values[index],))
            axes = tuple(alone if axis == self._axis else axis for axis in self._request.axes)
            try:
                points = points_of(replace(self._request, axes=axes))
                self._made[index] = {point.series: point for point in points}
            except UsageError:
                raise
            except NpubenchError as refusal:
                self._made[index] = refusal
        return self._made[index]


class _Search:
    """Bisection of one series."""

    def __init__(
        self,
        request: Request,
        axis: Axis,
        series: str,
        points: _Points,
        budgets: Sequence[Budget],
        runs_dir: Path,
        reporter: Reporter,
    ) -> None:
        self._request = request
        self._axis = axis
        self._series = series
        self._points = points
        self._budgets = budgets
        self._runs_dir = runs_dir
        self._reporter = reporter
        self._verdicts: dict[int, tuple[str | None, PointRecord | None]] = {}

    def limit(self) -> Limit:
        last = len(self._axis.values) - 1
        low, high = -1, last + 1
        if self._holds(last):
            low = last
        elif not self._holds(0):
            high = 0
        else:
            low, high = 0, last
            while high - low > 1:
                middle = (low + high) // 2
                if self._holds(middle):
                    low = middle
                else:
                    high = middle
        tried = sorted(self._verdicts)
        verdicts = [self._verdicts[index][0] is None for index in tried]
        return Limit(
            series=self._series,
            axis=self._axis.name,
            holds=None if low < 0 else self._value(low),
            breaks=None if high > last else self._value(high),
            reason=None if high > last else self._verdicts[high][0],
            budgets=tuple(f"{budget.metric} {budget.text}" for budget in self._budgets),
            tried=len(tried),
            values_count=len(self._axis.values),
            monotonic=verdicts == sorted(verdicts, reverse=True),
            point=None if low < 0 else self._verdicts[low][1],
        )

    def _value(self, index: int) -> float:
        return float(self._axis.values[index])

    def _holds(self, index: int) -> bool:
        if index not in self._verdicts:
            self._verdicts[index] = self._verdict(index)
            reason = self._verdicts[index][0]
            self._reporter.event(
                Event(
                    job=self._series,
                    step=f"{self._axis.name}={self._axis.values[index]}",
                    state="note",
                    detail="holds" if reason is None else reason,
                )
            )
        return self._verdicts[index][0] is None

    def _verdict(self, index: int) -> tuple[str | None, PointRecord | None]:
        """Why a value does not hold, None where it does; and its point, where there is one."""
        point = self._points.at(index, self._series)
        if isinstance(point, NpubenchError):
            return point.message, None
        done = run_points(
            [point], self._request.settings, runs_dir=self._runs_dir, reporter=self._reporter
        )
        if done.error is not None:
            raise done.error
        record = sweep_record(self._request, [point], done.runs).points[0]
        return record.reason if record.status != "ok" else self._exceeds(record), record

    def _exceeds(self, record: PointRecord) -> str | None:
        """The first budget that a point does not meet, in words."""
        for budget in self._budgets:
            value, unit = self._figure(record, budget)
            if value > budget.limit:
                return (
                    f"{budget.metric} is {count(value)} {unit}, "
                    f"{percent(value / budget.limit - 1)} above {budget.text}"
                )
        return None

    def _figure(self, record: PointRecord, budget: Budget) -> tuple[float, str]:
        """What a budget is held against. Of a modelled time that is its upper end."""
        if budget.metric in ("ram", "flash"):
            size = record.ram_bytes if budget.metric == "ram" else record.flash_bytes
            if size is None:
                raise UsageError(f"{record.series} has no {budget.metric} to hold a budget against")
            return float(size), "bytes"
        if budget.metric == "energy":
            if record.energy_uj is None:
                raise UsageError(
                    f"{record.series} has no energy to hold a budget against",
                    hint="name an instrument or a simulated one: --power ppk2-sim",
                )
            return float(record.energy_uj), "µJ"
        instructions = record.unit == "instructions"
        if record.cost is None or instructions != budget.counted:
            raise UsageError(
                f"{record.series} gives {record.unit or 'no timing'}, the budget is {budget.text}",
                hint="a count of instructions is no time: give it as 2Minstr, or take a target "
                "with modelled or measured time",
            )
        value = record.cost_high if record.cost_high is not None else record.cost
        return float(value), "instructions" if instructions else "µs"
