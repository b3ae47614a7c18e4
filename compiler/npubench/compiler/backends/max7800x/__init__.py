"""The backend for ADI's MAX78000 and MAX78002: a network quantized for their accelerator,
compiled by ADI's tool.

The scheme is another than TFLite's (power-of-two scales, no zero points): what runs is not the
network as brought but an artifact of its own, held against the tool's known answer (``vendor``),
and what that costs in accuracy stands in the record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from npubench.boards import Board
from npubench.compiler.analyze import analyze
from npubench.compiler.arena import plan_arena
from npubench.compiler.backends import Option
from npubench.compiler.backends.cpu import check_memory
from npubench.compiler.backends.max7800x.accuracy import accuracy_cost
from npubench.compiler.backends.max7800x.brought import (
    TABLE,
    checked_words,
    compile_brought,
    is_brought,
)
from npubench.compiler.backends.max7800x.chain import read_chain
from npubench.compiler.backends.max7800x.closing import closed_outputs
from npubench.compiler.backends.max7800x.config import DRIVER, Out, project_files
from npubench.compiler.backends.max7800x.description import describe, output_addresses
from npubench.compiler.backends.max7800x.feed import Feed, fifo_feed, memory_feed
from npubench.compiler.backends.max7800x.latency import estimated_cycles, has_formula
from npubench.compiler.backends.max7800x.layer import Chain
from npubench.compiler.backends.max7800x.placement import channels_of, place
from npubench.compiler.backends.max7800x.samples import read_samples
from npubench.compiler.backends.max7800x.scheme import (
    Ints,
    QuantizedChain,
    input_table,
    output_bytes,
    output_ratio,
    quantize_chain,
    sample_input,
    simulate_outputs,
)
from npubench.compiler.backends.max7800x.tool import ENGINE, SEED, TOOL, Generated, generate
from npubench.compiler.backends.max7800x.unload import MARK, read_unload
from npubench.compiler.backends.max7800x.weight_bits import EIGHT, Bits, parse_bits
from npubench.compiler.backends.max7800x.work import (
    PEAK_MACS,
    Traffic,
    config_sha256,
    layer_estimates,
    work_details,
    work_of,
)
from npubench.compiler.graph import DType, Graph
from npubench.compiler.lower import lower_op
from npubench.compiler.plan import Arena, Constant, Fallback, KnownAnswer, NpuJob, Plan, Step
from npubench.compiler.vendor.tool import locate
from npubench.core.errors import (
    ConfigError,
    DoesNotFit,
    ToolError,
    ToolMissing,
    UnsupportedOp,
    UsageError,
)
from npubench.npu.max7800x.device import DEVICES, Device
from npubench.npu.max7800x.timing import NetworkWork

OPTIONS: Final = (
    Option(
        name="samples",
        help="a .npy of inputs of your own (int8 codes or real values), on which the scheme's cost "
        "in accuracy is told; without it noise is taken",
        default="",
    ),
    Option(
        name="weight-bits",
        help="bits of the weights: 1, 2, 4 or 8 for all layers, and for some by their number: 4, "
        "or 8,3:4,5:2; what it costs in accuracy is in the record",
        default="8",
    ),
    Option(
        name="tool-words",
        help="for a network of ADI's own YAML: what is said to ai8xize beyond the files, such as "
        "--fifo or --overlap-data; without it those under which the import succeeded",
        default="",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Max7800xBackend:
    """Runs a chain of layers on the accelerator and a closing softmax on the CPU."""

    name: str = "max7800x"
    samples: Path | None = None
    words: tuple[str, ...] | None = None
    bits: Bits = EIGHT

    @property
    def options(self) -> tuple[Option, ...]:
        """All that may be set."""
        return OPTIONS

    def configured(self, values: Mapping[str, str]) -> Max7800xBackend:
        """This backend with some options set. Raises UsageError for a file that is not there, and
        for words that ai8xize may not be told."""
        found = self
        if "tool-words" in values:
            found = replace(found, words=checked_words(values["tool-words"]))
        if "weight-bits" in values:
            found = replace(found, bits=parse_bits(values["weight-bits"]))
        if "samples" in values:
            path = Path(values["samples"]).expanduser().resolve()
            if not path.is_file():
                raise UsageError(f"max7800x.samples: there is no file {values['samples']}")
            found = replace(found, samples=path)
        return found

    def compile(self, graph: Graph, model: bytes, board: Board) -> Plan:
        """Map, quantize, let ai8xize generate, and wire its C behind ``nb_npu.h``.

        Raises ToolMissing without a checkout of ai8x-synthesis, UnsupportedOp or DoesNotFit when
        the accelerator cannot take the network, ToolError when the tool fails.
        """
        del model
        device = _device(board)
        if is_brought(graph):
            if self.bits is not EIGHT:
                raise UsageError(
                    "max7800x.weight-bits: a network of ADI's own is quantized by its training",
                    hint="its YAML says the bits of each layer",
                )
            return compile_brought(graph, board, device, self.words)
        if self.words is not None:
            raise UsageError(
                "max7800x.tool-words: this network is described to ai8xize here",
                hint="words are for a network of ADI's own YAML",
            )
        samples = None if self.samples is None else read_samples(self.samples, graph)
        try:
            locate(TOOL, engine=ENGINE)
        except ToolMissing as missing:
            raise _with_outlook(missing, graph, device, self.bits) from missing
        chain, quantized, files = _mapped(graph, device, self.bits)
        streams = place(quantized, device).streaming > 0
        made = generate(files, device=device.name, words=("--fifo",) if streams else ())
        answers = _answers(quantized, made, device)
        artifact = _artifact(files, made)
        work = work_of(made.sources["cnn.c"], device, len(quantized.layers))
        steps, constants = _steps(graph, chain, board.cpu.kernels)
        arena = plan_arena(graph, steps)
        plan = Plan(
            backend=self.name,
            steps=steps,
            constants=(*constants, _table(graph, quantized)),
            arena=arena,
            artifact=artifact,
            artifact_sha256=hashlib.sha256(artifact).hexdigest(),
            fallbacks=tuple(
                Fallback(op_index=index, op=graph.ops[index].kind, reason="no such layer")
                for index in chain.rest
            ),
            driver=DRIVER,
            extra_files=_files(graph, quantized, made, arena, device),
            defines={"NB_NPU": "1"},
            npu_load=not streams,
            npu=_record(graph, quantized, made, answers, device, samples, work),
            estimates=layer_estimates(work, quantized),
            known_answer=KnownAnswer(
                version=f"ai8x-synthesis {made.version}",
                seed=SEED,
                output=closed_outputs(
                    graph,
                    chain.rest,
                    {
                        chain.layers[at].target: output_bytes(graph, quantized, values, at)
                        for at, values in zip(chain.outputs, answers, strict=True)
                    },
                ),
            ),
        )
        check_memory(graph, plan, board)
        return plan


def _device(board: Board) -> Device:
    name = None if board.npu is None else board.npu.config.get("device")
    if not isinstance(name, str) or name not in DEVICES:
        raise ConfigError(
            f"board {board.id} has no MAX78000 or MAX78002",
            hint="choose max78000fthr, max78000evkit or max78002evkit, or --backend cpu",
        )
    return DEVICES[name]


def _mapped(
    graph: Graph, device: Device, bits: Bits
) -> tuple[Chain, QuantizedChain, dict[str, bytes]]:
    """The network as the accelerator runs it, and the files for the tool."""
    _check_types(graph)
    chain = read_chain(graph, device)
    quantized = quantize_chain(graph, chain, bits)
    return chain, quantized, describe(quantized, sample_input(graph, quantized, SEED), device)


def _with_outlook(missing: ToolMissing, graph: Graph, device: Device, bits: Bits) -> ToolMissing:
    """Who has no checkout learns as well whether getting one would help this network."""
    try:
        _mapped(graph, device, bits)
    except (UnsupportedOp, DoesNotFit) as refusal:
        return ToolMissing(
            missing.message,
            argv=missing.argv,
            hint=f"{missing.hint} (the accelerator would not take this network: {refusal.message})",
        )
    return missing


def _check_types(graph: Graph) -> None:
    for index in (*graph.inputs, *graph.outputs):
        if graph.tensor(index).dtype is not DType.INT8:
            raise UnsupportedOp(
                op=graph.ops[0].kind,
                index=0,
                reason=f"inputs and outputs must be int8, not {graph.tensor(index).dtype}",
                hint="quantize the network with int8 borders, or --backend cpu",
            )


def _steps(
    graph: Graph, chain: Chain, flavours: tuple[str, ...]
) -> tuple[tuple[Step, ...], tuple[Constant, ...]]:
    steps: list[Step] = [
        NpuJob(
            op_indices=chain.op_indices,
            job=0,
            inputs=(graph.inputs[0],),
            outputs=tuple(chain.layers[at].target for at in chain.outputs),
        )
    ]
    constants: list[Constant] = []
    for index in chain.rest:
        step, needed = lower_op(graph, graph.ops[index], flavours=flavours)
        steps.append(step)
        constants.extend(needed)
    return tuple(steps), tuple(constants)


def _answers(quantized: QuantizedChain, made: Generated, device: Device) -> tuple[Ints, ...]:
    """The known answer as the accelerator's numbers, (channels, height, width) of each output.
    Raises ToolError when it lacks some."""
    code = made.sources["cnn.c"]
    if MARK in code:
        found = read_unload(code)
        shapes = [quantized.chain.layers[at].target_shape for at in quantized.chain.outputs]
        if [one.shape for one in found] != shapes:
            raise ToolError(
                f"ai8xize unloads outputs of {[one.shape for one in found]}; the network has "
                f"{shapes}",
                hint="is this checkout's version another one?",
            )
        return tuple(one.values(made.answer) for one in found)
    places = output_addresses(quantized, device)
    missing = [address for address, _ in places if address not in made.answer]
    if missing:
        raise ToolError(
            f"ai8xize's known answer says nothing of {len(missing)} of {len(places)} outputs: none "
            f"at 0x{missing[0]:08x}",
            hint="is this checkout's version another one?",
        )
    words = np.array([made.answer[address] for address, _ in places], dtype=np.uint32)
    if quantized.layers[-1].wide:
        return (words.view(np.int32).astype(np.int64),)
    lanes = np.array([lane for _, lane in places], dtype=np.uint32)
    return ((words >> (8 * lanes)).astype(np.uint8).view(np.int8).astype(np.int64),)


def _artifact(files: dict[str, bytes], made: Generated) -> bytes:
    """Description and generated sources, one after the other with their names."""
    parts = files | {name: text.encode() for name, text in made.sources.items()}
    return b"".join(
        f"{name}\0{len(data)}\0".encode() + data for name, data in sorted(parts.items())
    )


def _table(graph: Graph, quantized: QuantizedChain) -> Constant:
    return Constant(
        name=TABLE,
        ctype="int8_t",
        data=input_table(graph.tensor(graph.inputs[0]), quantized.input_exponent),
    )


def _files(
    graph: Graph, quantized: QuantizedChain, made: Generated, arena: Arena, device: Device
) -> dict[str, str]:
    chain = quantized.chain
    return project_files(
        _feed(quantized, device),
        tuple(_out(graph, quantized, arena, at) for at in chain.outputs),
        made.sources,
        device,
        input_offset=arena.place(graph.inputs[0]).offset_bytes,
        wide=quantized.layers[chain.outputs[0]].wide,
        value_bytes=1,
    )


def _feed(quantized: QuantizedChain, device: Device) -> Feed:
    first = quantized.chain.layers[0].source_shape
    on = channels_of(first[0])
    if place(quantized, device).streaming > 0:
        return fifo_feed(first)
    return memory_feed(first, on.passes, on.processors, device)


def _out(graph: Graph, quantized: QuantizedChain, arena: Arena, at: int) -> Out:
    layer = quantized.chain.layers[at]
    quantization = graph.tensor(layer.target).quantization
    assert quantization is not None
    channels, high, wide = layer.target_shape
    return Out(
        offset_bytes=arena.place(layer.target).offset_bytes,
        channels=channels,
        pixels=high * wide,
        zero=quantization.zero_point,
        ratio=output_ratio(graph, quantized, at),
    )


def _record(
    graph: Graph,
    quantized: QuantizedChain,
    made: Generated,
    answers: tuple[Ints, ...],
    device: Device,
    samples: Ints | None,
    work: NetworkWork | str,
) -> dict[str, object]:
    macs = {layer.index: layer.macs for layer in analyze(graph).layers}
    total = sum(macs.values())
    chain = quantized.chain
    cost = asdict(accuracy_cost(graph, quantized, samples))
    own = simulate_outputs(quantized, sample_input(graph, quantized, SEED))
    equal = all(
        np.array_equal(mine.reshape(-1), theirs.reshape(-1))
        for mine, theirs in zip(own, answers, strict=True)
    )
    learnt = [step for step in quantized.layers if step.layer.has_weights]
    details: dict[str, object] = {
        "tool": f"ai8x-synthesis {made.version}",
        "scheme": "int8, power-of-two scales, no zero points",
        "npu_hz": device.clock_hz,
        "accuracy_samples": cost["samples"],
        "accuracy_inputs": "drawn, half noise and half patches"
        if samples is None
        else "the user's samples",
        "accuracy_same_class_ratio": cost["same_class_ratio"],
        "accuracy_largest_error": cost["largest_error"],
        "accuracy_output_range": cost["output_range"],
        "accuracy_snr_db": cost["snr_db"],
        "accuracy_lowest_snr_db": cost["lowest_snr_db"],
        "own_model_equals_tool": int(equal),
        "not_separable": "infer and unload: the output leaves the accelerator inside infer, for "
        "the operators after it",
        "data_memory_bytes": device.memory_bytes,
        "accelerator_layers": len(quantized.layers),
        "weight_bits": " ".join(str(step.bits) for step in learnt if step.layer.kind != "add"),
        "weight_bytes": sum(step.weights.size * step.bits for step in learnt) // 8,
    }
    if cost["worst_op"] is not None:
        details["accuracy_worst_op"] = cost["worst_op"]
    streaming = place(quantized, device).streaming
    if streaming:
        details["streaming_layers"] = streaming
        details["not_separable"] = (
            "load and infer: the input goes in by FIFO while the accelerator runs"
        )
    if device.has_latency_model and has_formula(quantized) and not streaming:
        details["formula_cycles"] = estimated_cycles(quantized)
    if made.latency_cycles is not None:
        details["estimated_cycles"] = made.latency_cycles
        details["estimate_is_rough"] = int(made.estimate_is_rough)
        details["estimated_layer_cycles"] = " ".join(str(count) for count in made.layer_cycles)
    npu_macs = sum(macs[index] for index in chain.op_indices)
    details |= work_details(work, _traffic(quantized, device), device, npu_macs)
    used = {}
    if not isinstance(work, str):
        used["mac_utilization_ratio"] = round(npu_macs / (work.cycles * PEAK_MACS), 6)
    return {
        **used,
        "accelerator": device.name,
        "config_sha256": config_sha256(device, made.version),
        "macs_share": round(sum(macs[i] for i in chain.op_indices) / total, 6) if total else 0.0,
        "fallbacks": tuple(f"{i} {graph.ops[i].kind}: no such layer" for i in chain.rest),
        "details": details,
    }


def _traffic(quantized: QuantizedChain, device: Device) -> Traffic:
    feed = _feed(quantized, device)
    chain = quantized.chain
    learnt = [step for step in quantized.layers if step.layer.has_weights]
    return Traffic(
        kernel_bytes=sum(step.weights.size * step.bits for step in learnt) // 8,
        express=True,
        fifo=feed.fifo,
        input_words=feed.words * len(feed.segments),
        output_values=sum(int(np.prod(chain.layers[at].target_shape)) for at in chain.outputs),
        wide=quantized.layers[chain.outputs[0]].wide,
    )


BACKEND = Max7800xBackend()
