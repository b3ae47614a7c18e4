"""What the MAX78000's backend makes of more than a chain: sums, several outputs, transposed and
depthwise convolutions, streams, weights of few bits. That the tool and the accelerator agree with
these integers: test_vendor_max7800x_tool."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from npubench.compiler.backends.max7800x.accuracy import accuracy_cost
from npubench.compiler.backends.max7800x.chain import read_chain
from npubench.compiler.backends.max7800x.description import describe
from npubench.compiler.backends.max7800x.placement import output_bytes_of, place
from npubench.compiler.backends.max7800x.scheme import (
    int8_outputs,
    output_bytes,
    quantize_chain,
    sample_input,
    simulate_outputs,
)
from npubench.compiler.backends.max7800x.weight_bits import (
    Bits,
    as_codes,
    parse_bits,
    weight_exponent,
)
from npubench.compiler.graph import Graph
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import UnsupportedOp, UsageError
from npubench.core.seeded import seeded_bytes
from npubench.golden import golden_outputs
from npubench.npu.max7800x.device import MAX78000, MAX78002, Device
from support.adi_networks import (
    NONE,
    Builder,
    heads_net,
    large_net,
    residual_net,
    separable_net,
    upsampling_net,
)

NETWORKS: dict[str, tuple[Callable[[], bytes], Device]] = {
    "residual": (residual_net, MAX78000),
    "heads": (heads_net, MAX78000),
    "upsampling": (upsampling_net, MAX78000),
    "separable": (separable_net, MAX78002),
    "large": (lambda: large_net(96, 100), MAX78000),
}


def graph_of(name: str) -> Graph:
    return read_tflite(NETWORKS[name][0](), name=name)


def test_a_sum_gets_room_for_both_operands_and_copies_of_who_is_needed_elsewhere() -> None:
    chain = read_chain(graph_of("residual"))
    kinds = [layer.kind for layer in chain.layers]
    assert kinds == [
        "conv", "conv", "conv", "copy", "add", "conv", "conv", "copy", "add", "conv", "copy",
        "add", "dense",
    ]  # fmt: skip
    assert [layer.inputs for layer in chain.layers if layer.kind == "add"] == [
        (2, 3), (6, 7), (9, 10),
    ]  # fmt: skip
    assert [at for at, layer in enumerate(chain.layers) if layer.gapped] == [2, 3, 6, 7, 9, 10]
    rectified = [layer.has_weights for layer in chain.layers if layer.kind == "add"]
    assert rectified == [True, False, True]


@pytest.mark.parametrize("name", NETWORKS)
def test_no_output_lies_over_what_is_still_needed(name: str) -> None:
    device = NETWORKS[name][1]
    graph = graph_of(name)
    quantized = quantize_chain(graph, read_chain(graph, device))
    placed = place(quantized, device)
    assert (placed.streaming > 0) == (name == "large")
    layers = quantized.chain.layers
    for at in range(placed.streaming, len(layers)):
        for other in range(at):
            readers = [n for n, layer in enumerate(layers) if other in layer.inputs]
            if max([*readers, other], default=other) < at or other < placed.streaming - 1:
                continue
            begins = placed.outputs[at], placed.outputs[other]
            sizes = [
                output_bytes_of(quantized.layers[n]) * (2 if layers[n].gapped else 1)
                for n in (at, other)
            ]
            apart = begins[0] + sizes[0] <= begins[1] or begins[1] + sizes[1] <= begins[0]
            operands = abs(begins[0] - begins[1]) == 4
            assert apart or operands, (at, other)


@pytest.mark.parametrize("name", ["residual", "heads", "upsampling", "separable"])
def test_the_layers_mean_what_the_network_means(name: str) -> None:
    """Against TFLM, in steps of the outputs: the reader's layers, rounded as int8 is, and the
    scheme's integers."""
    pytest.importorskip("tflite_micro", reason="tflite-micro is Linux x86-64 only")
    data, device = NETWORKS[name][0](), NETWORKS[name][1]
    graph = read_tflite(data, name=name)
    chain = read_chain(graph, device)
    raw = seeded_bytes(1, graph.tensor(graph.inputs[0]).size_bytes)
    truth = np.frombuffer(golden_outputs(data, raw).output_bytes, dtype=np.int8).astype(int)
    channels, high, wide = chain.layers[0].source_shape
    codes = np.frombuffer(raw, dtype=np.int8).astype(np.int64).reshape(high, wide, channels)
    ours = np.concatenate(
        [
            np.moveaxis(found, 0, -1).reshape(-1)
            for found in int8_outputs(graph, chain, codes.transpose(2, 0, 1))
        ]
    )
    assert np.abs(ours - truth).max() <= 3
    quantized = quantize_chain(graph, chain)
    given = simulate_outputs(quantized, sample_input(graph, quantized, 1))
    found = b"".join(
        output_bytes(graph, quantized, values, at)
        for at, values in zip(chain.outputs, given, strict=True)
    )
    scheme = np.frombuffer(found, dtype=np.int8).astype(int)
    noise = float(np.square(scheme - truth).sum())
    assert float(np.square(truth).sum()) > 10 * noise  # 10 dB


