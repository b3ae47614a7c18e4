"""What the accelerator does in an inference, from the registers that the generated C writes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from npubench.compiler.backends.max7800x.scheme import QuantizedChain
from npubench.compiler.plan import Estimate
from npubench.core.errors import DeviceError, ResultError
from npubench.npu.max7800x.device import Device
from npubench.npu.max7800x.replay import programmed
from npubench.npu.max7800x.timing import (
    MODEL,
    PIPELINE_CYCLES,
    PIPELINED,
    PLAIN,
    STREAM_RATIO,
    NetworkWork,
    network_work,
)

LANES = 4
BESIDE_RATIO, BESIDE_WORDS = 1.1, 1000
"""Words of an initialisation beyond the kernels: addresses, padding, registers, biases, at most."""
PEAK_MACS = 576
"""Of 64 processors with nine taps each, in a cycle."""
SLOW_RATIO = 16 / 9
"""Without the express mode a kernel of nine bytes takes four words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Words that the processor writes into the accelerator for an input, and values that it reads
    back; ``wide``: a word each, else up to four in a word; ``fifo``: the input goes in while the
    accelerator runs. ``kernel_bytes``: of an initialisation; ``express``: four in a word."""

    kernel_bytes: int
    express: bool
    fifo: bool
    input_words: int
    output_values: int
    wide: bool


def work_of(code: str, device: Device, layers: int | None) -> NetworkWork | str:
    """Of the generated ``code``, or why there is none. ``layers``: how many it should set up at
    least (the tool may add some of its own)."""
    try:
        accelerator = programmed(code, device.name)
        work = network_work(
            accelerator.layers, pipelined=accelerator.pipelined, prereads=not device.pll
        )
    except (DeviceError, ResultError) as error:
        return error.message
    if layers is not None and len(work.layers) < layers:
        return f"the generated code sets up {len(work.layers)} layers, {layers} were described"
    return work


def work_details(
    work: NetworkWork | str, traffic: Traffic, device: Device, macs: int = 0
) -> dict[str, int | float | str]:
    """What the record says of it: cycles and their bounds, and how long the processor waits for the
    accelerator's memories (``bus_*``). ``macs``: of what it runs, 0 where they are not known."""
    if isinstance(work, str):
        return {"time_missing": work}
    rates: dict[str, int | float | str] = {}
    if macs:
        rates = {
            "npu_macs": macs,
            "peak_macs_per_cycle": PEAK_MACS,
            "effective_ops_per_s": round(2 * macs * device.clock_hz / work.cycles),
            "peak_ops_per_s": 2 * PEAK_MACS * device.clock_hz,
        }
    low_ns, high_ns = device.bus_ns
    fewest = traffic.output_values if traffic.wide else -(-traffic.output_values // LANES)
    load, infer = (traffic.input_words, traffic.input_words), (fewest, traffic.output_values)
    kernels = traffic.kernel_bytes / LANES * (1.0 if traffic.express else SLOW_RATIO)
    words: dict[str, tuple[float, float]] = {
        "init": (kernels, kernels * BESIDE_RATIO + BESIDE_WORDS)
    }
    words |= {"load": load, "infer": infer}
    if traffic.fifo:
        words["infer"] = (load[0] + infer[0], load[1] + infer[1])
        del words["load"]
    return {
        "time_model": MODEL,
        "cycles": work.cycles,
        "modelled_low_cycles": work.low,
        "modelled_high_cycles": work.high,
        "modelled_layer_cycles": " ".join(map(str, work.layers)),
        "quadrant_cycles": work.quadrant_cycles,
        **rates,
        "overlaps": int(traffic.fifo or work.streams),
        **{
            f"bus_{stage}_{end}_us": round(count * each_ns * 1e-3, 3)
            for stage, counts in words.items()
            for end, count, each_ns in zip(("low", "high"), counts, (low_ns, high_ns), strict=True)
        },
    }


def layer_estimates(work: NetworkWork | str, quantized: QuantizedChain) -> tuple[Estimate, ...]:
    """Cycles of each operator that the accelerator runs: a layer's stand at its last. None where
    the tool added layers, so that nothing says which are whose."""
    if isinstance(work, str) or len(work.layers) != len(quantized.layers):
        return ()
    found: dict[int, int] = {}
    for cycles, step in zip(work.layers, quantized.layers, strict=True):
        if step.layer.op_indices:
            at = step.layer.op_indices[-1]
            found[at] = found.get(at, 0) + cycles
    return tuple(
        Estimate(op_index=at, cycles=cycles, port_bytes=(), bound_by_memory=False)
        for at, cycles in sorted(found.items())
    )


def config_sha256(device: Device, tool: str, **more: object) -> str:
    """The part, the tool's version and the model of time."""
    told = {
        "device": device.name,
        "tool": tool,
        "time": [MODEL, PIPELINE_CYCLES, STREAM_RATIO, asdict(PLAIN), asdict(PIPELINED)],
        "bus_ns": device.bus_ns,
        **more,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
