"""The MAX78000's backend: what it takes, its arithmetic, what it hands to ADI's tool and takes from
it. The tool is a stand-in that notes its arguments; no accelerator is anywhere."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import shutil
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from npubench.bench.job import Settings, resolve_jobs
from npubench.bench.prepare import require_engine
from npubench.bench.reference import reference_answer
from npubench.boards import load_board
from npubench.build.firmware import build_firmware
from npubench.compiler.backends import configured_backend, load_backend, settle
from npubench.compiler.backends.max7800x.accuracy import accuracy_cost
from npubench.compiler.backends.max7800x.chain import read_chain
from npubench.compiler.backends.max7800x.closing import closed
from npubench.compiler.backends.max7800x.description import END_OF_ARRAYS, channels_of, describe
from npubench.compiler.backends.max7800x.samples import read_samples
from npubench.compiler.backends.max7800x.scheme import (
    int8_reference,
    output_bytes,
    quantize_chain,
    sample_input,
    simulate,
)
from npubench.compiler.backends.max7800x.tool import parse_answer
from npubench.compiler.compiled import Network, compile_network, read_bytes, read_network
from npubench.compiler.graph import Graph
from npubench.compiler.tflite.reader import load_tflite, read_tflite
from npubench.compiler.tflite.writer import write_tflite
from npubench.core.errors import ConfigError, ToolError, ToolMissing, UnsupportedOp, UsageError
from npubench.core.progress import Silent
from npubench.core.seeded import seeded_bytes
from npubench.golden import Golden, golden_outputs
from npubench.npu.max7800x.device import MAX78000
from npubench.target import Place, parse_settings
from npubench.zoo import resolve_model
from support.adi_networks import VALID, Builder, image_net, keyword_net
from support.emitted import needs_arm

BOARD = "max78000fthr"


@pytest.fixture
def digits() -> tuple[bytes, Graph]:
    return load_tflite(resolve_model("digits").path)


@pytest.fixture
def checkout_dir(tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like ai8x-synthesis, with the stand-in as its tool."""
    folder = tmp_path / "ai8x-synthesis"
    folder.mkdir()
    shutil.copy(checkout / "tests/support/stand_in_ai8xize.py", folder / "ai8xize.py")
    monkeypatch.setenv("AI8X_SYNTHESIS_DIR", str(folder))
    monkeypatch.setenv("AI8X_PYTHON", sys.executable)
    return folder


def digits_network() -> Network:
    return read_network(resolve_model("digits"))


# --- what the accelerator takes ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("kws", r"CONV_2D \(index 0\).*kernel 10x4: only 1x1 and 3x3"),
        ("vww", r"CONV_2D \(index 0\).*stride_h is 2: only 1"),
        ("ic", r"CONV_2D \(index 4\).*stride_h is 2: only 1"),
        ("ad", r"FULLY_CONNECTED \(index 9\).*640 biases: at most 512"),
    ],
)
def test_what_it_cannot_map_is_refused_with_the_reason(model: str, reason: str) -> None:
    with pytest.raises(UnsupportedOp, match=reason) as error:
        read_chain(load_tflite(resolve_model(model).path)[1])
    assert "--backend cpu" in error.value.hint


def test_pooling_goes_to_the_layer_after_it(digits: tuple[bytes, Graph]) -> None:
    chain = read_chain(digits[1])
    assert [layer.op_indices for layer in chain.layers] == [(0,), (1, 2), (3, 4)]
    assert [layer.pool is not None for layer in chain.layers] == [False, True, False]
    assert [layer.target_shape for layer in chain.layers] == [(16, 8, 8), (32, 4, 4), (10, 1, 1)]
    assert chain.rest == (5,)


@pytest.mark.parametrize(
    ("count", "passes", "processors"),
    [(1, 1, 1), (3, 1, 3), (64, 1, 64), (65, 2, 36), (96, 2, 48), (128, 2, 64), (640, 10, 64)],
)
def test_channels_on_processors(count: int, passes: int, processors: int) -> None:
    found = channels_of(count)
    assert (found.passes, found.processors) == (passes, processors)
    assert passes * processors >= count


# --- arithmetic ----------------------------------------------------------------------------------


def test_the_scheme_stays_close_to_the_network(digits: tuple[bytes, Graph]) -> None:
    graph = digits[1]
    quantized = quantize_chain(graph, read_chain(graph))
    cost = accuracy_cost(graph, quantized)
    assert cost.same_class_ratio >= 0.75
    assert 0 < cost.largest_error < cost.output_range / 10
    for step in quantized.layers:
        assert abs(step.weights).max() <= 128
        assert abs(step.bias).max() <= 128
        assert abs(step.output_shift) <= 15


