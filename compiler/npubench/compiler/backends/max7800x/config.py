"""What the driver must know of a network (``nb_max7800x_config.h``), and the sources around it."""

from __future__ import annotations

from dataclasses import dataclass

from npubench.compiler.backends.max7800x.feed import Feed
from npubench.npu.max7800x.device import Device

DRIVER = "max7800x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """One output: where its tensor lies in the arena, (channels, pixels), the tensor's zero and its
    steps per step of the accelerator's."""

    offset_bytes: int
    channels: int
    pixels: int
    zero: int
    ratio: float


def project_files(
    feed: Feed,
    outputs: tuple[Out, ...],
    sources: dict[str, str],
    device: Device,
    *,
    input_offset: int,
    wide: bool,
    value_bytes: int,
) -> dict[str, str]:
    """Path in the project to text. ``wide``: outputs are words, else bytes; ``value_bytes`` of an
    output tensor's element."""
    from npubench.compiler.emit.context import Header, Macro
    from npubench.compiler.emit.render import render

    count = sum(out.channels * out.pixels for out in outputs)
    segments = ", ".join(f"{{0x{one.address:08x}u, {one.first}u}}" for one in feed.segments)
    table = ", ".join(
        f"{{{out.offset_bytes}u, {out.channels}u, {out.pixels}u, {out.zero}, {out.ratio!r}f}}"
        for out in outputs
    )
    values = {
        "CONTROL": f"0x{device.control_base:08x}u",
        "PLL": int(device.pll),
        "SEGMENTS": f"{{{segments}}}",
        "SEGMENT_COUNT": len(feed.segments),
        "WORDS": feed.words,
        "PIXELS": feed.pixels,
        "CHANNELS": feed.channels,
        "PASSES": feed.passes,
        "PASS_CHANNELS": feed.pass_channels,
        "LANES": feed.lanes,
        "PLANAR": int(feed.planar),
        "FIFO": int(feed.fifo),
        "OUTPUTS": f"{{{table}}}",
        "OUTPUT_COUNT": len(outputs),
        "UNLOADED_WORDS": count if wide else -(-count // 4),
        "OUTPUT_WIDE": int(wide),
        "OUTPUT_BYTES": value_bytes,
        "INPUT_OFFSET": input_offset,
    }
    header = Header(
        file="nb_max7800x_config.h",
        purpose="what the MAX78000's driver must know of the network",
        guard="NB_MAX7800X_CONFIG_H",
        includes=(),
        macros=tuple(
            Macro(name=f"NB_MAX_{name}", value=str(value)) for name, value in values.items()
        ),
    )
    return {
        "include/nb_max7800x_config.h": render("header.h.j2", header).decode(),
        **{f"src/npu/{DRIVER}/{name}": text for name, text in sources.items()},
    }
