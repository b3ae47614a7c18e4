"""Energy by stage from a capture and the device's marks, with an interval, or the reasons why not.

The energy is integrated on the device's clock: the mean power of a window, taken where the fit of
clocks says that it lies in the capture, times how long the device says that it lasted. An
instrument whose clock is off therefore changes nothing, as long as it is off by little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from npubench.power.energy.clockfit import ClockFit, device_edges, fit_clocks
from npubench.power.energy.edges import EdgeFinder, Wiring
from npubench.power.energy.marks import IDLE, PAUSE, STAGE_OF_CODE, Mark
from npubench.power.energy.refusal import Cause, Reason
from npubench.power.energy.slow import SlowNoise
from npubench.power.energy.stage import (
    SLOW,
    Each,
    StageEnergy,
    difference,
    loop_share,
    mean_each,
    stage_of,
    sum_of,
)
from npubench.power.energy.term import Term, mean
from npubench.power.energy.windows import MAX_RANGES, Window
from npubench.power.source.interface import Block, Traits

# A window that lies in the record at least so far from the ends of a slept idle.
SLEEP_MARGIN_S = 0.02
END_TO_END = "end_to_end"
LOOPED = ("init_warm", "load", "unload", "post")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a capture must keep to. Ratios are relative, ppm between instrument and device.

    ``idle_must_sleep``: an idle in which the board only waited is no idle; there is no net then.
    """

    clock_tolerance_ppm: float = 10_000.0
    idle_drift_ratio: float = 0.1
    voltage_tolerance_ratio: float = 0.05
    min_window_samples: int = 1000
    device_clock_ppm: float = 0.0
    idle_must_sleep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What came out. With reasons the capture is refused, whatever else is there."""

    stages: Mapping[str, StageEnergy] = field(default_factory=dict)
    idle_uw: Term | None = None
    idle_drift_uw: float | None = None
    fit: ClockFit | None = None
    voltage_mv: float | None = None
    reasons: tuple[Reason, ...] = ()
    windows: tuple[Window, ...] = ()
    samples_filtered: int = 0


def account(
    blocks: Callable[[], Iterable[Block]],
    marks: Sequence[Mark],
    traits: Traits,
    *,
    wiring: Wiring,
    limits: Limits,
    stage_us: Mapping[str, float] | None = None,
) -> Account:
    """Two passes over the capture: edges, then windows.

    ``blocks`` gives the capture's samples anew at each call. ``stage_us``: how long one repetition
    of a stage takes by the device's own count, without the loop around it.
    """
    finder = EdgeFinder(wiring)
    for block in blocks():
        finder.feed(block)
    fit = fit_clocks(
        device_edges(marks, knows_codes=wiring.knows_codes),
        finder.edges(),
        rate_hz=traits.rate_hz,
        falling_only=traits.edges == "falling",
    )
    if isinstance(fit, Reason):
        return Account(reasons=(fit,))
    reasons: list[Reason] = []
    if abs(fit.ppm) > limits.clock_tolerance_ppm:
        reasons.append(
            Reason(
                cause=Cause.CLOCKS_DISAGREE,
                detail=f"the instrument's clock runs {fit.ppm:+.0f} ppm against the device's "
                f"(tolerance {limits.clock_tolerance_ppm:.0f})",
            )
        )
    windows = _windows(marks, fit)
    for block in blocks():
        for window in windows:
            window.add(block, traits.voltage_mv)
    measured = [(m, w) for m, w in zip(_work_marks(marks), windows, strict=True)]
    for mark, window in measured:
        reasons += _window_reasons(window, mark, limits)
    voltage = _voltage(windows, traits)
    asked = traits.voltage_mv if traits.set_mv is None else traits.set_mv
    deviation = abs(voltage - asked) / asked
    if deviation > limits.voltage_tolerance_ratio:
        reasons.append(
            Reason(
                cause=Cause.VOLTAGE,
                detail=f"{voltage:.0f} mV were measured where {asked:.0f} mV were set "
                f"(tolerance {100 * limits.voltage_tolerance_ratio:g} %)",
            )
        )
    slow = SlowNoise([window.power_nw for mark, window in measured if mark.code == IDLE])
    books = _Books(traits, fit, limits, slow)
    idle = books.idle(measured)
    reasons += idle.reasons
    return Account(
        stages=books.stages(measured, idle, stage_us or {}),
        idle_uw=idle.mean,
        idle_drift_uw=idle.drift_uw,
        fit=fit,
        voltage_mv=voltage,
        reasons=tuple(reasons),
        windows=tuple(windows),
        samples_filtered=sum(window.filtered for window in windows),
    )


def _work_marks(marks: Sequence[Mark]) -> list[Mark]:
    return [mark for mark in marks if mark.code != PAUSE]


def _windows(marks: Sequence[Mark], fit: ClockFit) -> list[Window]:
    """The work of each mark as places in the capture."""
    windows = []
    segment = 0
    for mark in marks:
        begin = fit.place(mark.begin_s, segment)
        if mark.slept:
            # The clock may have stood still: the window keeps away from both ends.
            begin = fit.place(mark.begin_s + SLEEP_MARGIN_S, segment)
            segment += 1
            end = fit.place(mark.end_s - SLEEP_MARGIN_S, segment)
        else:
            end = fit.place(mark.end_s, segment)
        if mark.code != PAUSE:
            name, is_idle = STAGE_OF_CODE[mark.code], mark.code == IDLE
            windows.append(Window(name=name, begin=begin, end=end, keeps_samples=is_idle))
    return windows


def _window_reasons(window: Window, mark: Mark, limits: Limits) -> list[Reason]:
    """What speaks against one window."""
    where = f"the window of {window.name} at sample {window.begin:.0f}"
    reasons = []
    if window.lost or window.samples < window.stop_whole - window.first_whole:
        short = window.stop_whole - window.first_whole - window.samples
        reasons.append(
            Reason(
                cause=Cause.SAMPLES_LOST,
                detail=f"{window.lost + max(short, 0)} samples are missing in {where}",
            )
        )
    if window.saturated:
        reasons.append(
            Reason(
                cause=Cause.SATURATED,
                detail=f"{window.saturated} samples are at the end of the instrument's range "
                f"in {where}",
            )
        )
    if window.suspect:
        reasons.append(
            Reason(
                cause=Cause.SUSPECT_SAMPLES,
                detail=f"{window.suspect} samples in {where} cannot be what the instrument meant",
            )
        )
    if window.samples < limits.min_window_samples:
        reasons.append(
            Reason(
                cause=Cause.WINDOW_TOO_SHORT,
                detail=f"{where} has {window.samples} samples, {limits.min_window_samples} are "
                f"needed ({mark.repeats} repetitions)",
            )
        )
    return reasons


def _voltage(windows: Sequence[Window], traits: Traits) -> float:
    """The mean voltage while a stage ran, in millivolts."""
    if traits.voltage == "declared":
        return traits.voltage_mv
    samples = sum(window.samples for window in windows)
    if not samples:
        return traits.voltage_mv
    return sum(window.voltage_sum_mv for window in windows) / samples


@dataclass(frozen=True, slots=True, kw_only=True)
class _Idle:
    """Mean power of the idle windows, in microwatts, by device time; with what is wrong."""

    at_s: tuple[float, ...]
    power_uw: tuple[Term, ...]
    reasons: tuple[Reason, ...]
    drift_uw: float | None

    @property
    def mean(self) -> Term | None:
        return mean(self.power_uw) if self.power_uw else None

    def power_at(self, time_s: float) -> Term | None:
        """Linear between the idle windows, constant outside, with the drift's uncertainty."""
        if not self.power_uw:
            return None
        if len(self.power_uw) == 1 or time_s <= self.at_s[0]:
            base = self.power_uw[0]
        elif time_s >= self.at_s[-1]:
            base = self.power_uw[-1]
        else:
            after = next(i for i, at in enumerate(self.at_s) if at >= time_s)
            share = (time_s - self.at_s[after - 1]) / (self.at_s[after] - self.at_s[after - 1])
            base = self.power_uw[after - 1].times(1 - share) + self.power_uw[after].times(share)
        drift = Term(value=0.0, parts={"idle-drift": (self.drift_uw or 0.0) / 12**0.5})
        return base + drift