def test_rounding_is_half_up_and_saturates(digits: tuple[bytes, Graph]) -> None:
    """One layer by hand: a 1x1 kernel on one pixel."""
    graph = digits[1]
    quantized = quantize_chain(graph, read_chain(graph))
    first = quantized.layers[0]
    data = np.zeros((1, 8, 8), dtype=np.int64)
    data[0, 4, 4] = 127
    whole = simulate(quantized, data)
    shift = 7 - first.output_shift
    total = 127 * first.weights[:, 0, 1, 1] + 128 * first.bias
    by_hand = np.clip(np.floor(total / 2**shift + 0.5), 0, 127)
    alone = type(quantized)(
        chain=replace(quantized.chain, layers=(first.layer,), outputs=(0,)),
        layers=(first,),
        input_exponent=quantized.input_exponent,
    )
    assert np.array_equal(simulate(alone, data)[:, 4, 4], by_hand)
    assert whole.shape == (10, 1, 1)


def test_the_sample_is_the_generated_input_in_its_numbers(digits: tuple[bytes, Graph]) -> None:
    graph = digits[1]
    quantized = quantize_chain(graph, read_chain(graph))
    sample = sample_input(graph, quantized, 1)
    assert sample.shape == (1, 8, 8)
    assert -128 <= sample.min() < sample.max() <= 127
    assert not np.array_equal(sample, sample_input(graph, quantized, 2))


# --- the tool ------------------------------------------------------------------------------------


