"""The zoo: entries are read strictly, files are what their entries say, MODEL arguments resolve."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npubench import zoo
from npubench.compiler.analyze import analyze
from npubench.compiler.graph import Graph
from npubench.compiler.tflite.reader import load_tflite
from npubench.core.errors import ConfigError, UsageError
from npubench.core.seeded import seeded_bytes
from npubench.zoo import load_zoo, model_id_of, read_zoo, resolve_model, zoo_ids

REFERENCE = {
    "kws": "kws_ref_model.tflite",
    "vww": "vww_96_int8.tflite",
    "ic": "pretrainedResnet_quant.tflite",
    "ad": "ad01_int8.tflite",
}
# MACs, operators, input scale and zero point of MLPerf Tiny's int8 reference files.
PUBLISHED = {
    "kws": (2_656_768, 13, 0.5847029, 83),
    "vww": (7_489_664, 31, 1 / 255, -128),
    "ic": (12_501_632, 16, 1.0, -128),
    "ad": (264_192, 10, 0.3910152, 89),
}
ENTRY = """
schema = 1
id = "toy"
name = "Toy"
task = "none"
family = "none"
source = "own"
license = "Apache-2.0"
file = "toy.tflite"
sha256 = "{sha256}"
weights = "seeded"
input = "bytes"
"""


COMMITTED = tuple(name for name in zoo_ids() if load_zoo(name).committed)
MADE = tuple(name for name in zoo_ids() if not load_zoo(name).committed)


def graph_of(name: str) -> Graph:
    return load_tflite(resolve_model(name).path)[1]


def structure(graph: Graph) -> list[object]:
    """Operators with options, shapes, types and number of scales; no names, no numbers."""
    return [
        (
            op.kind,
            sorted(op.options.items()),
            [
                (
                    graph.tensor(index).shape,
                    graph.tensor(index).dtype,
                    len(quantization.scales)
                    if (quantization := graph.tensor(index).quantization) is not None
                    else 0,
                )
                for index in (*op.inputs, *op.outputs)
                if index >= 0
            ],
        )
        for op in graph.ops
    ]


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A zoo of one model with a file of four bytes; returns the model's folder."""
    folder = tmp_path / "models" / "toy"
    folder.mkdir(parents=True)
    (folder / "toy.tflite").write_bytes(b"toys")
    sha256 = hashlib.sha256(b"toys").hexdigest()
    (folder / "model.toml").write_text(ENTRY.format(sha256=sha256))
    monkeypatch.setattr(zoo, "data_root", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    zoo_ids.cache_clear()
    yield folder
    zoo_ids.cache_clear()


def test_the_zoo_has_the_networks_of_mlperf_tiny_and_digits() -> None:
    assert set(zoo_ids()) >= {"kws", "vww", "ic", "ad", "digits"}


@pytest.mark.parametrize("name", COMMITTED)
def test_every_committed_file_is_the_one_of_its_entry(name: str) -> None:
    entry = load_zoo(name)
    resolved = resolve_model(name)
    assert hashlib.sha256(resolved.path.read_bytes()).hexdigest() == entry.sha256
    assert resolved.entry == entry
    assert (resolved.path.parent / entry.script).is_file()


@pytest.mark.parametrize("name", COMMITTED)
def test_labels_match_the_output(name: str) -> None:
    entry, graph = load_zoo(name), graph_of(name)
    assert len(entry.labels) in (0, graph.tensor(graph.outputs[0]).count)
    assert (entry.accuracy is not None) == (entry.weights == "trained")


@pytest.mark.parametrize("name", PUBLISHED)
def test_costs_are_those_of_the_published_networks(name: str) -> None:
    graph = graph_of(name)
    macs, ops, scale, zero_point = PUBLISHED[name]
    quantization = graph.tensor(graph.inputs[0]).quantization
    assert quantization is not None
    assert (analyze(graph).macs, len(graph.ops)) == (macs, ops)
    assert quantization.scale == pytest.approx(scale, rel=1e-6)
    assert quantization.zero_point == zero_point


@pytest.mark.parametrize("name", REFERENCE)
def test_every_layer_equals_the_reference_file(name: str, shared_models: Path) -> None:
    reference = load_tflite(shared_models / REFERENCE[name])[1]
    assert structure(graph_of(name)) == structure(reference)


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_on_demand_says_so_and_is_not_kept_in_the_zoo(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path))
    entry, folder = load_zoo(name), zoo.zoo_folder(name)
    assert (folder / entry.script).is_file()
    assert not (folder / entry.file).exists()
    with pytest.raises(UsageError, match="made on demand") as caught:
        resolve_model(name)
    assert f"npubench models build {name}" in caught.value.hint


