"""A trained network brought by path takes the form of MLPerf Tiny's benchmark that it is, or says
which one it looks like (5.1)."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.compiler import benchmark
from npubench.compiler.compiled import Network, compile_network, read_network
from npubench.compiler.graph import DType, Graph, Quantization
from npubench.core.errors import UsageError
from npubench.zoo import BENCHMARKS, benchmark_named, load_zoo, resolve_model

ZOO = {"kws": "kws01", "vww": "vww01", "ic": "ic01", "ad": "ad01"}


def brought(model: str, folder: Path, name: str | None) -> Network:
    """A zoo network as if a user had trained it: by path, without its model.toml."""
    path = Path(shutil.copy(resolve_model(model).path, folder / "mine.tflite"))
    resolved = resolve_model(str(path))
    if name is not None:
        resolved = dataclasses.replace(resolved, benchmark=benchmark_named(name))
    return read_network(resolved)


def with_input(graph: Graph, **changes: object) -> Graph:
    """The network with another first input."""
    tensors = list(graph.tensors)
    tensors[graph.inputs[0]] = dataclasses.replace(tensors[graph.inputs[0]], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(graph, tensors=tuple(tensors))


def macros(network: Network) -> dict[str, str]:
    """nb_config.h without the network's name and what follows from it."""
    project = compile_network(network, load_board("qemu-m4"), "cpu").project
    (path,) = [path for path in project.files if path.endswith("nb_config.h")]
    text = project.files[path].decode()
    found = dict(re.findall(r"#define (NB_\w+) +(.*)", text))
    return {k: v for k, v in found.items() if k not in ("NB_MODEL_ID", "NB_CAPS_JSON")}


@pytest.mark.parametrize("model", ZOO)
def test_a_named_network_is_uploaded_as_the_zoo_s(model: str, tmp_path: Path) -> None:
    named = macros(brought(model, tmp_path, ZOO[model]))
    assert named == macros(read_network(resolve_model(model)))
    assert named["NB_MLPERF_MODEL"] == f'"{ZOO[model]}"'


@pytest.mark.parametrize("model", ZOO)
def test_the_zoo_and_the_table_of_benchmarks_agree(model: str) -> None:
    assert load_zoo(model).mlperf == BENCHMARKS[ZOO[model]]
    assert read_network(resolve_model(model)).findings == ()


@pytest.mark.parametrize("model", ZOO)
def test_a_network_of_a_known_shape_is_told_so(model: str, tmp_path: Path) -> None:
    (remark,) = brought(model, tmp_path, None).findings
    assert f"--mlperf {ZOO[model]} " in remark.text
    assert BENCHMARKS[ZOO[model]].input in remark.text
    assert brought(model, tmp_path, ZOO[model]).findings == ()


def test_other_networks_are_left_alone(tmp_path: Path) -> None:
    assert brought("digits", tmp_path, None).findings == ()


@pytest.mark.parametrize(
    ("model", "name", "words"),
    [
        ("ad", "ic01", "640 values and gives 640, 3072 and 10"),
        ("digits", "kws01", "490 and 12 are wanted"),
        ("vww", "ic02", "27648 values and gives 2"),
    ],
)
def test_a_network_of_another_shape_is_refused(
    model: str, name: str, words: str, tmp_path: Path
) -> None:
    network = brought(model, tmp_path, name)
    with pytest.raises(UsageError, match=words):
        compile_network(network, load_board("qemu-m4"), "cpu")
    assert network.findings == ()


def test_types_that_the_data_do_not_fit_are_refused(tmp_path: Path) -> None:
    graph = brought("ic", tmp_path, None).graph
    with pytest.raises(UsageError, match="float32, int8 or uint8 is wanted"):
        benchmark.check_fit("ic01", with_input(graph, dtype=DType.FLOAT32))
    unsigned = with_input(graph, dtype=DType.UINT8)
    benchmark.check_fit("ic01", unsigned)
    assert benchmark.raw_upload(BENCHMARKS["ic01"], unsigned)
    assert not benchmark.raw_upload(BENCHMARKS["ic01"], graph)


def test_data_that_mean_other_values_are_told(tmp_path: Path) -> None:
    """The data sets' bytes are quantized by the reference; another scale is silently wrong."""
    kws, ic = brought("kws", tmp_path, None).graph, brought("ic", tmp_path, None).graph
    other = Quantization(scales=(0.3,), zero_points=(83,), axis=0)
    (remark,) = benchmark.remarks(
        BENCHMARKS["kws01"], with_input(kws, quantization=other), named=True
    )
    assert "the scale 0.5847, the network's input has 0.3" in remark.text
    shifted = Quantization(scales=(1 / 255,), zero_points=(0,), axis=0)
    (remark,) = benchmark.remarks(
        BENCHMARKS["ic01"], with_input(ic, quantization=shifted), named=True
    )
    assert "zero point -128, the network's input has 0" in remark.text
    fine = Quantization(scales=(1 / 255,), zero_points=(-128,), axis=0)
    assert not benchmark.remarks(BENCHMARKS["ic01"], with_input(ic, quantization=fine), named=True)


@pytest.mark.parametrize(
    ("word", "hint"), [("kws1", "kws01"), ("IC01", "ic01|known"), ("resnet", "known: kws01")]
)
def test_an_unknown_benchmark_is_answered_with_the_closest(word: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        benchmark_named(word)
    assert re.search(hint, error.value.hint)


def test_the_streaming_test_is_refused_with_what_it_needs() -> None:
    with pytest.raises(UsageError, match="streaming") as error:
        benchmark_named("sww01")
    assert "start%" in error.value.hint