def test_without_a_checkout_it_says_how_to_get_it(
    digits: tuple[bytes, Graph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AI8X_SYNTHESIS_DIR", raising=False)
    with pytest.raises(ToolMissing, match="AI8X_SYNTHESIS_DIR is not set") as error:
        load_backend("max7800x").compile(digits[1], digits[0], load_board(BOARD))
    assert "clone analogdevicesinc/ai8x-synthesis" in error.value.hint
    assert "--backend cpu" in error.value.hint


def test_without_a_checkout_it_also_says_whether_one_would_help(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AI8X_SYNTHESIS_DIR", raising=False)
    kws = read_network(resolve_model("kws"))
    with pytest.raises(ToolMissing) as error:
        load_backend("max7800x").compile(kws.graph, kws.data, load_board(BOARD))
    assert "would not take this network: operator CONV_2D (index 0)" in error.value.hint


def test_a_checkout_without_the_tool_is_named(
    digits: tuple[bytes, Graph], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI8X_SYNTHESIS_DIR", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"but there is no .*ai8xize\.py"):
        load_backend("max7800x").compile(digits[1], digits[0], load_board(BOARD))


def test_other_boards_are_refused(digits: tuple[bytes, Graph]) -> None:
    with pytest.raises(ConfigError, match="has no MAX78000 or MAX78002"):
        load_backend("max7800x").compile(digits[1], digits[0], load_board("nucleo-l4r5zi"))


def test_the_max78002_has_its_own_addresses(
    digits: tuple[bytes, Graph], checkout_dir: Path
) -> None:
    plan = load_backend("max7800x").compile(digits[1], digits[0], load_board("max78002evkit"))
    words = json.loads((checkout_dir / "seen.json").read_text())["arguments"]
    assert words[words.index("--device") + 1] == "MAX78002"
    config = plan.extra_files["include/nb_max7800x_config.h"]
    for name, value in (
        ("SEGMENTS", "{{0x51800000u, 0u}}"),
        ("CONTROL", "0x51000000u"),
        ("PLL", "1"),
    ):
        assert f"#define NB_MAX_{name} {value}" in config
    details = plan.npu["details"]
    assert isinstance(details, dict)
    assert details["own_model_equals_tool"] == 1
    assert details["npu_hz"] == 200_000_000
    assert "estimated_cycles" not in details  # ADI estimates the MAX78000 alone
    assert "formula_cycles" not in details


@pytest.mark.usefixtures("checkout_dir")
def test_the_max78002_pads_no_conv1d_of_several_passes(checkout_dir: Path) -> None:
    data = keyword_net()
    with pytest.raises(UnsupportedOp, match="MAX78002 pads no Conv1d of more than 64 channels"):
        load_backend("max7800x").compile(
            read_tflite(data, name="kws"), data, load_board("max78002evkit")
        )
    assert not (checkout_dir / "seen.json").exists()


def test_the_tool_gets_network_weights_biases_and_a_sample(
    digits: tuple[bytes, Graph], checkout_dir: Path
) -> None:
    load_backend("max7800x").compile(digits[1], digits[0], load_board(BOARD))
    seen = json.loads((checkout_dir / "seen.json").read_text())
    words = seen["arguments"]
    assert words[words.index("--device") + 1] == "MAX78000"
    assert [word for word in words if word.startswith("--")] == [
        "--test-dir", "--prefix", "--config-file", "--weight-input", "--bias-input",
        "--sample-input", "--device", "--timer", "--verbose", "--no-wfi", "--no-version-check",
        "--overwrite",
    ]  # fmt: skip
    assert seen["weights"] == [[16, 1, 3, 3], [32, 16, 3, 3], [10, 512, 1, 1]]
    assert seen["sample"] == [1, 8, 8]
    assert -128 <= seen["range"][0] <= seen["range"][1] <= 127
    assert seen["yaml"] == (
        "---\narch: test\ndataset: npubench\n\nlayers:\n"
        "  - processors: 0x0000000000000001\n    out_offset: 0x4000\n    operation: conv2d\n"
        "    data_format: HWC\n    kernel_size: 3x3\n    pad: 1\n    activate: ReLU\n"
        "    output_shift: -1\n"
        "  - processors: 0x000000000000ffff\n    out_offset: 0x0000\n    operation: conv2d\n"
        "    max_pool: 2\n    pool_stride: 2\n    kernel_size: 3x3\n    pad: 1\n"
        "    activate: ReLU\n    output_shift: -2\n"
        "  - processors: 0x00000000ffffffff\n    out_offset: 0x4000\n    operation: mlp\n"
        "    flatten: true\n    activate: None\n    output_width: 32\n"
    )


def test_dense_weights_are_flattened_channel_first(digits: tuple[bytes, Graph]) -> None:
    """TFLite flattens H, W, C; the accelerator C, H, W."""
    graph = digits[1]
    quantized = quantize_chain(graph, read_chain(graph))
    files = describe(quantized, sample_input(graph, quantized, 1), MAX78000)
    dense = quantized.layers[-1].weights
    assert dense.shape == (10, 32, 4, 4)
    stored = np.frombuffer(
        files["weights.npy"].removesuffix(END_OF_ARRAYS)[-10 * 512 * 8 :], dtype=np.int64
    )
    assert np.array_equal(stored.reshape(10, 512), dense.reshape(10, -1))


def test_network_and_artifact_are_two_things(
    digits: tuple[bytes, Graph], checkout_dir: Path
) -> None:
    data, graph = digits
    plan = load_backend("max7800x").compile(graph, data, load_board(BOARD))
    assert graph.sha256 == hashlib.sha256(data).hexdigest()
    assert plan.artifact_sha256 == hashlib.sha256(plan.artifact).hexdigest() != graph.sha256
    details = plan.npu["details"]
    assert isinstance(details, dict)
    assert details["estimated_cycles"] == details["formula_cycles"] == 2_105
    assert details["accuracy_samples"] == 100
    assert str(details["not_separable"]).startswith("infer and unload")
    assert plan.npu_load  # the input goes in within `load`
    assert details["own_model_equals_tool"] == 1
    assert plan.npu["macs_share"] == 1.0
    del checkout_dir


def test_the_accelerator_gets_the_network_without_its_dead_channels(checkout_dir: Path) -> None:
    network = digits_network()
    graph = network.graph
    convolution = graph.ops[0]
    tensors = list(graph.tensors)
    for position, dtype, dead in ((1, "<i1", 0), (2, "<i4", -(2**24))):
        tensor = graph.tensor(convolution.inputs[position])
        values = np.frombuffer(tensor.data or b"", dtype=dtype).reshape(tensor.shape).copy()
        values[[1, 5, 6, 11]] = dead
        tensors[tensor.index] = replace(tensor, data=values.tobytes())
    data = write_tflite(replace(graph, tensors=tuple(tensors)))
    network = read_bytes(network.resolved, data)
    plain = compile_network(network, load_board(BOARD), "max7800x")
    drop = compile_network(
        network, load_board(BOARD), "max7800x", settle("max7800x", (("dead-channels", "drop"),))
    )
    assert plain.executed_macs is None
    assert drop.executed_macs is not None
    assert drop.executed_macs < network.analysis.macs
    assert drop.plan.kept[0].channels == tuple(c for c in range(16) if c not in (1, 5, 6, 11))
    cycles = [case.plan.npu["details"]["formula_cycles"] for case in (plain, drop)]  # type: ignore[index]
    assert cycles[1] <= cycles[0]
    assert len(drop.plan.artifact) < len(plain.plan.artifact)
    del checkout_dir


def test_our_model_is_compared_with_the_tools_answer(
    digits: tuple[bytes, Graph], checkout_dir: Path
) -> None:
    data, graph = digits
    quantized = quantize_chain(graph, read_chain(graph))
    values = simulate(quantized, sample_input(graph, quantized, 1)).reshape(-1) + 1
    (checkout_dir / "answer.json").write_text(json.dumps(values.tolist()))
    plan = load_backend("max7800x").compile(graph, data, load_board(BOARD))
    assert plan.npu["details"]["own_model_equals_tool"] == 0  # type: ignore[index]
    assert len(output_bytes(graph, quantized, values)) == 10


def test_a_tool_that_fails_is_quoted(digits: tuple[bytes, Graph], checkout_dir: Path) -> None:
    (checkout_dir / "ai8xize.py").write_text("import sys; sys.exit('ERROR: Layer 0: no way')\n")
    with pytest.raises(ToolError, match=r"exit code 1: ERROR: Layer 0: no way"):
        load_backend("max7800x").compile(digits[1], digits[0], load_board(BOARD))


def test_a_tool_without_its_python_is_told_which_variable_names_it(
    digits: tuple[bytes, Graph], checkout_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not our own interpreter: that would end in a traceback about PyTorch."""
    board = load_board(BOARD)
    monkeypatch.delenv("AI8X_PYTHON")
    with pytest.raises(ToolMissing, match="no Python environment") as error:
        load_backend("max7800x").compile(digits[1], digits[0], board)
    assert "AI8X_PYTHON" in error.value.hint
    monkeypatch.setenv("AI8X_PYTHON", str(checkout_dir / "none" / "python"))
    with pytest.raises(ToolMissing, match="which is no program"):
        load_backend("max7800x").compile(digits[1], digits[0], board)
    monkeypatch.delenv("AI8X_PYTHON")
    (checkout_dir / ".venv" / "bin").mkdir(parents=True)
    (checkout_dir / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (checkout_dir / "ai8xize.py").write_text("import sys; sys.exit('found')\n")
    with pytest.raises(ToolError, match=r"^ai8xize\.py ended with exit code 1: found"):
        load_backend("max7800x").compile(digits[1], digits[0], board)


@pytest.mark.parametrize("name", ["max78000fthr", "max78000evkit", "max78002evkit"])
def test_the_boards_models_have_the_accelerator_and_others_refuse_before_the_build(
    checkout_dir: Path, name: str
) -> None:
    assert checkout_dir.is_dir()
    (job,) = resolve_jobs(["digits"], [name], ["max7800x"], place=Place.MODEL)
    compiled = compile_network(read_network(job.model), job.board, job.backend)
    require_engine(compiled, on_model=True)
    without = replace(compiled, board=load_board("nucleo-l4r5zi"))
    with pytest.raises(ConfigError, match="has no NPU") as error:
        require_engine(without, on_model=True)
    assert "--on-model" in error.value.hint
    assert "--backend cpu" in error.value.hint


def test_the_int8_network_is_what_the_scheme_is_held_against(
    digits: tuple[bytes, Graph],
) -> None:
    """Our integer model of the network equals LiteRT's int8 kernels within a step at the layers'
    end, also where values saturate."""
    pytest.importorskip("ai_edge_litert")
    from npubench.golden.surgery import Network as Cut
    from npubench.golden.walk import run_litert

    data, graph = digits
    chain = read_chain(graph)
    target = chain.layers[-1].target
    source = graph.tensor(graph.inputs[0])
    cut = Cut(data)
    stretch = list(range(max(chain.op_indices) + 1))
    network = cut.cut(stretch, inputs=[int(cut.graph.inputs[0])])
    for seed in (1, 2, 3):
        raw = np.frombuffer(seeded_bytes(seed, source.size_bytes), dtype=np.int8)
        (theirs,) = run_litert(network, [raw.reshape(source.shape)], 1)
        channels, high, wide = chain.layers[0].source_shape
        codes = raw.astype(np.int64).reshape(high, wide, channels).transpose(2, 0, 1)
        ours = int8_reference(graph, chain, codes).reshape(-1)
        assert graph.tensor(target).count == ours.size
        assert np.abs(ours - theirs.reshape(-1)).max() <= 1


def test_the_cost_is_told_of_samples_of_ones_own(digits: tuple[bytes, Graph]) -> None:
    graph = digits[1]
    quantized = quantize_chain(graph, read_chain(graph))
    samples = np.zeros((3, 8, 8, 1), dtype=np.int64)
    cost = accuracy_cost(graph, quantized, samples)
    assert (cost.samples, cost.same_class_ratio) == (3, 1.0)


@pytest.mark.parametrize("kind", ["codes", "floats", "many"])
def test_samples_of_ones_own_come_from_a_file(
    digits: tuple[bytes, Graph], tmp_path: Path, kind: str
) -> None:
    graph = digits[1]
    tensor = graph.tensor(graph.inputs[0])
    assert tensor.quantization is not None
    count = 700 if kind == "many" else 5
    codes = np.random.default_rng(1).integers(-128, 128, (count, 8, 8, 1)).astype(np.int8)
    real = (codes.astype(np.float32) - tensor.quantization.zero_point) * tensor.quantization.scale
    np.save(tmp_path / "s.npy", real.astype(">f4") if kind == "floats" else codes)
    found = read_samples(tmp_path / "s.npy", graph)
    if kind == "many":
        assert len(found) == 256
        assert np.array_equal(found[[0, -1]], codes[[0, -1]])
    else:
        assert np.array_equal(found, codes)


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((5, 1, 8, 8), np.int8), r"are \[5, 1, 8, 8\], the network takes \(samples, 8, 8"),
        (np.zeros((0, 8, 8, 1), np.int8), r"are \[0, 8, 8, 1\]"),
        (np.zeros((5, 8, 8, 1), np.uint8), "are uint8, the network takes int8"),
        (np.full((5, 8, 8, 1), np.nan, np.float32), "not finite"),
    ],
    ids=["nchw", "none", "uint8", "nan"],
)
def test_samples_that_are_none_are_refused(
    digits: tuple[bytes, Graph], tmp_path: Path, array: np.ndarray, why: str
) -> None:
    np.save(tmp_path / "s.npy", array)
    with pytest.raises(UsageError, match=why):
        read_samples(tmp_path / "s.npy", digits[1])


def test_samples_are_named_on_the_command_line(
    digits: tuple[bytes, Graph], checkout_dir: Path, tmp_path: Path
) -> None:
    del checkout_dir
    data, graph = digits
    np.save(tmp_path / "s.npy", np.zeros((3, 8, 8, 1), np.int8))
    (options,) = parse_settings([f"max7800x.samples={tmp_path / 's.npy'}"]).values()
    backend = configured_backend("max7800x", settle("max7800x", options))
    plan = backend.compile(graph, data, load_board("max78000fthr"))
    details = cast(dict[str, object], (plan.npu or {})["details"])
    assert details["accuracy_samples"] == 3
    assert details["accuracy_inputs"] == "the user's samples"
    with pytest.raises(UsageError, match="there is no file"):
        settle("max7800x", (("samples", str(tmp_path / "none.npy")),))


def test_a_tool_that_makes_nothing_is_seen(digits: tuple[bytes, Graph], checkout_dir: Path) -> None:
    (checkout_dir / "ai8xize.py").write_text("")
    with pytest.raises(ToolError, match=r"ai8xize made no log\.txt"):
        load_backend("max7800x").compile(digits[1], digits[0], load_board(BOARD))


def test_known_answers_as_adi_writes_them() -> None:
    """Blocks of address, mask, count and words (MSDK's mnist example, numbers of our own)."""
    header = (
        "// This file was @generated automatically\n\n#define SAMPLE_OUTPUT { \\\n"
        "  0x50401000, 0xffffffff, 0x00000002, 0xfffffffe, 0x00000003, 0x50409000, 0xffffffff, "
        "0x00000001, \\\n  0x00000007, 0x00000000 \\\n}\n"
    )
    assert parse_answer(header) == {0x50401000: 0xFFFFFFFE, 0x50401004: 3, 0x50409000: 7}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "#define SAMPLE_OUTPUT { 0x50400000, 0xffffffff, 4, 1, 2 }",
        "#define SAMPLE_OUTPUT { 0x50400000, 2, 1, 2, 0 }",  # without masks
    ],
)
def test_a_damaged_answer_is_refused(header: str) -> None:
    with pytest.raises(ToolError, match="cannot be read"):
        parse_answer(header)


def test_an_answer_about_other_addresses_is_refused(
    digits: tuple[bytes, Graph], checkout_dir: Path
) -> None:
    tool = checkout_dir / "ai8xize.py"
    tool.write_text(tool.read_text().replace("base=0x50400000", "base=0x50800000"))
    with pytest.raises(ToolError, match="says nothing of 10 of 10 outputs: none at 0x50404000"):
        load_backend("max7800x").compile(digits[1], digits[0], load_board(BOARD))


def test_a_checkout_that_lints_is_told_not_to(
    digits: tuple[bytes, Graph], checkout_dir: Path
) -> None:
    """The option is young: only a checkout that knows it gets it."""
    (checkout_dir / "izer").mkdir()
    (checkout_dir / "izer/commandline.py").write_text("group.add_argument('--yamllint', ...)\n")
    load_backend("max7800x").compile(digits[1], digits[0], load_board(BOARD))
    words = json.loads((checkout_dir / "seen.json").read_text())["arguments"]
    assert words[-2:] == ["--yamllint", "none"]


def test_arrays_end_with_a_value_error_for_every_numpy(digits: tuple[bytes, Graph]) -> None:
    """The tool reads weights until numpy raises ValueError; at a plain end it is EOFError."""
    quantized = quantize_chain(digits[1], read_chain(digits[1]))
    files = describe(quantized, sample_input(digits[1], quantized, 1), MAX78000)
    for name in ("weights.npy", "bias.npy"):
        stream = io.BytesIO(files[name])
        for _ in quantized.layers:
            np.load(stream)
        with pytest.raises(ValueError, match="allow_pickle"):
            np.load(stream)


# --- ADI's own networks --------------------------------------------------------------------------

# Of each layer of ADI's YAML (ai8x-synthesis, networks/): operation, kernel, pad, pooling, active
# processors, activation. Their places and offsets are the YAML author's choice.
ADI_LAYERS = {
    "mnist": [
        ("conv2d", "3x3", 1, None, 1, "ReLU"),
        ("conv2d", "3x3", 2, ("max", 2, 2), 60, "ReLU"),
        ("conv2d", "3x3", 1, ("max", 2, 2), 60, "ReLU"),
        ("conv2d", "3x3", 1, ("avg", 2, 2), 56, "ReLU"),
        ("mlp", None, None, None, 12, "None"),
    ],
    "cifar-10": [
        ("conv2d", "3x3", 1, None, 3, "ReLU"),
        ("conv2d", "3x3", 1, ("max", 2, 2), 60, "ReLU"),
        ("conv2d", "3x3", 1, ("max", 2, 2), 60, "ReLU"),
        ("conv2d", "3x3", 1, ("avg", 2, 2), 56, "ReLU"),
        ("mlp", None, None, None, 12, "None"),
    ],
    "kws20_v3": [
        ("conv1d", "1", 0, None, 64, "ReLU"),
        ("conv1d", "3", 0, None, 52, "ReLU"),
        ("conv1d", "3", 1, ("max", 2, 2), 48, "ReLU"),
        ("conv1d", "3", 0, None, 64, "ReLU"),
        ("conv1d", "3", 1, ("max", 2, 2), 48, "ReLU"),
        ("conv1d", "3", 0, None, 64, "ReLU"),
        ("conv1d", "3", 1, ("avg", 2, 2), 48, "ReLU"),
        ("conv1d", "6", 1, ("max", 2, 2), 52, "ReLU"),
        ("mlp", None, None, None, 64, "None"),
    ],
}
ADI_NETWORKS = {
    "mnist": lambda: image_net(28, 1),
    "cifar-10": lambda: image_net(32, 3),
    "kws20_v3": keyword_net,
}


def yaml_layers(text: str) -> list[dict[str, str]]:
    layers: list[dict[str, str]] = []
    for line in text.partition("layers:\n")[2].splitlines():
        if line.startswith("  - "):
            layers.append({})
        key, _, value = line.strip().removeprefix("- ").partition(": ")
        layers[-1][key] = value
    return layers


@pytest.mark.parametrize(
    ("name", "cycles"), [("mnist", 70_157), ("cifar-10", 85_265), ("kws20_v3", 71_782)]
)
def test_adis_networks_have_adis_layers_and_cycles(
    name: str, cycles: int, checkout_dir: Path
) -> None:
    """Written as a converter writes them, they become the layers of ADI's own YAML, and ADI's
    published latency model gives the cycles that its tool printed for its own files."""
    data = ADI_NETWORKS[name]()
    graph = read_tflite(data, name=name)
    plan = load_backend("max7800x").compile(graph, data, load_board(BOARD))
    seen = json.loads((checkout_dir / "seen.json").read_text())
    found = []
    for layer in yaml_layers(seen["yaml"]):
        pool = next((kind for kind in ("max", "avg") if f"{kind}_pool" in layer), None)
        found.append((
            layer["operation"],
            layer.get("kernel_size"),
            int(layer["pad"]) if "pad" in layer else None,
            (pool, int(layer[f"{pool}_pool"]), int(layer["pool_stride"])) if pool else None,
            bin(int(layer["processors"], 16)).count("1"),
            layer["activate"],
        ))  # fmt: skip
    assert found == ADI_LAYERS[name]
    assert yaml_layers(seen["yaml"])[-1]["flatten"] == "true"
    details = plan.npu["details"]
    assert isinstance(details, dict)
    assert details["estimated_cycles"] == details["formula_cycles"] == cycles
    assert details["own_model_equals_tool"] == 1
    assert details["estimate_is_rough"] == 0
    layers = [int(count) for count in str(details["estimated_layer_cycles"]).split()]
    assert len(layers) == len(found)
    assert 1 + sum(layers) == cycles


def test_an_estimate_that_the_tool_calls_rough_is_marked(
    digits: tuple[bytes, Graph], checkout_dir: Path
) -> None:
    """Streaming layers, as the tool prints them."""
    tool = checkout_dir / "ai8xize.py"
    text = tool.read_text().replace('{count:18,}"', '{count:18,} (est)"')
    tool.write_text(text.replace('cycles", "", "SUMMARY', 'cycles (est)", "", "SUMMARY'))
    plan = load_backend("max7800x").compile(digits[1], digits[0], load_board(BOARD))
    details = plan.npu["details"]
    assert isinstance(details, dict)
    assert details["estimate_is_rough"] == 1
    assert details["estimated_cycles"] == 2_105
    assert details["estimated_layer_cycles"] == "1260 652 192"


def net(*shape: int) -> Builder:
    return Builder(*shape)


@pytest.mark.parametrize(
    ("built", "operations"),
    [
        pytest.param(
            net(1, 8, 8, 4).conv(8, (3, 3)).pool("MAX", (2, 2), (2, 2)).reshape(1, 128).dense(5),
            ["conv2d", "passthrough", "mlp"],
            id="pooling-before-a-flattening-is-a-layer",
        ),
        pytest.param(
            net(1, 9, 9, 3).conv(6, (3, 3), padding=VALID).pool("AVERAGE", (7, 7), (7, 7)),
            ["conv2d", "passthrough"],
            id="pooling-at-the-end",
        ),
        pytest.param(
            net(1, 9, 9, 3)
            .pool("MAX", (3, 3), (2, 2))
            .conv(100, (3, 3))
            .pool("AVERAGE", (4, 4), (1, 1))
            .reshape(1, 100)
            .dense(70),
            ["conv2d", "mlp"],
            id="overlapping-pooling-and-many-channels",
        ),
        pytest.param(
            net(1, 1, 1, 70).conv(70, (1, 1)),
            ["conv2d"],
            id="one-layer-of-bytes-on-two-passes",
        ),
        pytest.param(net(1, 20).dense(3), ["mlp"], id="one-dense-layer"),
        pytest.param(
            net(1, 16, 5)
            .reshape(1, 16, 1, 5)
            .conv(4, (3, 1))
            .reshape(1, 4, 4, 4)
            .conv(6, (3, 3), bias=True)
            .reshape(1, 96)
            .dense(2),
            ["conv1d", "conv2d", "mlp"],
            id="a-line-becomes-an-image",
        ),
        pytest.param(
            net(1, 70, 70, 1)
            .pool("MAX", (2, 2), (2, 2))
            .conv(4, (3, 3))
            .pool("MAX", (16, 16), (16, 16))
            .pool("MAX", (2, 2), (1, 1))
            .reshape(1, 4)
            .dense(2),
            ["conv2d", "passthrough", "mlp"],
            id="an-input-of-more-than-half-the-memory",
        ),
    ],
)
def test_what_is_described_the_tool_takes(
    built: Builder, operations: list[str], checkout_dir: Path
) -> None:
    """The stand-in refuses what the tool refuses, and works the answer out on its own."""
    data = built.written()
    graph = read_tflite(data, name="net")
    plan = load_backend("max7800x").compile(graph, data, load_board(BOARD))
    seen = json.loads((checkout_dir / "seen.json").read_text())
    assert [layer["operation"] for layer in yaml_layers(seen["yaml"])] == operations
    details = plan.npu["details"]
    assert isinstance(details, dict)
    assert details["own_model_equals_tool"] == 1
    assert details["estimated_cycles"] == details["formula_cycles"]


@pytest.mark.parametrize(
    ("built", "reason"),
    [
        (net(1, 8, 8, 1).pad((1, 0), (1, 0)).conv(4, (3, 3)), "same on every side"),
        (net(1, 8, 8, 1).pad((2, 2), (2, 2)).conv(4, (3, 3)), "padding of 3: at most 2"),
        (net(1, 8, 8, 1).pad((1, 1), (1, 1)).conv(4, (1, 1)), "less than the kernel"),
        (net(1, 1, 16, 1).conv(4, (1, 6)), "SAME padding of a kernel 6x1 has one side only"),
        (net(1, 1, 16, 1).conv(4, (1, 10), padding=VALID), "kernel of 10 on a line: at most 9"),
        (net(1, 8, 8, 1).pad((1, 1), (1, 1)).pool("MAX", (2, 2), (2, 2)), "padding before pooling"),
        (net(1, 8, 8, 1).pool("MAX", (2, 2), (2, 1)), r"steps of 2x1: they must be equal"),
        (net(1, 40, 40, 1).pool("MAX", (20, 20), (4, 4)), "pooling of 20, stride 4: at most 16"),
        (net(1, 8, 8, 1).conv(4, (3, 3)).reshape(1, 8, 4, 8).conv(4, (3, 3)), "a reshape to"),
        (net(1, 4, 4, 100).pool("MAX", (2, 2), (2, 2)).reshape(1, 400).dense(2), "100 channels to"),
        (net(1, 2, 2, 66).reshape(1, 264).dense(2), "do not fill 2 passes"),
        (net(1, 100, 100, 1).pool("MAX", (16, 16), (16, 16)).reshape(1, 36).dense(2), "streaming"),
    ],
)
def test_what_the_tool_would_refuse_is_refused_before(
    built: Builder, reason: str, checkout_dir: Path
) -> None:
    graph = read_tflite(built.written(), name="net")
    with pytest.raises(UnsupportedOp, match=reason):
        load_backend("max7800x").compile(graph, b"", load_board(BOARD))
    assert not (checkout_dir / "seen.json").exists()


@needs_arm
@pytest.mark.parametrize("board", [BOARD, "max78002evkit"])
def test_the_generated_c_becomes_an_image(
    checkout_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str
) -> None:
    """ADI's C builds in our project without ADI's library, and the harness calls it."""
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NPUBENCH_WERROR", "1")
    (job,) = resolve_jobs(["digits"], [board], ["max7800x"])
    compiled = compile_network(digits_network(), job.board, job.backend)
    assert "src/npu/max7800x/cnn.c" in compiled.project.files
    firmware = build_firmware(compiled.project, job.board, reporter=Silent(), job="test")
    symbols = firmware.map.read_text()
    assert "cnn_load_weights" in symbols
    assert "nb_npu_run" in symbols
    del checkout_dir


def test_the_known_answer_is_the_golden_one(checkout_dir: Path) -> None:
    (job,) = resolve_jobs(["digits"], [BOARD], ["max7800x"])
    network = digits_network()
    known = compile_network(network, job.board, job.backend).plan.known_answer
    assert known is not None

    def answer(seed: int) -> tuple[object, str | None]:
        return reference_answer(
            network, None, Settings(seed=seed), job=job, reporter=Silent(), known=known
        )

    assert answer(2) == (None, "the vendor's known answer is for the input from seed 1 alone")
    golden, reason = answer(1)
    assert reason is None
    assert isinstance(golden, Golden)
    assert (golden.reference, golden.output_bytes) == ("vendor", known.output)
    assert golden.version.startswith("ai8x-synthesis ")
    assert golden.input_crc == zlib.crc32(seeded_bytes(1, 64))
    scores = [(byte ^ 0x80) - 0x80 + 128 for byte in known.output]
    assert 250 <= sum(scores) <= 262  # a softmax in steps of 1/256
    assert os.environ["AI8X_SYNTHESIS_DIR"] == str(checkout_dir)


SOFTMAXES = sorted((Path(__file__).resolve().parents[2] / "data/ops").glob("softmax_*.tflite"))


@pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is Linux x86-64 only"
)
def test_the_closing_softmax_is_tflms() -> None:
    assert SOFTMAXES
    for path in SOFTMAXES:
        data, graph = load_tflite(path)
        given = seeded_bytes(3, graph.tensor(graph.inputs[0]).size_bytes)
        golden = golden_outputs(data, given)
        assert closed(graph, (0,), given) == golden.output_bytes, path.name
