"""Room for sums: the accelerator adds two operands that lie word by word in turn, so each must be
written with gaps. Who is needed elsewhere as well is copied.

Source: ai8x-synthesis README (write_gap, in_sequences) and its networks with residual connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from npubench.compiler.backends.max7800x.layer import INPUT, Layer


def with_room(
    layers: Sequence[Layer], outputs: tuple[int, ...]
) -> tuple[tuple[Layer, ...], dict[int, int]]:
    """The layers with copies before the sums that need some, and the new numbers of the old."""
    readers = {at: [b for b, layer in enumerate(layers) if at in layer.inputs]
               for at in range(len(layers))}  # fmt: skip
    made: list[Layer] = []
    moved: dict[int, int] = {INPUT: INPUT}
    for at, layer in enumerate(layers):
        inputs = [moved[source] for source in layer.inputs]
        if layer.kind == "add":
            for number, source in enumerate(layer.inputs):
                alone = (
                    source != INPUT
                    and readers[source] == [at]
                    and layer.inputs.count(source) == 1
                    and source not in outputs
                    and layers[source].kind != "dense"
                )
                if alone:
                    made[inputs[number]] = replace(made[inputs[number]], gapped=True)
                    continue
                made.append(_copy(layer, inputs[number], source, layers))
                inputs[number] = len(made) - 1
        moved[at] = len(made)
        made.append(replace(layer, inputs=tuple(inputs)))
    return tuple(made), moved


def _copy(sum_of: Layer, source: int, old: int, layers: Sequence[Layer]) -> Layer:
    target = sum_of.source if old == INPUT else layers[old].target
    shape = sum_of.source_shape
    return Layer(
        op_indices=sum_of.op_indices[-1:], kind="copy", pool=None, pad=(0, 0), relu=False,
        weights=np.zeros((shape[0], 0, 0, 0)), bias=np.zeros(0), source=sum_of.source,
        target=target, source_shape=shape, target_shape=shape, inputs=(source,), gapped=True,
    )  # fmt: skip
