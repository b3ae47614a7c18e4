"""Options of the backend, and networks that Vela's default core miscompiles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.compiler.backends.ethos_u import BACKEND, vela
from npubench.compiler.backends.ethos_u.check import BrokenStream, check_jobs
from npubench.compiler.backends.ethos_u.choice import Choice, choose
from npubench.compiler.backends.ethos_u.faults import known_faults, legacy_faults
from npubench.compiler.backends.ethos_u.options import parse_options, settings_of
from npubench.compiler.backends.ethos_u.output import read_vela
from npubench.compiler.findings import KNOWN_MISCOMPILATION, VELA_CORE_CHANGED
from npubench.compiler.graph import Graph
from npubench.compiler.tflite.reader import load_tflite
from npubench.core.errors import CompileError, NpubenchError, ToolError, UsageError
from npubench.core.tool import ToolResult
from support.npu_networks import Builder, Value, filled, random_network, schema
from support.npu_operator_verdict import MISCOMPILED, operator_verdict
from support.npu_operators import operator_network
from support.vela_in_process import CHECKOUT, Reference, compile_network, run_compiled

pytest.importorskip("ethosu.vela", reason="Vela is not installed")

BOARD = load_board("qemu-m55-u55")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this module's own: each network is compiled once."""
    monkeypatch.setenv("NPUBENCH_CACHE", str(cache))
    return cache


# --- options -------------------------------------------------------------------------------------


def test_options_reach_vela_and_the_record(tmp_path: Path) -> None:
    path = CHECKOUT / "models" / "kws" / "kws.tflite"
    data, graph = load_tflite(path)
    fast = BACKEND.compile(graph, data, BOARD)
    small = BACKEND.configured({"optimise": "size"}).compile(graph, data, BOARD)
    assert small.arena.size_bytes < fast.arena.size_bytes
    assert sum(e.cycles for e in small.estimates) > sum(e.cycles for e in fast.estimates)
    details = small.npu["details"]
    assert isinstance(details, dict)
    assert details["optimise"] == "Size"
    legacy = BACKEND.configured({"core": "legacy"}).compile(graph, data, BOARD)
    assert legacy.artifact != fast.artifact
    assert "legacy core" in str(legacy.npu["details"])
    ini = tmp_path / "mine.ini"
    ini.write_text((CHECKOUT / "boards/qemu-m55-u55/vela.ini").read_text().replace("32e6", "64e6"))
    mine = BACKEND.configured({"config": str(ini), "memory_mode": "Sram_Only"})
    plan = mine.compile(graph, data, BOARD)
    details = plan.npu["details"]
    assert isinstance(details, dict)
    assert (details["npu_hz"], details["memory_mode"]) == (64_000_000, "Sram_Only")


def test_an_arena_cache_is_a_limit_that_vela_plans_for() -> None:
    data, graph = load_tflite(CHECKOUT / "models" / "ic" / "ic.tflite")
    free = BACKEND.compile(graph, data, BOARD)
    held = BACKEND.configured({"arena_cache": "0x8000"}).compile(graph, data, BOARD)
    assert held.arena.size_bytes < free.arena.size_bytes


@pytest.mark.parametrize(
    ("board", "most"), [("grove-vision-ai-v2", 0x100000), ("imx93-evk", 393_216)]
)
def test_an_arena_cache_that_the_part_does_not_have_is_refused(board: str, most: int) -> None:
    part = load_board(board)
    settings_of(part, parse_options({"arena_cache": str(most)}))
    with pytest.raises(UsageError, match=f"more than {board} has") as error:
        settings_of(part, parse_options({"arena_cache": str(most + 1)}))
    assert f"at most {most}" in error.value.hint


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"optimize": "Size"}, "no option 'optimize'"),
        ({"optimise": "Speed"}, "not one of Performance, Size"),
        ({"arena_cache": "-1"}, "not a number of bytes"),
        ({"arena_cache": "many"}, "not a number of bytes"),
        ({"config": "/nowhere/vela.ini"}, "there is no file"),
        ({"core": "new"}, "not one of auto, default, legacy"),
        ({"memory_mode": ""}, "empty"),
    ],
)
def test_what_an_option_cannot_be_is_refused(values: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_options(values)


def test_a_section_that_is_not_there_is_named() -> None:
    data, graph = load_tflite(CHECKOUT / "models" / "digits" / "digits.tflite")
    with pytest.raises(NpubenchError, match="No_Such"):
        BACKEND.configured({"memory_mode": "No_Such"}).compile(graph, data, BOARD)


# --- what Vela says and writes -------------------------------------------------------------------


def test_an_error_that_vela_only_prints_fails_the_compile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path))
    ran = vela.run_tool

    def complaining(*args: object, **kwargs: object) -> ToolResult:
        result = ran(*args, **kwargs)  # type: ignore[arg-type]
        said = result.stdout + "\nError: Address out of bounds\n"
        return ToolResult(argv=result.argv, code=0, stdout=said, stderr=result.stderr)

    monkeypatch.setattr(vela, "run_tool", complaining)
    data, graph = load_tflite(CHECKOUT / "models" / "digits" / "digits.tflite")
    with pytest.raises(CompileError, match="Address out of bounds"):
        BACKEND.compile(graph, data, BOARD)