class _Books:
    """Turns windows into terms, all in microjoules, microwatts and seconds."""

    def __init__(self, traits: Traits, fit: ClockFit, limits: Limits, slow: SlowNoise) -> None:
        self._slow = slow
        self._traits = traits
        self._fit = fit
        self._limits = limits
        self._step_s = 1.0 / fit.rate_hz

    def energy(self, window: Window, mark: Mark, number: int) -> Term:
        """The gross energy of a window in microjoules, with every source of error."""
        traits, fit, step_s = self._traits, self._fit, self._step_s
        scale = step_s * 1e-3  # nanowatts summed over samples to microjoules
        value = float(window.power_by_range.sum()) * scale
        parts: dict[str, float] = {}
        if traits.accuracy.ranges:
            gain = 0.0
            for at in range(MAX_RANGES):
                if not window.volts_by_range[at]:
                    continue
                claim = traits.accuracy.of_range(at)
                gain += claim.gain_sigma_ratio * float(window.power_by_range[at]) * scale
                parts[f"offset {at}"] = (
                    claim.offset_sigma_ua * float(window.volts_by_range[at]) * scale
                )
            parts["gain"] = gain
        parts["voltage"] = value * traits.accuracy.voltage_ratio / 2
        parts["device clock"] = value * self._limits.device_clock_ppm * 1e-6
        step = (window.end_nw - window.begin_nw) * scale
        parts["fit offset"] = step * fit.offset_sigma
        parts["marker skew"] = step * traits.marker_skew_samples
        lever = window.end_nw * (mark.end_s - fit.centre_s) - window.begin_nw * (
            mark.begin_s - fit.centre_s
        )
        # A rate that is wrong moves the ends and stretches the samples; for a steady power the two
        # cancel.
        parts["fit rate"] = (lever * scale - value * step_s) * fit.rate_sigma_hz
        parts[f"noise {number}"] = window.noise_nw * scale * max(window.length, 0.0) ** 0.5
        parts[f"{SLOW} {number}"] = (
            self._slow.sigma_nw(window.length) * scale * max(window.length, 0.0)
        )
        if window.filtered:
            parts[f"filter {number}"] = abs(window.peak_nw) * scale * window.filtered * 0.29
        return Term(value=value, parts=parts)

    def seconds(self, window: Window) -> float:
        """How long a window lasted by the device's clock."""
        return window.length * self._step_s

    def idle(self, measured: Sequence[tuple[Mark, Window]]) -> _Idle:
        """The idle windows, and whether they agree."""
        at_s: list[float] = []
        power: list[Term] = []
        for number, (mark, window) in enumerate(measured):
            if self._limits.idle_must_sleep and not mark.slept:
                continue
            if mark.code == IDLE and window.length > 0:
                at_s.append((mark.begin_s + mark.end_s) / 2)
                energy = self.energy(window, mark, number)
                power.append(energy.times(1.0 / self.seconds(window)))
        if len(power) < 2:
            return _Idle(at_s=tuple(at_s), power_uw=tuple(power), reasons=(), drift_uw=None)
        values = [term.value for term in power]
        drift = max(values) - min(values)
        noise = max(
            part * part
            for term in power
            for source, part in [("", 0.0), *term.parts.items()]
            if not source or source.startswith("noise")
        )
        level = abs(sum(values) / len(values))
        reasons: tuple[Reason, ...] = ()
        if drift > self._limits.idle_drift_ratio * level + 6 * noise**0.5:
            reasons = (
                Reason(
                    cause=Cause.IDLE_DRIFT,
                    detail=f"idle drew {min(values):.0f} to {max(values):.0f} uW in one session "
                    f"(tolerance {100 * self._limits.idle_drift_ratio:g} %)",
                ),
            )
        return _Idle(at_s=tuple(at_s), power_uw=tuple(power), reasons=reasons, drift_uw=drift)

    def stages(
        self,
        measured: Sequence[tuple[Mark, Window]],
        idle: _Idle,
        stage_us: Mapping[str, float],
    ) -> dict[str, StageEnergy]:
        """Every stage, the mean over its windows; ``infer`` without its load; end to end."""
        found: dict[str, list[Each]] = {}
        for number, (mark, window) in enumerate(measured):
            if mark.code == IDLE or window.length <= 0:
                continue
            found.setdefault(window.name, []).append(self._each(mark, window, number, idle))
        whole = {name: mean_each(each) for name, each in found.items()}
        result: dict[str, StageEnergy] = {}
        infer, load = whole.get("infer"), whole.get("load")
        for name in LOOPED:
            if name in whole:
                result[name] = stage_of(whole[name], loop_share(whole[name], stage_us.get(name)))
        if infer is not None and load is not None:
            result["infer"] = difference(infer, load)
        last = [result[name] for name in ("unload", "post") if name in result]
        if infer is not None and load is not None and len(last) == 2:
            result[END_TO_END] = sum_of([result["load"], result["infer"], *last])
        return result

    def _each(self, mark: Mark, window: Window, number: int, idle: _Idle) -> Each:
        gross = self.energy(window, mark, number)
        seconds = self.seconds(window)
        power = idle.power_at((mark.begin_s + mark.end_s) / 2)
        net = None if power is None else gross - power.times(seconds)
        share = 1.0 / mark.repeats
        charge = float(window.current_by_range.sum()) * self._step_s * share
        return Each(
            gross=gross.times(share),
            net=None if net is None else net.times(share),
            repeats=mark.repeats,
            windows=1,
            samples=window.samples,
            seconds=seconds * share,
            peak_uw=window.peak_nw * 1e-3,
            charge_uc=charge,
        )
