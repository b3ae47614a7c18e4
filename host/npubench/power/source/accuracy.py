"""What an instrument claims of itself, as standard uncertainties, with where the claim stands."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RangeAccuracy(BaseModel):
    """One range. A data sheet's limits are read as expanded uncertainties (k = 2), normal.

    ``gain_ratio``: of the reading; ``offset_ua``: of the range; ``step_ua``: one count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gain_ratio: float = Field(ge=0)
    offset_ua: float = Field(default=0.0, ge=0)
    step_ua: float = Field(default=0.0, ge=0)

    @property
    def gain_sigma_ratio(self) -> float:
        """The gain's standard uncertainty, relative."""
        return self.gain_ratio / 2

    @property
    def offset_sigma_ua(self) -> float:
        """The offset's standard uncertainty in microamperes, with that of rounding to a count."""
        return float(((self.offset_ua / 2) ** 2 + self.step_ua**2 / 12) ** 0.5)


class Accuracy(BaseModel):
    """All ranges, the voltage, and the source. Without a source nothing is claimed.

    ``voltage_ratio`` is the expanded uncertainty (k = 2) of a measured voltage, or the tolerance of
    a declared one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ranges: tuple[RangeAccuracy, ...] = ()
    voltage_ratio: float = Field(default=0.01, ge=0)
    source: str = ""

    @property
    def is_sourced(self) -> bool:
        """Whether intervals may be stated."""
        return bool(self.source) and bool(self.ranges)

    def of_range(self, number: int) -> RangeAccuracy:
        """The accuracy of a range; the last one stands for ranges beyond."""
        return self.ranges[min(number, len(self.ranges) - 1)]
