"""How near another arithmetic comes to a network's own answers: the rule by which a run on a
vendor's scheme is judged. Pure numbers: nothing is run here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import Graph, Tensor
from npubench.stats.proportion import clopper_pearson_low

SAMPLES = 100
FIRST_SAMPLES = 59
"""The fewest of which, all with the right class, 95 % of all inputs is certain at 95 %."""
CALIBRATION_SAMPLES = 64
CONFIDENCE_RATIO = 0.95
SNR_LIMIT_DB = 20.0
AGREEMENT_LIMIT_RATIO = 0.95
DISTRIBUTION = "half white noise, half patches, over the input's whole range, as the zoo calibrates"
_Z_ONE_SIDED = 1.6448536269514722
_INPUT_SEED, _CALIBRATION_SEED = 1_000_003, 2_000_003

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """``snr_db`` for each output, None where nothing differs; ``snr_low_db``: what it is at least,
    at 95 % (None also where one sample has all the noise). ``agreement_ratio``: the share of the
    samples with the same best class, ``same_class``: their number; None of what is no
    classifier."""

    samples: int
    snr_db: tuple[float | None, ...]
    snr_low_db: tuple[float | None, ...]
    same_class: int | None

    @property
    def agreement_ratio(self) -> float | None:
        """The share with the same best class."""
        return None if self.same_class is None else self.same_class / self.samples

    @property
    def agreement_low_ratio(self) -> float | None:
        """What that share is at least among all inputs, at 95 %."""
        if self.same_class is None:
            return None
        return clopper_pearson_low(self.same_class, self.samples, confidence_ratio=CONFIDENCE_RATIO)

    @property
    def is_certain(self) -> bool:
        """Whether no further inputs up to ``SAMPLES`` need be asked: that it passes is shown at
        95 %, or so many classes are wrong that it cannot pass any more."""
        low = self.agreement_low_ratio
        if self.same_class is not None:
            most = (self.same_class + max(SAMPLES - self.samples, 0)) / max(SAMPLES, self.samples)
            if most < AGREEMENT_LIMIT_RATIO:
                return True
        return (low is None or low >= AGREEMENT_LIMIT_RATIO) and all(
            value is None or (lowest is not None and lowest >= SNR_LIMIT_DB)
            for value, lowest in zip(self.snr_db, self.snr_low_db, strict=True)
        )

    @property
    def failures(self) -> tuple[str, ...]:
        """See below_limits."""
        return below_limits(self.snr_db, self.agreement_ratio)


def below_limits(snr_db: Sequence[float | None], agreement_ratio: float | None) -> tuple[str, ...]:
    """What is below its limit, in words; empty when the scheme passes. As Nearness has them."""
    found = [
        (f"output {index}: " if len(snr_db) > 1 else "")
        + f"{value:.1f} dB of signal to noise (limit {SNR_LIMIT_DB:g} dB)"
        for index, value in enumerate(snr_db)
        if value is not None and value < SNR_LIMIT_DB
    ]
    if agreement_ratio is not None and agreement_ratio < AGREEMENT_LIMIT_RATIO:
        found.append(
            f"the same class for {agreement_ratio:.0%} of the inputs "
            f"(limit {AGREEMENT_LIMIT_RATIO:.0%})"
        )
    return tuple(found)


def sample_codes(graph: Graph, *, count: int, calibration: bool, seed: int) -> tuple[Array, ...]:
    """``count`` samples of every input as codes, each array (count, *shape without the batch of 1).

    They are drawn as the zoo's networks are calibrated; those for the calibration are others.
    """
    from npubench.compiler.quantize.weights import mixed_samples

    base = (_CALIBRATION_SEED if calibration else _INPUT_SEED) + seed * 1009
    found = []
    for place, index in enumerate(graph.inputs):
        tensor = graph.tensor(index)
        limits = np.iinfo(np.dtype(tensor.dtype.value))
        drawn = mixed_samples(
            _sample_shape(tensor),
            count=count,
            low=float(limits.min),
            high=float(limits.max),
            seed=base + place,
        )
        found.append(np.rint(drawn).astype(tensor.dtype.value))
    return tuple(found)


def _sample_shape(tensor: Tensor) -> tuple[int, ...]:
    shape = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
    return shape or (1,)


def real(tensor: Tensor, codes: Array) -> Array:
    """What codes of a tensor stand for, as float32; other numbers are left as they are."""
    quantization = tensor.quantization
    if quantization is None or codes.dtype.kind == "f":
        return codes.astype(np.float32)
    zero = quantization.zero_points[0] if quantization.zero_points else 0
    return ((codes.astype(np.float64) - zero) * quantization.scale).astype(np.float32)


def ranges_of(graph: Graph) -> dict[str, tuple[float, float]]:
    """The ends of what codes can stand for: of the network's inputs by their names, of every
    operator's first output as ``npubench_op<n>``, as its float form calls it."""
    named = {graph.tensor(index).name: index for index in graph.inputs}
    named |= {f"npubench_op{op.index}": op.outputs[0] for op in graph.ops}
    found = {}
    for name, index in named.items():
        tensor = graph.tensor(index)
        if tensor.quantization is not None and tensor.dtype.value in ("int8", "uint8", "int16"):
            limits = np.iinfo(np.dtype(tensor.dtype.value))
            ends = np.array([limits.min, limits.max], dtype=tensor.dtype.value)
            low, high = real(tensor, ends)
            found[name] = (float(low), float(high))
    return found


