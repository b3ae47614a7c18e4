"""Networks of ADI's own flow: their YAML and checkpoint go to the tool as they are, what it makes
is wired, its known answer is the reference. Nothing is quantized here."""

from __future__ import annotations

import hashlib
import re
from typing import Final

import numpy as np

from npubench.boards import Board
from npubench.compiler.arena import plan_arena
from npubench.compiler.backends.cpu import check_memory
from npubench.compiler.backends.max7800x.config import DRIVER, Out, project_files
from npubench.compiler.backends.max7800x.feed import Feed, read_feed
from npubench.compiler.backends.max7800x.scheme import Ints
from npubench.compiler.backends.max7800x.tool import SEED, Generated, generate
from npubench.compiler.backends.max7800x.unload import WIDE_BITS, Unloaded, read_unload
from npubench.compiler.backends.max7800x.work import (
    Traffic,
    config_sha256,
    work_details,
    work_of,
)
from npubench.compiler.graph import Graph, Tensor
from npubench.compiler.importers.ai8x import CHECKPOINT_PART, CODE, NETWORK_PART
from npubench.compiler.opaque import Opaque, is_opaque, unpacked
from npubench.compiler.plan import Constant, KnownAnswer, NpuJob, Plan
from npubench.core.errors import CompileError, UsageError
from npubench.core.seeded import seeded_bytes
from npubench.npu.max7800x.device import Device

TABLE: Final = "nb_max7800x_input_table"
WORDS: Final = {
    **dict.fromkeys(
        (
            "--fifo", "--overlap-data", "--zero-sram", "--mexpress", "--no-mexpress",
            "--compact-weights", "--new-kernel-loader", "--old-kernel-loader", "--max-speed",
            "--balance-speed", "--pipeline", "--no-pipeline", "--avg-pool-rounding",
            "--ignore-bias-groups", "--no-deduplicate-weights", "--allow-streaming",
        ),
        0,
    ),
    **dict.fromkeys(
        ("--start-layer", "--input-offset", "--skip-checkpoint-layers", "--streaming-layers",
         "--no-bias"),
        1,
    ),
}  # fmt: skip
"""Words of ai8xize that may be said, and how many values follow each. The others change files that
are read here, or the clock, which is the driver's."""
_MEMORY = re.compile(r"^\s*(Weight|Bias) memory:\s+([\d,]+) bytes", re.MULTILINE)


def is_brought(graph: Graph) -> bool:
    """Whether it is a network of ADI's own flow."""
    return len(graph.ops) == 1 and graph.ops[0].custom_code == CODE and is_opaque(graph.ops[0])


def checked_words(text: str) -> tuple[str, ...]:
    """What a user says to ai8xize. Raises UsageError for a word that may not be said."""
    words = text.split()
    at = 0
    while at < len(words):
        if words[at] not in WORDS:
            raise UsageError(
                f"max7800x.tool-words: {words[at][:40]!r} cannot be said to ai8xize here",
                hint=f"what can be: {', '.join(sorted(WORDS))}",
            )
        at += 1 + WORDS[words[at]]
    if at != len(words):
        raise UsageError(f"max7800x.tool-words: {words[-1]} wants a value")
    return tuple(words)


def compile_brought(
    graph: Graph, board: Board, device: Device, words: tuple[str, ...] | None
) -> Plan:
    """The plan. ``words``: the user's; None: those under which the tool took it at the import.

    Raises ToolError with the tool's own words where it does not take the network for this part,
    UsageError for words that do not go with the clock that the driver sets.
    """
    op = graph.ops[0]
    network = unpacked(op)
    if words is None:
        words = checked_words(str(network.about.get("words", "")))
    if device.pll and "--no-pipeline" in words:
        raise UsageError(
            "max7800x.tool-words: without its pipeline the MAX78002's accelerator may be clocked "
            "with 50 MHz at most, and the driver sets 200",
            hint="leave --no-pipeline out: ai8xize takes the pipeline by default",
        )
    sample = seeded_sample(graph)
    made = generate(
        {
            NETWORK_PART: network.parts[NETWORK_PART],
            CHECKPOINT_PART: network.parts[CHECKPOINT_PART],
        },
        device=device.name,
        sample=sample,
        words=words,
    )
    feed = read_feed(sample, made.main, made.sample_data)
    outputs = read_unload(made.sources["cnn.c"])
    tensors = [graph.tensor(index) for index in graph.outputs]
    _check_outputs(outputs, tensors)
    steps = (NpuJob(op_indices=(0,), job=0, inputs=(graph.inputs[0],), outputs=op.outputs),)
    arena = plan_arena(graph, steps)
    wide = outputs[0].bits == WIDE_BITS
    outs = tuple(
        Out(
            offset_bytes=arena.place(tensor.index).offset_bytes,
            channels=output.shape[0],
            pixels=output.shape[1] * output.shape[2],
            zero=0,
            ratio=ratio_of(output),
        )
        for output, tensor in zip(outputs, tensors, strict=True)
    )
    artifact = b"".join(
        f"{name}\0{len(data)}\0".encode() + data
        for name, data in sorted(
            (
                dict(network.parts) | {name: text.encode() for name, text in made.sources.items()}
            ).items()
        )
    )
    plan = Plan(
        backend="max7800x",
        steps=steps,
        constants=(
            Constant(name=TABLE, ctype="int8_t", data=bytes(range(256))),  # they are its own codes
        ),
        arena=arena,
        artifact=artifact,
        artifact_sha256=hashlib.sha256(artifact).hexdigest(),
        driver=DRIVER,
        extra_files=project_files(
            feed, outs, made.sources, device,
            input_offset=arena.place(graph.inputs[0]).offset_bytes,
            wide=wide, value_bytes=tensors[0].dtype.size_bytes,
        ),
        defines={"NB_NPU": "1"},
        npu_load=not feed.fifo,
        npu=_record(network, made, feed, words, device, outputs),
        known_answer=KnownAnswer(
            version=f"ai8x-synthesis {made.version}",
            seed=SEED,
            output=b"".join(
                tensor_bytes(output, tensor, made.answer)
                for output, tensor in zip(outputs, tensors, strict=True)
            ),
        ),
    )  # fmt: skip
    check_memory(graph, plan, board)
    return plan


