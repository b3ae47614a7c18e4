"""SCPI supplies and meters through PyVISA; what differs between models stands in a profile.

``profiles/scpi/<model>.toml`` gives the commands; it is chosen by the answer to ``*IDN?``. The
instrument takes its samples into its own memory and gives them up when the capture ends, so that a
capture cannot be longer than that memory. A second channel may record the marker pin as a voltage.
"""

from __future__ import annotations

import re
import time
import tomllib
from importlib import import_module
from importlib.resources import files
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.core.errors import ConfigError, MonitorError
from npubench.power.source.accuracy import Accuracy
from npubench.power.source.driver import Driver, Options
from npubench.power.source.failure import InstrumentGone, sdk_missing
from npubench.power.source.interface import (
    Block,
    Flag,
    Identity,
    LossReport,
    Setup,
    Traits,
    block_of,
)

TIMEOUT_MS = 10_000
OVERFLOW = 9.0e37


class ScpiProfile(BaseModel):
    """How one model is driven. In commands ``{volts}``, ``{interval}`` and ``{points}`` are filled
    in; ``fetch_*`` are queries that give one value a sample."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    idn: str
    interval_s: float = Field(gt=0)
    max_points: int = Field(gt=0)
    setup: tuple[str, ...]
    start: tuple[str, ...]
    stop: tuple[str, ...] = ()
    fetch_current: str
    fetch_voltage: str | None = None
    fetch_marker: str | None = None
    marker_volts: float = 1.0
    binary: bool = True
    big_endian: bool = True
    accuracy: Accuracy = Field(default_factory=Accuracy)
    note: str = ""


def profiles() -> dict[str, ScpiProfile]:
    """Every profile, by file name. Raises ConfigError."""
    found = {}
    for path in sorted(
        (files("npubench.power") / "profiles" / "scpi").iterdir(), key=lambda item: item.name
    ):
        if not path.name.endswith(".toml"):
            continue
        try:
            found[path.name.removesuffix(".toml")] = ScpiProfile.model_validate(
                tomllib.loads(path.read_text(encoding="utf-8"))
            )
        except (tomllib.TOMLDecodeError, ValidationError) as error:
            raise ConfigError(f"the profile {path.name} is wrong: {error}") from error
    return found


class Scpi:
    """One instrument. ``port`` is a VISA resource, e.g. ``TCPIP::10.0.0.5::5025::SOCKET``. Options:
    ``profile`` (else by *IDN?), ``interval_s``, ``visa`` (the VISA library, ``@py``)."""

    def __init__(self, port: str, options: Options) -> None:
        self._resource_name = port
        self._options = dict(options)
        self._resource: Any = None
        self._profile: ScpiProfile | None = None
        self._idn: tuple[str, ...] = ()
        self._interval_s = 0.0
        self._started_s = 0.0
        self._received = 0

    def __enter__(self) -> Self:
        try:
            visa = import_module("pyvisa")
        except ImportError as error:
            raise sdk_missing("pyvisa", "power") from error
        try:
            manager = visa.ResourceManager(str(self._options.get("visa", "@py")))
            self._resource = manager.open_resource(self._resource_name)
            self._resource.timeout = TIMEOUT_MS
            self._resource.read_termination = self._resource.write_termination = "\n"
            answer = str(self._resource.query("*IDN?"))
        except Exception as error:
            raise MonitorError(
                f"the instrument {self._resource_name} does not answer: {error}",
                hint="check the address, and that remote control is on",
            ) from error
        self._idn = tuple(word.strip() for word in answer.split(","))
        self._profile = self._choose(answer)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._resource is not None:
            self._resource.close()
            self._resource = None

    def describe(self) -> Identity:
        maker, model, serial, firmware = (*self._idn, "", "", "", "")[:4]
        return Identity(
            driver="scpi",
            model=f"{maker} {model}".strip(),
            serial=serial if serial != "0" else "",
            firmware=firmware,
            simulated=str(self._options.get("visa", "")).endswith("@sim"),
            via=self._resource_name,
        )

    def configure(self, setup: Setup) -> Traits:
        profile = self._known()
        self._interval_s = float(self._options.get("interval_s", profile.interval_s))
        for command in profile.setup:
            self._write(
                command.format(
                    volts=setup.voltage_mv / 1000.0,
                    interval=self._interval_s,
                    points=profile.max_points,
                )
            )
        return Traits(
            rate_hz=1.0 / self._interval_s,
            marker_bits=0 if profile.fetch_marker is None else 1,
            edges="none" if profile.fetch_marker is None else "both",
            voltage="declared" if profile.fetch_voltage is None else "measured",
            voltage_mv=setup.voltage_mv,
            set_mv=setup.voltage_mv,
            accuracy=profile.accuracy,
        )

    def start(self) -> None:
        for command in self._known().start:
            self._write(command.format(interval=self._interval_s, points=self._known().max_points))
        self._started_s = time.monotonic()

    def read(self, timeout_s: float) -> Block | None:
        profile = self._known()
        limit_s = profile.max_points * self._interval_s
        if time.monotonic() - self._started_s > limit_s:
            raise InstrumentGone(
                f"the instrument's memory is full after {limit_s:.1f} s",
                hint="set options.interval_s to more, or ask for fewer repetitions",
            )
        time.sleep(min(timeout_s, 0.02))
        return None

    def stop(self) -> Block | None:
        profile = self._known()
        for command in profile.stop:
            self._write(command)
        current = self._fetch(profile.fetch_current)
        voltage = None if profile.fetch_voltage is None else self._fetch(profile.fetch_voltage)
        markers = None
        if profile.fetch_marker is not None:
            levels = self._fetch(profile.fetch_marker)[: len(current)] > profile.marker_volts
            markers = levels.astype(np.uint8)
        flags = np.where(np.isnan(current), np.uint8(Flag.LOST), np.uint8(0))
        # SCPI's numbers for infinity and for no number are no currents.
        beyond = np.abs(current) > OVERFLOW
        flags = np.where(beyond, np.uint8(Flag.SATURATED), flags)
        current = np.where(beyond, np.nan, current)
        self._received = len(current)
        return block_of(
            0,
            (current * 1e6).astype(np.float32),
            markers=markers,
            flags=flags,
            voltage_mv=None
            if voltage is None
            else (voltage[: len(current)] * 1e3).astype(np.float32),
        )

    def loss(self) -> LossReport:
        return LossReport(received_count=self._received)

    def _known(self) -> ScpiProfile:
        if self._profile is None:
            raise MonitorError("the instrument is not open")
        return self._profile

    def _choose(self, answer: str) -> ScpiProfile:
        known = profiles()
        wanted = self._options.get("profile")
        if wanted is not None:
            if wanted not in known:
                raise ConfigError(
                    f"there is no SCPI profile {wanted!r}", hint=f"known: {', '.join(known)}"
                )
            return known[str(wanted)]
        for profile in known.values():
            if re.search(profile.idn, answer):
                return profile
        raise MonitorError(
            f"no profile fits {answer!r}",
            hint=f"set options.profile to one of {', '.join(known)}",
        )

    def _write(self, command: str) -> None:
        try:
            self._resource.write(command)
        except Exception as error:
            raise InstrumentGone(f"{self._resource_name}: {command}: {error}") from error

    def _fetch(self, query: str) -> NDArray[np.float64]:
        profile = self._known()
        try:
            if profile.binary:
                values = self._resource.query_binary_values(
                    query.format(points=profile.max_points),
                    datatype="f",
                    is_big_endian=profile.big_endian,
                )
            else:
                values = self._resource.query_ascii_values(query.format(points=profile.max_points))
        except Exception as error:
            raise InstrumentGone(f"{self._resource_name}: {query}: {error}") from error
        return np.asarray(values, np.float64)


DRIVER = Driver(
    name="scpi",
    title="SCPI supply or meter through PyVISA",
    open=Scpi,
    extra="power",
    notes="a profile file per model; port is a VISA resource",
)
