"""Which of a vendor's ways to compile is taken: asked on samples of the calibration, never on those
that the run is judged on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from npubench.bench.scheme import Array, nearness
from npubench.compiler.vendor.simulation import Asked, Simulator
from npubench.core.errors import NpubenchError

SETTING_SAMPLES = 32
_EXACT_DB = 999.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """``setting`` is empty where there is one way; ``snr_db``: of each way that was
    tried, its lowest output's."""

    setting: str
    snr_db: Mapping[str, float]

    @property
    def words(self) -> str:
        """For the record: the way, and what the others gave."""
        rest = ", ".join(f"{name} {value:.1f} dB" for name, value in self.snr_db.items())
        return f"{self.setting} (on {SETTING_SAMPLES} calibration samples: {rest})"


def chosen(
    simulator: Simulator,
    asked: Asked,
    *,
    truth: Callable[[], Sequence[Array]],
    real: Callable[[tuple[Array, ...]], Sequence[Array]],
    classifier: bool,
) -> Chosen:
    """The first setting within the limits by which runs are judged; where none is, the one that
    gives most samples of a classifier the same class, and of these the one with least noise: one
    sample near two classes can hold most of it.

    ``asked``: inputs of the calibration; ``truth``: their right answers in real numbers; ``real``:
    the simulator's answers as such. A setting that the tool does not compile is left out; raises
    its error where none is left."""
    if len(simulator.settings) < 2:
        return Chosen(setting=next(iter(simulator.settings), ""), snr_db={})
    wanted = truth()
    found: dict[str, float] = {}
    same: dict[str, int] = {}
    refused: NpubenchError | None = None
    for setting in simulator.settings:
        try:
            got = simulator.simulate(replace(asked, setting=setting))
        except NpubenchError as error:
            refused = error
            continue
        near = nearness(wanted, real(got.outputs), classifier=classifier)
        found[setting] = min((_EXACT_DB if value is None else value) for value in near.snr_db)
        same[setting] = near.same_class or 0
        if not near.failures:
            return Chosen(setting=setting, snr_db=found)
    if not found and refused is not None:
        raise refused
    nearest = max(found, key=lambda name: (same[name], found[name]))
    return Chosen(setting=nearest, snr_db=found)