def test_a_stream_that_leaves_its_memory_is_refused_before_a_build() -> None:
    data, graph = load_tflite(CHECKOUT / "models" / "digits" / "digits.tflite")
    model = read_vela(BACKEND.compile(graph, data, BOARD).artifact, name="digits")
    check_jobs(model, "ethos-u55-128")
    cut = tuple(
        dataclasses.replace(tensor, shape=(16,), element_bytes=1, offset_bytes=0)
        if tensor.data is None
        else tensor
        for tensor in model.tensors
    )
    with pytest.raises(CompileError, match="what the NPU cannot run") as caught:
        check_jobs(dataclasses.replace(model, tensors=cut), "ethos-u55-128")
    assert "core=legacy" in caught.value.hint


# --- known miscompilations -----------------------------------------------------------------------


def sliced(begin: int, *, step: int) -> tuple[Builder, Value]:
    """A network whose first operator is a STRIDED_SLICE in both directions."""
    build = Builder(3)
    build.dtype = "int8"
    x = build.value((1, 9, 8, 6))
    build.net.graph.inputs.append(x.index)
    y = build.value((1, -(-(9 - begin) // step), -(-(8 - begin) // step), 6), like=x)
    limits = [[0, begin, begin, 0], [1, 9, 8, 6], [1, step, step, 1]]
    sources = [x.index, *(build.number(values) for values in limits)]
    build.op("STRIDED_SLICE", sources, y, schema.StridedSliceOptionsT())
    return build, y


def network(build: Builder, folder: Path) -> Path:
    build.net.graph.outputs = [v.index for v in build.values if v.index not in build.used]
    (folder / "in").mkdir(exist_ok=True)
    path = folder / "in" / "network.tflite"
    path.write_bytes(build.net.bytes())
    return path


def into_softmax(folder: Path) -> Path:
    build, y = sliced(0, step=2)
    build.softmax(y)
    return network(build, folder)


def into_transpose_conv(folder: Path) -> Path:
    build, y = sliced(1, step=1)
    build.transpose_conv(y)
    return network(build, folder)


def split_into_transpose_conv(folder: Path) -> Path:
    build = Builder(3)
    build.dtype = "int8"
    x = build.value((1, 5, 4, 6))
    build.net.graph.inputs.append(x.index)
    build.split(x)
    build.transpose_conv(build.values[-1])
    return network(build, folder)


def mirror_pad_then(reader: Callable[[Builder, Value], object], folder: Path) -> Path:
    build = Builder(3)
    build.dtype = "int8"
    x = build.value((1, 3, 6, 1))
    build.net.graph.inputs.append(x.index)
    y = build.value((1, 5, 8, 1), like=x)
    pads = build.number([[0, 0], [1, 1], [0, 2], [0, 0]])  # type: ignore[list-item]
    build.op("MIRROR_PAD", [x.index, pads], y, filled(schema.MirrorPadOptionsT(), mode=0))
    reader(build, y)
    return network(build, folder)


def mirror_pad_then_dense(folder: Path) -> Path:
    return mirror_pad_then(lambda build, y: build.dense(y), folder)


def chosen(graph: Graph, data: bytes) -> Choice | CompileError:
    try:
        return choose(graph, data, settings_of(BOARD), "auto")
    except CompileError as error:
        return error


CASES = [into_softmax, into_transpose_conv, split_into_transpose_conv, mirror_pad_then_dense]


@pytest.mark.parametrize("case", CASES, ids=[case.__name__ for case in CASES])
def test_the_default_core_really_miscompiles_what_is_listed(
    case: Callable[[Path], Path], tmp_path: Path
) -> None:
    """An entry of the list that Vela has mended fails here, and goes."""
    path = case(tmp_path)
    _, graph = load_tflite(path)
    assert known_faults(graph)
    reference = Reference(path)
    inputs = reference.inputs(len(graph.inputs), 0)
    compiled = compile_network(path, tmp_path)
    got = run_compiled(read_vela(compiled.read_bytes(), name="x"), "ethos-u55-128", inputs)
    assert got != reference.run(inputs, len(graph.outputs))


@pytest.mark.parametrize("case", CASES, ids=[case.__name__ for case in CASES])
def test_what_is_chosen_instead_is_right_or_refused_by_name(
    case: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = case(tmp_path)
    data, graph = load_tflite(path)
    choice = chosen(graph, data)
    if isinstance(choice, CompileError):
        assert "Vela would miscompile it" in choice.message
        assert "not compiled by Vela's legacy core" in choice.message
        assert "kept on the CPU" in choice.message
        return
    assert choice.findings
    model = read_vela(choice.result.model, name="x")
    reference = Reference(path)
    inputs = reference.inputs(len(graph.inputs), 0)
    got = run_compiled(model, "ethos-u55-128", inputs)
    if got is None:  # an operator is on the CPU: the boards' tests compare the whole
        assert choice.settings.ignored
        return
    assert got == reference.run(inputs, len(graph.outputs))


def test_one_case_goes_to_the_legacy_core_and_says_so(tmp_path: Path) -> None:
    path = into_softmax(tmp_path)
    data, graph = load_tflite(path)
    plan = BACKEND.compile(graph, data, BOARD)
    details = plan.npu["details"]
    assert isinstance(details, dict)
    assert "legacy core" in details["compiler"]
    (found,) = plan.findings
    assert found.finding is VELA_CORE_CHANGED
    assert "SOFTMAX (operator 1) reads a STRIDED_SLICE" in found.text


def test_a_network_without_such_patterns_stays_with_the_default_core() -> None:
    for name in ("kws", "vww", "ic", "ad"):
        _, graph = load_tflite(CHECKOUT / "models" / name / f"{name}.tflite")
        assert known_faults(graph) == ()


SINGLE = [
    ("REDUCE_MAX", "int8", 129), ("REDUCE_MIN", "int16", 26), ("DEPTHWISE_CONV_2D", "uint8", 3),
    ("EXP", "int8", 20), ("MUL", "int32", 11), ("SUM", "int32", 0),
]  # fmt: skip
SINGLE_LEGACY = [
    ("TRANSPOSE_CONV", "int8", 1), ("EXP", "int16", 2), ("FULLY_CONNECTED", "int16", 11),
    ("MIRROR_PAD", "int32", 0), ("TRANSPOSE", "int32", 1), ("SQUARED_DIFFERENCE", "int8", 36),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "dtype", "seed", "legacy"),
    [(*case, False) for case in SINGLE] + [(*case, True) for case in SINGLE_LEGACY],
    ids=["-".join(map(str, case)) for case in (*SINGLE, *SINGLE_LEGACY)],
)
def test_an_operator_that_is_listed_differs_from_every_reference(
    kind: str, dtype: str, seed: int, legacy: bool, tmp_path: Path
) -> None:
    word = operator_verdict(kind, dtype, seed, tmp_path, accelerator="ethos-u55-128", legacy=legacy)
    assert word == MISCOMPILED


@pytest.mark.parametrize(
    ("kind", "dtype", "seeds", "named"),
    [("REDUCE_MAX", "int8", range(120, 132), {124, 127, 129}),
     ("DEPTHWISE_CONV_2D", "uint8", range(8), {3}),
     ("EXP", "int8", range(16, 24), {20}),
     ("TRANSPOSE", "int8", range(8), set())],
    ids=["REDUCE_MAX", "DEPTHWISE_CONV_2D", "EXP", "TRANSPOSE"],
)  # fmt: skip
def test_only_the_forms_that_differ_are_named(
    kind: str, dtype: str, seeds: range, named: set[int], tmp_path: Path
) -> None:
    """The others of these seeds equal a reference (scripts/npu_operators.py --seeds)."""
    found = set()
    for seed in seeds:
        path = tmp_path / f"{seed}.tflite"
        path.write_bytes(operator_network(kind, dtype, seed))
        if known_faults(load_tflite(path)[1]):
            found.add(seed)
    assert found == named


def test_a_slight_difference_of_the_legacy_core_is_named_and_hinders_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "network.tflite"
    path.write_bytes(operator_network("FULLY_CONNECTED", "int16", 11))
    data, graph = load_tflite(path)
    assert choose(graph, data, settings_of(BOARD), "auto").findings == ()
    settings = dataclasses.replace(settings_of(BOARD), legacy=True)
    (found,) = choose(graph, data, settings, "legacy").findings
    assert found.finding is KNOWN_MISCOMPILATION
    assert "another multiplier for 1 of its 8 channels: one step off" in found.text


def test_where_the_default_core_crashes_the_legacy_core_compiles(tmp_path: Path) -> None:
    """An LSTM of one unit, which its report takes."""
    path = tmp_path / "network.tflite"
    path.write_bytes(operator_network("UNIDIRECTIONAL_SEQUENCE_LSTM", "int8", 5))
    data, graph = load_tflite(path)
    choice = choose(graph, data, settings_of(BOARD), "auto")
    assert choice.settings.legacy
    (found,) = choice.findings
    assert found.finding is VELA_CORE_CHANGED
    assert "default core's process crashed (signal 11)" in found.text
    with pytest.raises(ToolError, match="exit code -11"):
        choose(graph, data, settings_of(BOARD), "default")


LEGACY = [("PACK", "int8", 1), ("UNPACK", "int8", 5), ("MEAN", "int8", 5),
          ("TRANSPOSE_CONV", "int16", 0)]  # fmt: skip


@pytest.mark.parametrize(("kind", "dtype", "seed"), LEGACY, ids=[case[0] for case in LEGACY])
def test_the_legacy_core_really_miscompiles_what_is_listed(
    kind: str, dtype: str, seed: int, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "network.tflite"
    path.write_bytes(operator_network(kind, dtype, seed))
    data, graph = load_tflite(path)
    (fault,) = legacy_faults(graph)
    assert fault.text.startswith(kind)
    assert not known_faults(graph)
    reference = Reference(path)
    inputs = reference.inputs(len(graph.inputs), 0)
    compiled = compile_network(path, tmp_path, legacy=True)
    got = run_compiled(read_vela(compiled.read_bytes(), name="x"), "ethos-u55-128", inputs)
    assert got != reference.run(inputs, len(graph.outputs))
    settings = dataclasses.replace(settings_of(BOARD), legacy=True)
    (found,) = choose(graph, data, settings, "legacy").findings
    assert found.finding is KNOWN_MISCOMPILATION
    assert "Vela's legacy core is known to miscompile" in found.text


def test_unsigned_transposes_go_to_the_legacy_core_or_are_refused(tmp_path: Path) -> None:
    """The default core clamps them at 127."""
    outcomes = set()
    for seed in (0, 1):
        path = tmp_path / f"transpose_{seed}.tflite"
        path.write_bytes(operator_network("TRANSPOSE", "uint8", seed))
        data, graph = load_tflite(path)
        assert known_faults(graph)
        choice = chosen(graph, data)
        if isinstance(choice, CompileError):
            outcomes.add("clamped as if they were signed" in choice.message)
        else:
            outcomes.add(choice.settings.legacy)
    assert outcomes == {True}


def test_a_stream_that_breaks_a_rule_goes_to_the_legacy_core(tmp_path: Path) -> None:
    """Found among 500 random networks: a BLOCKDEP of the default core that is one too large."""
    seed, part = 1164, "ethos-u55-32"
    path = tmp_path / "network.tflite"
    path.write_bytes(random_network(seed)[0])
    data, graph = load_tflite(path)
    settings = dataclasses.replace(settings_of(BOARD), accelerator=part)
    with pytest.raises(BrokenStream, match="BLOCKDEP 2: its first blocks read"):
        choose(graph, data, settings, "default")
    choice = choose(graph, data, settings, "auto")
    assert choice.settings.legacy
    (found,) = choice.findings
    assert found.finding is VELA_CORE_CHANGED
    assert "BLOCKDEP 2" in found.text
    reference = Reference(path)
    inputs = reference.inputs(1, 0)
    model = read_vela(choice.result.model, name="x")
    assert run_compiled(model, part, inputs) == reference.run(inputs, len(graph.outputs))