def seeded_sample(graph: Graph) -> Ints:
    """The generated input, channels first, as the tool wants its sample."""
    tensor = graph.tensor(graph.inputs[0])
    data = np.frombuffer(seeded_bytes(SEED, tensor.size_bytes), dtype=np.int8)
    shaped = data.reshape(tensor.shape[1:]).astype(np.int64)
    return np.ascontiguousarray(np.moveaxis(shaped, -1, 0))


def ratio_of(output: Unloaded) -> float:
    """Steps of the tensor per step of the accelerator's: a wide output loses eight bits."""
    return 1 / 256 if output.bits == WIDE_BITS else 1.0


def tensor_bytes(output: Unloaded, tensor: Tensor, answer: dict[int, int]) -> bytes:
    """The known answer as the network's tensor, channels last, as the driver makes it."""
    values = np.moveaxis(output.values(answer), 0, -1).reshape(-1)
    scaled = np.floor(values.astype(np.float32) * np.float32(ratio_of(output)) + np.float32(0.5))
    kind = np.dtype("<i2" if tensor.dtype.size_bytes == 2 else "i1")
    limits = np.iinfo(kind)
    data: bytes = np.clip(scaled.astype(np.int64), limits.min, limits.max).astype(kind).tobytes()
    return data


def _check_outputs(outputs: tuple[Unloaded, ...], tensors: list[Tensor]) -> None:
    said = [int(np.prod(one.shape)) for one in outputs]
    if said != [tensor.count for tensor in tensors] or len({one.bits for one in outputs}) > 1:
        raise CompileError(
            f"ai8xize unloads outputs of {said} values in {sorted({o.bits for o in outputs})} "
            f"bits; the import found {[tensor.count for tensor in tensors]}",
            hint="outputs must be of one width, and the same as when the network was imported",
        )


def _record(
    network: Opaque,
    made: Generated,
    feed: Feed,
    words: tuple[str, ...],
    device: Device,
    outputs: tuple[Unloaded, ...],
) -> dict[str, object]:
    details: dict[str, object] = {
        "tool": f"ai8x-synthesis {made.version}",
        "scheme": "ADI's own: quantized by its training",
        "tool_words": " ".join(words),
        "npu_hz": device.clock_hz,
        "layers": network.about.get("layers", 0),
        "not_separable": "infer and unload: the output leaves the accelerator inside infer"
        if not feed.fifo
        else "load and infer: the input goes in by FIFO while the accelerator runs",
        "data_memory_bytes": device.memory_bytes,
        **{
            f"{kind.lower()}_memory_bytes": int(count.replace(",", ""))
            for kind, count in _MEMORY.findall(made.log)
        },
    }
    if made.latency_cycles is not None:
        details["estimated_cycles"] = made.latency_cycles
        details["estimate_is_rough"] = int(made.estimate_is_rough)
        details["estimated_layer_cycles"] = " ".join(str(count) for count in made.layer_cycles)
    kernel_bytes = details.get("weight_memory_bytes")
    traffic = Traffic(
        kernel_bytes=kernel_bytes if isinstance(kernel_bytes, int) else 0,
        express="--no-mexpress" not in words,
        fifo=feed.fifo,
        input_words=feed.words * len(feed.segments),
        output_values=sum(int(np.prod(one.shape)) for one in outputs),
        wide=outputs[0].bits == WIDE_BITS,
    )
    details |= work_details(work_of(made.sources["cnn.c"], device, None), traffic, device)
    return {
        "accelerator": device.name,
        "config_sha256": config_sha256(device, made.version, words=list(words)),
        "macs_share": 1.0,
        "fallbacks": (),
        "details": details,
    }