@pytest.mark.parametrize(
    ("built", "device", "reason"),
    [
        (Builder(1, 8, 8, 3).conv(4, (3, 3)).depthwise(3), MAX78000, "no depthwise"),
        (Builder(1, 8, 8, 3).conv(4, (3, 3)).depthwise(5), MAX78002, "kernel 5x5"),
        (Builder(1, 8, 8, 3).double(4, side=3), MAX78000, "3x3, steps of 2x2: only 2x2"),
        (Builder(1, 90, 95, 8).conv(4, (3, 3)), MAX78000, "its input has 8 channels"),
        (Builder(1, 200, 200, 3).conv(4, (1, 1)), MAX78000, "only padded convolutions of 3x3"),
    ],
    ids=["depthwise-78000", "kernel", "transposed", "channels-streamed", "1x1-streamed"],
)
def test_what_a_part_cannot_do_is_refused(built: Builder, device: Device, reason: str) -> None:
    graph = read_tflite(built.written(), name="net")
    with pytest.raises(UnsupportedOp, match=reason):
        place(quantize_chain(graph, read_chain(graph, device)), device)


def test_a_sum_of_more_channels_than_one_pass_has_is_refused() -> None:
    net = Builder(1, 4, 4, 3).conv(70, (3, 3))
    around = net.last
    built = net.conv(70, (3, 3), activation=NONE).add(around)
    with pytest.raises(UnsupportedOp, match="a sum of 70 channels: at most 64"):
        read_chain(read_tflite(built.written(), name="net"))


def test_depth_has_the_parts_own_limit() -> None:
    deep = read_tflite(separable_net(20, 4), name="deep")
    assert len(read_chain(deep, MAX78002).layers) == 42
    too_deep = read_tflite(separable_net(64, 4), name="deep")
    with pytest.raises(UnsupportedOp, match="130 layers: at most 128"):
        read_chain(too_deep, MAX78002)


# --- weights of few bits ---------------------------------------------------------------------


def test_bits_are_said_for_all_and_for_some() -> None:
    assert parse_bits("4") == Bits(whole=4)
    assert parse_bits("8,3:4,0:1") == Bits(whole=8, layers={3: 4, 0: 1})
    assert [parse_bits("2,1:8").of(number) for number in (0, 1)] == [2, 8]
    for text in ("3", "4:", "8,4", ":4", "a:4", "8,1:5", ""):
        with pytest.raises(UsageError, match="is not understood"):
            parse_bits(text)
    graph = graph_of("residual")
    with pytest.raises(UsageError, match=r"layer 7; this network has 7 layers with weights"):
        quantize_chain(graph, read_chain(graph), parse_bits("8,7:4"))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_codes_fit_their_bits_and_are_near(bits: int) -> None:
    weights = np.random.default_rng(3).normal(0, 0.1, (16, 8, 3, 3))
    exponent = weight_exponent(weights, bits)
    codes = as_codes(weights, exponent, bits)
    assert -(1 << bits - 1) <= codes.min() <= codes.max() < 1 << bits - 1
    errors = {
        e: float(np.square(as_codes(weights, e, bits) * 2.0**e - weights).sum())
        for e in (exponent - 1, exponent, exponent + 1)
    }
    if bits < 8:
        assert errors[exponent] == min(errors.values())
    assert errors[exponent] < float(np.square(weights).sum())


def test_fewer_bits_take_less_memory_and_cost_more() -> None:
    graph = graph_of("residual")
    chain = read_chain(graph)
    cost = [
        accuracy_cost(graph, quantize_chain(graph, chain, Bits(whole=bits))).snr_db
        for bits in (8, 4, 2)
    ]
    assert cost[0] > cost[1] > cost[2]
    assert cost[0] > 15
    quantized = quantize_chain(graph, chain, parse_bits("8,1:4"))
    yaml = describe(quantized, sample_input(graph, quantized, 1), MAX78000)["network.yaml"].decode()
    assert yaml.count("quantization: 4") == 1
    plain = quantize_chain(graph, chain)
    # The tool adds 8 - bits to the shift that it is told.
    (second,) = [step for step in quantized.layers if step.bits == 4]
    whole = next(s for s in plain.layers if s.layer == second.layer)
    assert second.output_shift - whole.output_shift == (
        second.weight_exponent - whole.weight_exponent
    )
