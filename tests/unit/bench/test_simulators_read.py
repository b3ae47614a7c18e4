"""What is read of vendors' tools and told to them: where operators run, ranges, settings, words
of a refusal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from npubench.compiler.backends.axon.simulator import placed as axon_placed
from npubench.compiler.backends.cvitek.job import bf16_table, fitted_end, table
from npubench.compiler.backends.cvitek.simulator import (
    MIXED,
    CvitekSimulator,
    reads_in_order,
    words_of,
)
from npubench.compiler.backends.cvitek.simulator import placed as cvitek_placed
from npubench.compiler.backends.gap8.simulator import packed as gap8_packed
from npubench.compiler.backends.gap8.simulator import placed as gap8_placed
from npubench.compiler.backends.mvp.simulator import placed as mvp_placed
from npubench.compiler.backends.nncase.simulator import placed
from npubench.compiler.compiled import read_network
from npubench.compiler.vendor.simulation import _failure
from npubench.core.errors import CompileError, ToolError
from npubench.zoo import resolve_model

SCHEDULE = """.physical_buffer
%0(a/npubench_op1/quantize)\t : <u8 [1,2] 2 bytes of [1,2]> @input[0, 2] life(0, 1)
%1(npubench_op1_0/conv)\t : <u8 [1,2] 2 bytes of [1,2]> @unknown[0, 2] life(0, 1)

.compute_sequence
    %0 = {first}() : () -> ()
    %1 = {second}(%0) : () -> ()
"""


def test_nncase_operators_are_placed_by_the_module_that_computes_them() -> None:
    kpu = SCHEDULE.format(first="KPUUpload", second="KPUConv2D")
    cpu = SCHEDULE.format(first="Constant", second="Conv2D")
    assert placed({"main": "", "k210_0": kpu})[1].engine == "npu"
    kept = placed({"main": cpu})[1]
    assert (kept.engine, kept.reason) == ("cpu", "nncase keeps it on the CPU (Conv2D)")
    assert placed({"main": SCHEDULE.format(first="Input", second="Constant")}) == {}


INFO = """Program #0
    routines    :
     #00  cpu
        inputs  : input
        outputs : inputnpubench_op0_si8
        function: quant
     #01  tpu
        inputs  : inputnpubench_op0_si8
        outputs : npubench_op1
        section : subfunc_1
     #02  cpu
        inputs  : npubench_op1
        outputs : npubench_op2
        function: topk
