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

SAMPLES = 100
CALIBRATION_SAMPLES = 64
SNR_LIMIT_DB = 20.0
AGREEMENT_LIMIT_RATIO = 0.95
DISTRIBUTION = "half white noise, half patches, over the input's whole range, as the zoo calibrates"
_INPUT_SEED, _CALIBRATION_SEED = 1_000_003, 2_000_003

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """``snr_db`` for each output, None where nothing differs. ``agreement_ratio``: the share of the
    samples with the same best class; None of a network that is no classifier."""

    samples: int
    snr_db: tuple[float | None, ...]
    agreement_ratio: float | None

    @property
    def failures(self) -> tuple[str, ...]:
        """What is below its limit, in words; empty when the scheme passes."""
        found = [
            f"output {index}: {value:.1f} dB of signal to noise (limit {SNR_LIMIT_DB:g} dB)"
            for index, value in enumerate(self.snr_db)
            if value is not None and value < SNR_LIMIT_DB
        ]
        ratio = self.agreement_ratio
        if ratio is not None and ratio < AGREEMENT_LIMIT_RATIO:
            found.append(
                f"the same class for {ratio:.0%} of the inputs (limit {AGREEMENT_LIMIT_RATIO:.0%})"
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
    agreement = None
    if classifier:
        rows, answers = wanted[0].reshape(samples, -1), got[0].reshape(samples, -1)
        best = answers.argmax(axis=1)
        same = rows[np.arange(samples), best] == rows.max(axis=1)
        agreement = float(same.mean())
    return Nearness(
        samples=samples,
        snr_db=tuple(signal_to_noise_db(a, b) for a, b in zip(wanted, got, strict=True)),
        agreement_ratio=agreement,
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
