"""Shapes of the weights that a network of ADI's YAML wants, where it has no checkpoint: from the
comments of the file, else from the processors of its layers."""

from __future__ import annotations

import re
from typing import Any

LAYER = re.compile(r"^\s*- ")
COMMENT = re.compile(
    r"(?:in |Conv2d\w*\()(\d+) ?(?:ch,? ?,? out|,) ?(\d+) ?(?:ch|,)", re.IGNORECASE
)


def shapes(
    layers: list[dict[str, Any]],
    text: str,
    sample: tuple[int, ...],
    given: tuple[int, ...] | None = None,
    classes: int = 10,
) -> list[tuple[int, ...]]:
    """Of the weights of each layer that has some: from ``given`` (channels that each layer gives,
    in a chain) or the comments of the file where they tell channels, else from its processors;
    ``classes``: what the last one gives where nothing tells it."""
    told = comments(text)
    if given is not None:
        told = dict(enumerate(zip((sample[0], *given), given, strict=False)))
    found: list[tuple[int, ...]] = []
    outputs: list[tuple[int, tuple[int, int]]] = []
    names = {str(layer["name"]).lower(): at for at, layer in enumerate(layers) if "name" in layer}
    names |= {"input": -1}
    channels, size = sample[0], (sample[1], sample[2] if len(sample) > 2 else 1)
    for number, layer in enumerate(layers):
        sources = layer.get("in_sequences")
        sources = [sources] if isinstance(sources, (int, str)) else sources
        used = bin(layer.get("processors", 0)).count("1")
        if sources:
            sources = [names.get(str(one).lower(), one) for one in sources]
            taken_of = [
                outputs[s] if s >= 0 else (sample[0], (sample[1], *sample[2:], 1)[:2])
                for s in sources
                if isinstance(s, int)  # else the buffer, whose layer says what it takes of it
            ]
            channels, size = (
                taken_of[0] if taken_of else (layer["in_channels"], (layer["in_dim"], 1))
            )
            if len(taken_of) > 1 and not adds(layer) and used != channels:
                channels = sum(one for one, _ in taken_of)
        channels = layer.get("in_channels", channels)
        if isinstance(layer.get("in_dim"), list):
            size = (layer["in_dim"][0], layer["in_dim"][1])
        elif layer.get("in_dim"):
            size = (layer["in_dim"], 1)
        operation = operation_of(layer)
        inside, outside = told.get(number, (channels, 0))
        if operation in WEIGHTLESS:
            inside = channels
        channels = inside
        window = layer.get("max_pool", layer.get("avg_pool", 1))
        windows = window if isinstance(window, list) else [window, window]
        step = layer.get("pool_stride", max(windows) if window != 1 else 1)
        step = step[0] if isinstance(step, list) else step
        size = (
            (size[0] - windows[0]) // step + 1,
            max((size[1] - windows[1]) // step + 1, 1),
        )
        if operation in WEIGHTLESS:
            outputs.append((channels, size))
            continue
        following = layers[number + 1] if number + 1 < len(layers) else {}
        to = layer.get("output_processors", following.get("processors", 0))
        if layer.get("groups", layer.get("conv_groups", 1)) > 1:
            outside = channels
        outside = outside or taken(number, layers, names, told, bin(to).count("1")) or classes
        groups = layer.get("groups", layer.get("conv_groups", 1))
        kernel = str(layer.get("kernel_size", "1x1" if "mlp" in operation else "3x3"))
        pad = layer.get("pad", 1)
        if operation in ("mlp", "linear"):
            flat = channels * (size[0] * size[1] if layer.get("flatten") else 1)
            found.append((outside, flat, 1, 1))
            size = (1, 1) if layer.get("flatten") else size
        elif operation == "conv1d":
            length = int(kernel.split("x")[0])
            found.append((outside, channels // groups, length))
            size = (size[0] + 2 * pad - (length - 1) * layer.get("dilation", 1), 1)
        else:
            side = int(kernel.split("x")[0])
            groups = channels if groups > 1 else 1
            found.append((outside, channels // groups, side, side))
            more = 2 * pad - side + 1
            scale = 2 if "transpose" in operation else 1
            if scale == 1:
                size = (size[0] + more, size[1] + more)
            else:
                size = (2 * size[0], 2 * size[1])
        channels = outside
        outputs.append((channels, size))
    return found


WEIGHTLESS = ("none", "passthrough", "add", "sub", "xor", "or")


def operation_of(layer: dict[str, Any]) -> str:
    """Its name, as the tool has several."""
    keys = ("op", "operation", "operator", "convolution")
    return str(next((layer[key] for key in keys if key in layer), "conv2d")).lower()


def adds(layer: dict[str, Any]) -> bool:
    """Whether its inputs become one of the same channels."""
    return bool(layer.get("eltwise")) or operation_of(layer) in WEIGHTLESS[2:]


def taken(
    number: int,
    layers: list[dict[str, Any]],
    names: dict[str, int],
    told: dict[int, tuple[int, int]],
    processors: int,
) -> int:
    """Channels that a layer gives, by who takes them: what a comment tells of that layer, directly
    or behind sums and copies; it must be a multiple of the processors where several passes are."""
    at = {number}
    for later, layer in enumerate(layers[number + 1 :], number + 1):
        sources = layer.get("in_sequences", [later - 1])
        sources = sources if isinstance(sources, list) else [sources]
        read = {names.get(str(one).lower(), one) for one in sources}
        if not read & at or (len(read) > 1 and not adds(layer)):
            continue
        if operation_of(layer) in WEIGHTLESS:
            at.add(later)
        elif later in told and told[later][0] % max(processors, 1) == 0:
            return told[later][0]
        if len(at) > SHORT_WAY:
            break
    return processors


SHORT_WAY = 3


def comments(text: str) -> dict[int, tuple[int, int]]:
    """Layer to its input and output channels, where the comment before it tells them."""
    found: dict[int, tuple[int, int]] = {}
    number, last = -1, None
    for line in text[text.index("layers:") :].splitlines():
        if match := COMMENT.search(line):
            last = int(match[1]), int(match[2])
        elif LAYER.match(line):
            number += 1
            if last is not None:
                found[number], last = last, None
    return found