@pytest.mark.long
@pytest.mark.parametrize("name", MADE)
def test_what_is_made_on_demand_comes_out_as_its_entry_says(name: str) -> None:
    """Its costs are those of its model.toml; where it runs it gives TFLM's answer."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from npubench.bench.job import Settings, resolve_jobs
    from npubench.bench.matrix import run_matrix
    from npubench.compiler.compiled import read_network
    from npubench.compiler.coverage.network import missing
    from npubench.core.progress import Silent

    (job,) = resolve_jobs([name], ["native"])
    graph = read_network(job.model).graph
    entry = load_zoo(name)
    assert (analyze(graph).macs, analyze(graph).parameters) == (entry.macs, entry.parameters)
    lacking = missing(graph)
    if lacking:
        pytest.skip(f"no kernel yet for {', '.join(str(item) for item in lacking)}")
    with tempfile.TemporaryDirectory() as folder:
        (stored,) = run_matrix([job], Settings(), runs_dir=Path(folder), reporter=Silent()).stored
    assert stored.record.golden.status == "match", stored.record.error


@pytest.mark.parametrize("name", COMMITTED)
def test_activations_neither_vanish_nor_saturate(name: str) -> None:
    """A golden comparison of saturated tensors would prove little."""
    runtime = pytest.importorskip("tflite_micro", reason="needs the tflite-micro package").runtime
    data, graph = load_tflite(resolve_model(name).path)
    source = graph.tensor(graph.inputs[0])
    interpreter = runtime.Interpreter.from_bytes(
        data, intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors
    )
    answers = set()
    for seed in (1, 2):
        values = np.frombuffer(seeded_bytes(seed, source.count), dtype=np.int8)
        interpreter.set_input(values.reshape(source.shape), 0)
        interpreter.invoke()
        answers.add(np.asarray(interpreter.get_output(0)).tobytes())
        for op in graph.ops:
            if op.kind == "SOFTMAX":
                continue
            values = np.asarray(interpreter.GetTensor(op.outputs[0], 0)["tensor_data"])
            saturated = np.mean((values == 127) | (values == -128))
            where = f"operator {op.index} ({op.kind}) with seed {seed}"
            assert saturated < 0.75, where
            assert values.std() > 2.0, where
    assert len(answers) == 2


def test_digits_has_the_recorded_accuracy() -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="needs scikit-learn")
    pytest.importorskip("tflite_micro", reason="needs the tflite-micro package")
    from npubench.compiler.quantize.accuracy import int8_accuracy

    accuracy = load_zoo("digits").accuracy
    assert accuracy is not None
    digits = datasets.load_digits()
    images = (digits.images[::5, ..., np.newaxis] / 16.0).astype(np.float32)
    ratio = int8_accuracy(resolve_model("digits").path.read_bytes(), images, digits.target[::5])
    assert len(images) == accuracy.test_count
    assert ratio == pytest.approx(accuracy.int8_ratio, abs=5e-6)
    assert ratio > 0.95


def test_only_what_is_public_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(url: str, target: Path, *, sha256: str, size_bytes: int) -> bool:
        asked.append((url, target.name, size_bytes))
        return len(sha256) == 64

    monkeypatch.setattr(zoo, "download", fetch)
    with pytest.raises(UsageError, match="no trained form of digits") as caught:
        zoo.fetch_models(["kws", "digits"], tmp_path)
    assert asked == []
    assert caught.value.hint.endswith("ad, ic, ic02, kws, vww")
    (found,) = zoo.fetch_models(["kws"], tmp_path)
    assert found.fresh
    assert found.license
    assert asked[0][0].startswith("https://")
    assert asked[0][1:] == ("kws_ref_model.tflite", 53936)


@pytest.mark.usefixtures("toy")
def test_a_path_that_exists_wins_over_a_zoo_id() -> None:
    assert resolve_model("toy").entry is not None
    Path("toy").write_bytes(b"mine")
    resolved = resolve_model("toy")
    assert resolved.entry is None
    assert resolved.path.read_bytes() == b"mine"


def test_a_folder_of_a_zoo_ids_name_does_not_hide_the_zoo(toy: Path) -> None:
    Path("toy").mkdir()
    assert resolve_model("toy").path == toy / "toy.tflite"


@pytest.mark.parametrize(
    ("argument", "hint"),
    [("kwss", "kws"), ("digit", "digits"), ("nothing like it at all", "digits"), ("", "kws")],
)
def test_unknown_models_name_the_closest(argument: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_model(argument + "?" if argument == "" else argument)
    assert hint in caught.value.hint


def test_a_mistyped_path_names_the_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "person.tflite").write_bytes(b"x")
    with pytest.raises(UsageError) as caught:
        resolve_model(str(tmp_path / "persom.tflite"))
    assert "person.tflite" in caught.value.hint


@pytest.mark.parametrize("argument", ["a" * 5000, "nul\0byte", "x" * 300 + ".tflite"])
def test_names_that_no_file_system_takes_are_unknown_models(argument: str) -> None:
    with pytest.raises(UsageError, match="there is no model"):
        resolve_model(argument)


def test_a_folder_and_an_unreadable_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        resolve_model(str(tmp_path))
    path = tmp_path / "m.tflite"
    path.write_bytes(b"x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match="Permission denied"):
        resolve_model(str(path))


def test_a_changed_or_missing_zoo_file_is_refused(toy: Path) -> None:
    (toy / "toy.tflite").write_bytes(b"else")
    with pytest.raises(ConfigError, match="sha256"):
        resolve_model("toy")
    (toy / "toy.tflite").unlink()
    with pytest.raises(ConfigError, match=r"toy\.tflite cannot be read"):
        resolve_model("toy")


def test_all_mistakes_of_an_entry_are_told_at_once(toy: Path) -> None:
    path = toy / "model.toml"
    path.write_text(
        ENTRY.format(sha256="short").replace('weights = "seeded"', 'weights = "guessed"')
        + 'colour = "red"\n[mlperf]\nmodel = "kws01"\ninput = "int8"\nresult = "votes"\n'
    )
    with pytest.raises(ConfigError) as caught:
        read_zoo(path)
    for key in ("sha256:", "weights:", "colour:", "mlperf.result:", str(path)):
        assert key in caught.value.message


@pytest.mark.parametrize("text", ["schema = ", "\udcff", 'schema = 1\nid = "../x"'])
def test_broken_entries_are_configuration_errors(toy: Path, text: str) -> None:
    path = toy / "model.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError):
        read_zoo(path)


def test_an_entry_must_bear_its_folders_name(toy: Path) -> None:
    moved = toy.rename(toy.with_name("other"))
    with pytest.raises(ConfigError, match="folder is 'other'"):
        read_zoo(moved / "model.toml")


@settings(deadline=None)
@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_model_ids_are_safe_for_files_and_wire(stem: str) -> None:
    name = model_id_of(Path(f"{stem}.tflite"))
    assert 0 < len(name) <= zoo.MAX_ID_CHARS
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert name[0] not in "-_"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("kws_ref_model.tflite", "kws_ref_model"),
        ("My Net (v2).tflite", "my-net-v2"),
        ("..tflite", "model"),
        ("日本.tflite", "model"),
        ("a" * 99 + ".tflite", "a" * 40),
    ],
)
def test_model_ids_of_paths(file: str, name: str) -> None:
    assert model_id_of(Path("folder") / file) == name


@pytest.mark.parametrize("target", ["loop.tflite", "gone.tflite", "no/where.tflite"])
def test_a_link_that_leads_nowhere_is_told_as_that(tmp_path: Path, target: str) -> None:
    link = tmp_path / "loop.tflite"
    link.symlink_to(target)
    with pytest.raises(UsageError, match="is a link that leads nowhere"):
        resolve_model(str(link))