"""


def test_cvitek_operators_are_the_tpus_but_for_routines_of_the_cpu() -> None:
    ranges = {"input": (0.0, 1.0)} | {f"npubench_op{op}": (0.0, 1.0) for op in range(3)}
    ops = cvitek_placed(ranges, INFO)
    assert [ops[op].engine for op in range(3)] == ["npu", "npu", "cpu"]
    assert ops[2].reason == "tpu_mlir keeps it on the CPU (topk)"


def test_cviteks_table_has_the_int8_ranges_by_the_names_of_the_mlir() -> None:
    mlir = (
        '    %0 = "top.Input"(%arg0) : (x) -> y loc(#loc1)\n'
        '    %1 = "top.Weight"() : () -> y loc(#loc2)\n'
        '    %2 = "top.MatMul"(%0, %1) : (x) -> y loc(#loc3)\n'
        '#loc1 = loc("input")\n#loc2 = loc("w")\n#loc3 = loc("npubench_op0_r_keepdims")\n'
    )
    rows = table(mlir, {"input": (-3.0, 1.0), "npubench_op0": (0.0, 2.5)}).splitlines()[3:]
    assert rows == ["input 3 -3 1", "npubench_op0_r_keepdims 2.5 0 2.5"]


def test_what_tpu_mlir_transposes_has_the_range_of_what_it_takes() -> None:
    mlir = (
        '    %0 = "top.Input"(%arg0) : (x) -> y loc(#loc1)\n'
        '    %1 = "top.Permute"(%0) {order = [0, 3, 1, 2]} : (x) -> y loc(#loc2)\n'
        '    %2 = "top.Conv"(%1, %9) : (x) -> y loc(#loc3)\n'
        '#loc1 = loc("input")\n#loc2 = loc("tpumlir_tensor_0")\n'
        '#loc3 = loc("npubench_op0_bm_trans")\n'
    )
    rows = table(mlir, {"input": (-3.0, 1.0), "npubench_op0": (0.0, 2.5)}).splitlines()[3:]
    assert rows == ["input 3 -3 1", "tpumlir_tensor_0 3 -3 1", "npubench_op0_bm_trans 2.5 0 2.5"]


@pytest.mark.parametrize(("model", "in_order"), [("kws", False), ("vww", False), ("ic", False)])
def test_networks_whose_images_end_in_one_pixel_may_have_channels_first(
    model: str, in_order: bool
) -> None:
    assert reads_in_order(read_network(resolve_model(model)).graph) == in_order


def test_a_flattened_image_keeps_its_order() -> None:
    """Seen on tpu_mlir 1.30.2: a (1, 3, 256) that becomes (1, 1, 3, 256) is only relabelled."""
    shapes = [(1, 3, 256), (1, 1, 3, 256), (1, 768)]

    def graph(kind: str, given: int, made: int) -> Any:
        op = SimpleNamespace(kind=kind, inputs=(given, given), outputs=(made,))
        return SimpleNamespace(
            ops=(op,), tensor=lambda index: SimpleNamespace(shape=shapes[index], count=768)
        )

    assert reads_in_order(graph("RESHAPE", 0, 1))
    assert reads_in_order(graph("RESHAPE", 1, 2))
    assert reads_in_order(graph("FULLY_CONNECTED", 1, 2))
    assert not reads_in_order(graph("RESHAPE", 1, 1))
    assert not reads_in_order(graph("RESHAPE", 0, 2))
    assert reads_in_order(graph("ADD", 0, 1))  # (1, 1, 1, 128) + (128,) ended tpu_mlir's optimizer
    assert not reads_in_order(graph("ADD", 1, 1))


def test_cviteks_settings_are_words_that_its_job_takes() -> None:
    ranges = {"input": (0.0, 1.0)} | {f"npubench_op{op}": (0.0, 1.0) for op in range(7)}
    words = [words_of(setting, ranges) for setting in CvitekSimulator().settings]
    assert words == [("INT8",), ("INT8", "fitted"), ("INT8", "fitted", "2"), ("BF16",)]
    rows = "# tpu-mlir\n###\n# op_name threshold min max\ninput 1 0 1\n" + "".join(
        f"npubench_op{op}_r 1 0 1\n" for op in range(7)
    )
    assert bf16_table(rows, 5) == "npubench_op5_r BF16\nnpubench_op6_r BF16\n"
    assert bf16_table(rows, 7) == ""  # a part of the network that ends before
    assert MIXED in CvitekSimulator().settings


def test_a_fitted_range_clips_what_costs_less_than_coarse_steps() -> None:
    values = np.linspace(-1.0, 1.0, 20_001)
    assert fitted_end(values, 1.0) == pytest.approx(1.0)  # nothing is far out
    rare = np.append(values, 2.0)
    assert 1.0 <= fitted_end(rare, 4.0) < 2.5


def test_an_operator_without_cycles_on_the_mvp_is_the_cpus_with_the_tools_reason() -> None:
    ops = mvp_placed(
        [
            {"cycles": 12, "error": ""},
            {"cycles": 0, "error": "not\n supported"},
            {"cycles": 0, "error": ""},
        ]
    )
    assert (ops[0].engine, ops[0].cycles) == ("npu", 12)
    assert (ops[1].engine, ops[1].reason) == ("cpu", "not supported")
    assert ops[2].reason


def test_on_axon_what_the_driver_extends_is_the_cpus() -> None:
    layers = [
        {"layer": 0, "op": 0, "kind": "CONV_2D"},
        {"layer": 1, "op": 2, "kind": "CPU_SOFTMAX"},
    ]
    ops = axon_placed(layers, {"0": 77408, "1": 818})
    assert (ops[0].engine, ops[0].cycles) == ("npu", 77408)
    assert (ops[2].engine, ops[2].cycles) == ("cpu", None)
    assert ops[2].reason.endswith("(SOFTMAX)")
    assert 1 not in ops  # passed through


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (
            "Traceback\nnpubench refuses: width < 4\n",
            CompileError,
            "axon: the vendor's compiler does not take this network: width < 4",
        ),
        ("Segmentation fault\n\n", ToolError, "axon ended with exit code 3: Segmentation fault"),
    ],
    ids=["refused", "crashed"],
)
def test_a_job_that_fails_is_told_by_the_tools_own_words(
    said: str, kind: type[Exception], words: str
) -> None:
    error = _failure("axon", ToolError("python ended with exit code 3", code=3, tail=said))
    assert type(error) is kind
    assert error.message == words


def test_nntools_nodes_are_the_operators_alone_or_in_a_fusion() -> None:
    nodes = ["CONV_2D_0_0", "CONV_2D_0_0_activation", "MAX_POOL_2D_0_1", "CONV_2D_0_12", "input_1"]
    kinds = ["CONV_2D", "MAX_POOL_2D", "RESHAPE"]
    ops = gap8_placed(nodes, kinds)
    assert {op: found.engine for op, found in ops.items()} == {0: "npu", 1: "npu"}


def test_nntools_files_are_one_artifact_the_same_for_the_same() -> None:
    files = {"tensors/b": b"2", "network_model.c": b"1"}
    one = gap8_packed(files)
    assert one == gap8_packed(dict(reversed(files.items())))
    assert one != gap8_packed({**files, "tensors/b": b"3"})
