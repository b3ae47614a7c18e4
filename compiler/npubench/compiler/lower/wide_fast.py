"""Convolutions and dense layers on int16 with the DSP extension or Helium."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.lower.site import Choice, Lowering, Site
from npubench.compiler.lower.wide import Sums
from npubench.compiler.plan import Constant, ConstantArg, KernelCall, ParamValue, ScratchArg


@dataclass(frozen=True, slots=True, kw_only=True)
class WideKernel:
    """Taps come in units of ``unit``, in this ``order``; ``by_mac`` instructions per
    multiply-accumulate and ``base`` per output."""

    flavour: str
    unit: int
    order: tuple[int, ...]
    by_mac: dict[Sums, float]
    base: int


_DSP = {Sums.LONG: 1.8, Sums.SHORT: 1.4, Sums.TWICE: 1.4}
_MVE = {Sums.LONG: 0.35, Sums.SHORT: 0.35, Sums.TWICE: 0.35}
KERNELS = (
    WideKernel(flavour="mve", unit=8, order=(0, 1, 2, 3, 4, 5, 6, 7), by_mac=_MVE, base=42),
    WideKernel(flavour="dsp", unit=4, order=(0, 2, 1, 3), by_mac=_DSP, base=42),
)


def fast_layer(
    site: Site,
    portable: KernelCall,
    params: dict[str, ParamValue],
    weights: NDArray[np.int8],
    quant: Constant,
    sums: Sums,
    kernel: WideKernel,
) -> Lowering | str:
    """The call of ``kernel``; ``params`` are those of a convolution, weights [channel, tap]. Or why
    it does not serve."""
    if params["groups"] != 1:
        return "the convolution has groups"
    channels, taps = weights.shape
    filled = -(-taps // kernel.unit) * kernel.unit
    padded = np.zeros((channels, filled), dtype=np.int8)
    padded[:, :taps] = weights
    laid = padded.reshape(channels, -1, kernel.unit)[:, :, list(kernel.order)]
    constant = site.constant("weights", "int8_t", laid.tobytes())
    outputs = site.output().count
    pixels = outputs // channels
    # Windows are copied, about three instructions a value.
    instructions = outputs * (kernel.by_mac[sums] * filled + kernel.base) + 3 * taps * pixels
    call = replace(
        portable,
        kernel=f"nb_{kernel.flavour}_conv2d_s16",
        source=f"conv2d_{kernel.flavour}_s16.c",
        flavour=kernel.flavour,
        params_type="nb_conv2d_s16_params",
        params=tuple(params.items()),
        args=(
            portable.args[0],
            ConstantArg(constant=constant.name),
            ConstantArg(constant=quant.name),
            ScratchArg(ctype="int16_t"),
            portable.args[-1],
        ),
        scratch_bytes=4 * filled,
        choice=Choice(
            reason=f"{kernel.unit} taps of two windows at a time",
            instructions=round(instructions),
        ),
    )
    return call, (constant, quant)
