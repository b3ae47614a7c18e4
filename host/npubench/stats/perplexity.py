"""Perplexity of a language model: how many next tokens it wavers between. numpy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUM_TOLERANCE = 0.05
"""Rows of int8 probabilities add up to 1 within this; anything else are logits."""


def surprise(outputs: NDArray[Any], tokens: NDArray[Any], floor: float) -> NDArray[Any]:
    """Negative natural logarithm of the probability of each token that came.

    ``outputs``: (n, vocabulary) probabilities or logits; ``tokens``: (n,). A probability below
    ``floor``, half a step of the output's scale, counts as that: zero on int8 is not zero.
    """
    import numpy as np

    values = outputs.astype(np.float64)
    rows = np.arange(len(values))
    sums = values.sum(axis=1)
    if values.min() >= 0 and (np.abs(sums - 1) < SUM_TOLERANCE).all():
        chosen = values[rows, tokens] / sums
    else:
        shifted = values - values.max(axis=1, keepdims=True)
        return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, tokens])
    return np.asarray(-np.log(np.maximum(chosen, max(floor, 1e-12))))


def perplexity(surprises: NDArray[Any]) -> float:
    """exp of the mean surprise."""
    import numpy as np

    return float(np.exp(np.mean(surprises)))
