"""Promise: a user's own engine is found, checked and taken whole, or the error says what it lacks.

The trees here are made by hand, as small as they can be; the real ones are the users'.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from npubench.boards import board_ids, load_board
from npubench.compiler.backends import configured_backend, settle
from npubench.compiler.backends._toolchain import require_toolchain
from npubench.compiler.backends.cmsis_nn import engine_tree
from npubench.compiler.backends.tflm.reserve import reserve_bytes
from npubench.compiler.backends.tflm.tree import TflmTree
from npubench.compiler.compiled import compile_network, read_bytes
from npubench.compiler.plan import EngineOp, KernelCall
from npubench.core.errors import (
    CompileError,
    ConfigError,
    ToolError,
    ToolMissing,
    UnsupportedOp,
    UsageError,
)
from npubench.zoo import resolve_model

MICRO = "tensorflow/lite/micro"
RESOLVER = """
TfLiteStatus AddConv2D(const TFLMRegistration& registration = Register_CONV_2D()) {
  return AddBuiltin(BuiltinOperator_CONV_2D, registration, ParseConv2D);
}
TfLiteStatus AddDepthwiseConv2D(const TFLMRegistration& r = Register_DEPTHWISE_CONV_2D()) {
  return AddBuiltin(BuiltinOperator_DEPTHWISE_CONV_2D, r, ParseDepthwiseConv2D);
}
TfLiteStatus AddAveragePool2D(const TFLMRegistration& r = Register_AVERAGE_POOL_2D()) {
  return AddBuiltin(BuiltinOperator_AVERAGE_POOL_2D, r, ParsePool);
}
TfLiteStatus AddReshape() {
  return AddBuiltin(BuiltinOperator_RESHAPE, Register_RESHAPE(), ParseReshape);
}
TfLiteStatus AddFullyConnected(const TFLMRegistration& r = Register_FULLY_CONNECTED()) {
  return AddBuiltin(BuiltinOperator_FULLY_CONNECTED, r, ParseFullyConnected);
}
TfLiteStatus AddSoftmax(const TFLMRegistration& r = Register_SOFTMAX()) {
  return AddBuiltin(BuiltinOperator_SOFTMAX, r, ParseSoftmax);
}
TfLiteStatus AddWindow() {
  return AddCustom("SignalWindow", tflite::tflm_signal::Register_WINDOW());
}
"""
KERNELS = ("conv", "depthwise_conv", "average_pool", "reshape", "fully_connected", "softmax")
NAMES = (
    "CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX",
)  # fmt: skip
MODEL = "kws"


@pytest.fixture
def tflm(tmp_path: Path) -> Path:
    """A tree of TensorFlow Lite Micro with a kernel for each operator of `kws`."""
    files = {
        f"{MICRO}/micro_mutable_op_resolver.h": RESOLVER,
        f"{MICRO}/micro_interpreter.cc": f'#include "{MICRO}/micro_interpreter.h"\n',
        f"{MICRO}/micro_interpreter.h": f'#include "{MICRO}/micro_allocator.h"\n',
        f"{MICRO}/micro_allocator.h": '#include "flatbuffers/flatbuffers.h"\n',
        f"{MICRO}/micro_allocator.cc": "// memory\n",
        f"{MICRO}/micro_interpreter_graph.h": "\n",
        f"{MICRO}/micro_unused.cc": "// nobody asks for it\n",
        f"{MICRO}/kernels/conv_common.cc": "// shared\n",
        f"{MICRO}/kernels/conv.h": "\n",
        "third_party/flatbuffers/include/flatbuffers/flatbuffers.h": "\n",
    }
    for name, kind in zip(KERNELS, NAMES, strict=True):
        files[f"{MICRO}/kernels/{name}.cc"] = (
            f'#include "{MICRO}/kernels/conv.h"\nTFLMRegistration Register_{kind}() {{\n}}\n'
        )
    root = tmp_path / "tree"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def cmsis(tmp_path: Path) -> Path:
    """A tree of CMSIS-NN: one function that calls another, and one that nobody calls."""
    root = tmp_path / "cmsis"
    (root / "Include").mkdir(parents=True)
    (root / "Source" / "Functions").mkdir(parents=True)
    header = "int arm_convolve_wrapper_s8(void);\nint arm_fully_connected_per_channel_s8(void);\n"
    (root / "Include" / "arm_nnfunctions.h").write_text(header, encoding="utf-8")
    sources = {
        "arm_convolve_wrapper_s8": "int arm_convolve_wrapper_s8(void)\n{\n arm_inner();\n}\n",
        "arm_inner": "int arm_inner(void)\n{\n return 0; /* arm_idle */\n}\n",
        "arm_idle": "int arm_idle(void)\n{\n return 0;\n}\n",
    }
    for name, text in sources.items():
        (root / "Source" / "Functions" / f"{name}.c").write_text(text, encoding="utf-8")
    return root


def test_a_tree_is_named_or_missed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NPUBENCH_TFLM", raising=False)
    with pytest.raises(ToolMissing, match="no tree of it is named") as caught:
        TflmTree("", None, arm=True)
    assert "--set tflm.path=DIR" in caught.value.hint
    with pytest.raises(ToolMissing, match="no such folder"):
        TflmTree(str(tmp_path / "nowhere"), None, arm=True)
    monkeypatch.setenv("NPUBENCH_TFLM", str(tmp_path))
    with pytest.raises(ToolError, match="it is none, or too old"):
        TflmTree("", None, arm=True)


def test_a_tree_without_its_third_parties_is_told(tflm: Path) -> None:
    (tflm / "third_party").rename(tflm / "third")
    with pytest.raises(ToolError, match=r"has no flatbuffers/.*: its Makefile has fetched nothing"):
        TflmTree(str(tflm), None, arm=True)


def test_a_checkout_has_its_third_parties_where_its_makefile_puts_them(tflm: Path) -> None:
    """Its own third_party holds build rules alone; with the downloads CMSIS-NN is at hand."""
    downloads = tflm / MICRO / "tools" / "make" / "downloads"
    downloads.parent.mkdir(parents=True)
    (tflm / "third_party").rename(downloads)
    for rules in ("flatbuffers", "ruy"):
        (tflm / "third_party" / rules).mkdir(parents=True)
        (tflm / "third_party" / rules / "BUILD").write_text("", encoding="utf-8")
    for folder in ("cmsis_nn/Source", "cmsis/CMSIS/Core/Include"):
        (downloads / folder).mkdir(parents=True)
    (tflm / MICRO / "kernels" / "cmsis_nn").mkdir()
    tree = TflmTree(str(tflm), None, arm=True)
    assert tree.kernels == "cmsis-nn"
    assert TflmTree(str(tflm), "reference", arm=True).kernels == "reference"
    taken = TflmTree(str(tflm), "reference", arm=True)
    files = taken.sources([taken.registration("CONV_2D", "", 0)]).files
    assert "third_party/flatbuffers/include/flatbuffers/flatbuffers.h" in files


def test_kernels_are_those_that_the_tree_has(tflm: Path) -> None:
    assert TflmTree(str(tflm), None, arm=True).kernels == "reference"
    with pytest.raises(ToolError, match="has no CMSIS-NN beside it"):
        TflmTree(str(tflm), "cmsis-nn", arm=True)
    with pytest.raises(ToolError, match="no Arm Cortex-M"):
        TflmTree(str(tflm), "cmsis-nn", arm=False)


def test_the_resolver_names_operators_and_custom_ones(tflm: Path) -> None:
    tree = TflmTree(str(tflm), None, arm=True)
    assert tree.registration("CONV_2D", "", 0).method == "AddConv2D"
    assert tree.registration("CUSTOM", "SignalWindow", 0).method == "AddWindow"
    with pytest.raises(UnsupportedOp, match="no kernel for it"):
        tree.registration("SVDF", "", 7)


def test_the_network_runs_as_it_is(tflm: Path) -> None:
    """The file itself is the constant, each operator has its file, what nobody asks for stays."""
    resolved = resolve_model(MODEL)
    network = read_bytes(resolved, resolved.path.read_bytes())
    compiled = compile_network(
        network, load_board("qemu-m4"), "tflm", settle("tflm", (("path", str(tflm)),))
    )
    plan = compiled.plan
    assert plan.interpreter is not None
    assert plan.interpreter.methods[0] == "AddConv2D"
    assert next(step.kernel for step in plan.steps if isinstance(step, EngineOp)) == "conv.cc"
    assert plan.constants[0].data.startswith(network.data)
    assert plan.arena.size_bytes >= reserve_bytes(network.graph)
    files = compiled.project.files
    assert f"src/engine/{MICRO}/micro_allocator.cc" in files
    assert f"src/engine/{MICRO}/micro_interpreter.cc" in files
    assert f"src/engine/{MICRO}/kernels/conv_common.cc" in files
    assert f"src/engine/{MICRO}/micro_unused.cc" not in files
    assert "src/model/nb_model.c" not in files
    assert b"resolver->AddConv2D()" in files["src/model/nb_model.cc"]
    assert list(compiled.project.sources) == ["TFLM with reference kernels"]


def test_a_kernel_of_another_set_is_told(tflm: Path) -> None:
    (tflm / MICRO / "kernels" / "conv.cc").write_text("// elsewhere\n", encoding="utf-8")
    tree = TflmTree(str(tflm), None, arm=True)
    with pytest.raises(ToolError, match="has no Register_CONV_2D for reference kernels"):
        tree.sources([tree.registration("CONV_2D", "", 0)])


def test_arena_is_a_number(tflm: Path) -> None:
    with pytest.raises(UsageError, match="no number of bytes"):
        settle("tflm", (("arena", "much"), ("path", str(tflm))))


def test_cmsis_nn_takes_what_its_calls_need(cmsis: Path) -> None:
    call = KernelCall(
        op_index=0,
        kernel="nb_cmsis_conv2d",
        source="conv_cmsis_nn.c",
        flavour="cmsis_nn",
        params_type="nb_cmsis_conv2d_params",
        params=(),
        args=(),
    )
    files = engine_tree(cmsis, [call]).files
    assert "cmsis_nn/Source/Functions/arm_inner.c" in files
    assert "cmsis_nn/Source/Functions/arm_idle.c" not in files


def test_an_old_cmsis_nn_is_told(cmsis: Path, tmp_path: Path) -> None:
    (cmsis / "Include" / "arm_nnfunctions.h").write_text("int arm_add(void);\n", encoding="utf-8")
    with pytest.raises(ToolError, match=r"arm_convolve_wrapper_s8: it is too old"):
        engine_tree(cmsis, [])
    with pytest.raises(ToolError, match="it is none"):
        engine_tree(tmp_path, [])


def test_cmsis_nn_serves_what_it_has_and_portable_kernels_the_rest(cmsis: Path) -> None:
    resolved = resolve_model(MODEL)
    network = read_bytes(resolved, resolved.path.read_bytes())
    backend = configured_backend("cmsis-nn", (("path", str(cmsis)),))
    plan = backend.compile(network.graph, network.data, load_board("qemu-m4"))
    kernels = {step.kernel for step in plan.steps if isinstance(step, KernelCall)}
    assert {"nb_cmsis_conv2d", "nb_cmsis_depthwise", "nb_cmsis_softmax"} <= kernels
    with pytest.raises(ConfigError, match="for Arm Cortex-M"):
        backend.compile(network.graph, network.data, load_board("native"))


def test_clang_is_for_arm_alone() -> None:
    resolved = resolve_model(MODEL)
    network = read_bytes(resolved, resolved.path.read_bytes())
    options = settle("cpu", (("toolchain", "clang"),))
    compiled = compile_network(network, load_board("qemu-m55"), "cpu", options)
    assert compiled.project.toolchain == "clang"
    assert b'"compiler": "clang"' in compiled.project.files["boards/qemu-m55.json"]
    with pytest.raises((UsageError, CompileError), match="Arm Cortex-M alone"):
        compile_network(network, load_board("native"), "cpu", options)


def test_the_level_reaches_kernels_and_engine(cmsis: Path, tflm: Path) -> None:
    """`level` changes the kernels' optimisation alone; the usual one leaves no trace."""
    resolved = resolve_model(MODEL)
    network = read_bytes(resolved, resolved.path.read_bytes())
    board = load_board("qemu-m4")
    for backend, options, scope in (
        ("cpu", (), None),
        ("cmsis-nn", (("path", str(cmsis)),), ""),
        ("tflm", (("path", str(tflm)),), f"{MICRO}/kernels"),
    ):
        usual = compile_network(network, board, backend, settle(backend, options)).project.files
        files = compile_network(
            network, board, backend, settle(backend, (*options, ("level", "O3")))
        ).project.files
        assert b"kernels_level" not in usual["boards/qemu-m4.json"]
        assert b'"kernels_level": "-O3"' in files["boards/qemu-m4.json"]
        if scope is not None:
            scopes = {
                one["start"]: one["level"] for one in json.loads(files["engine.json"])["scopes"]
            }
            assert scopes[scope] == "-O3"
            assert backend != "tflm" or scopes[""] == "-Os"


def test_a_framework_builds_at_its_own_level() -> None:
    board = next(load_board(name) for name in board_ids() if load_board(name).sdk is not None)
    with pytest.raises(UsageError, match="level=O3 is for boards that this project builds itself"):
        require_toolchain("gcc", board, "O3")