def is_classifier(graph: Graph) -> bool:
    """One output of one row of scores that is not as long as the input (which it would rebuild)."""
    if len(graph.outputs) != 1:
        return False
    tensor = graph.tensor(graph.outputs[0])
    sizes = {graph.tensor(index).count for index in graph.inputs}
    return tensor.shape == (1, tensor.count) and tensor.count > 1 and tensor.count not in sizes


def nearness(wanted: Sequence[Array], got: Sequence[Array], *, classifier: bool) -> Nearness:
    """Compare outputs in real numbers, each (samples, ...). Signal to noise is the power of the
    wanted values over that of the difference, over all samples. Of wanted scores that tie, each is
    a best class."""
    samples = len(wanted[0])
    right = None
    if classifier:
        rows, answers = wanted[0].reshape(samples, -1), got[0].reshape(samples, -1)
        best = answers.argmax(axis=1)
        same = rows[np.arange(samples), best] == rows.max(axis=1)
        right = int(same.sum())
    return Nearness(
        samples=samples,
        snr_db=tuple(signal_to_noise_db(a, b) for a, b in zip(wanted, got, strict=True)),
        snr_low_db=tuple(lowest_db(a, b) for a, b in zip(wanted, got, strict=True)),
        same_class=right,
    )


def signal_to_noise_db(wanted: Array, got: Array) -> float | None:
    """10 log10 of the powers; None where nothing differs. No number counts as infinite noise."""
    reference = wanted.astype(np.float64).ravel()
    noise = float(np.square(reference - got.astype(np.float64).ravel()).sum())
    if noise == 0.0:
        return None
    signal = float(np.square(reference).sum())
    if not np.isfinite(noise) or signal == 0.0:
        return -999.0
    return round(10.0 * log10(signal / noise), 3)


def lowest_db(wanted: Array, got: Array) -> float | None:
    """What signal to noise is at least over all inputs, at 95 % (one-sided), from its jackknife's
    standard error over the samples (Tukey 1958). None where that cannot be told: nothing differs,
    or one sample alone has noise."""
    samples = len(wanted)
    reference = wanted.astype(np.float64).reshape(samples, -1)
    signals = np.square(reference).sum(axis=1)
    noises = np.square(reference - got.astype(np.float64).reshape(samples, -1)).sum(axis=1)
    left, rest = signals.sum() - signals, noises.sum() - noises
    if samples < 2 or not np.isfinite(noises).all() or (left <= 0).any() or (rest <= 0).any():
        return None
    without = 10.0 * np.log10(left / rest)
    error = np.sqrt((samples - 1) / samples * np.square(without - without.mean()).sum())
    return round(float(10.0 * np.log10(signals.sum() / noises.sum()) - _Z_ONE_SIDED * error), 3)
