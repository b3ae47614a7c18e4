"""Promise: what a target answers to labelled samples is its own, held against TFLM one by one, kept
in the run, and derived again from the run's bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from npubench.bench.accuracy import target_record
from npubench.bench.job import Sampling, resolve_jobs
from npubench.bench.labelled import outputs_of, questions_of
from npubench.bench.record import Findings
from npubench.bench.run import judge_accuracy
from npubench.cli.main import run
from npubench.compiler.compiled import read_network
from npubench.compiler.importers.wishes import Preprocess
from npubench.core.errors import ConfigError, UsageError
from npubench.golden.many import many_answers
from npubench.runs.reader import list_runs
from support.needs import need_compiler


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A test set of the zoo's digits."""
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    pytest.importorskip("tflite_micro", reason="needs the tflite-micro package")
    found = datasets.load_digits()
    images = (found.images[..., np.newaxis] / 16.0).astype(np.float32)[::5]
    path = tmp_path / "digits.npz"
    np.savez(path, input=images, labels=found.target[::5])
    return path


def test_a_board_answers_and_its_run_proves_it(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_compiler("native")
    runs_dir = tmp_path / "runs"
    words = ["accuracy", "digits", "--data", str(digits), "--board", "native", "--samples", "40"]
    assert run([*words, "--runs-dir", str(runs_dir), "--json"]) == 0
    capsys.readouterr()
    (stored,) = list_runs(runs_dir).runs
    forms = {item.form: item for item in stored.record.accuracy}
    assert set(forms) == {"int8", "target"}
    target = forms["target"]
    assert (target.metric, target.samples, target.agreement_ratio) == ("top1", 40, 1.0)
    assert target.low is not None
    assert target.low < target.value > 0.9
    assert run(["verify", str(stored.path), "--json"]) == 0
    checks = {item["what"]: item for item in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["accuracy: top1"]["status"] == "ok"
    document = json.loads((stored.path / "run.json").read_text())
    document["accuracy"][-1]["value"] = 1.0
    (stored.path / "run.json").write_text(json.dumps(document))
    assert run(["verify", str(stored.path), "--json"]) != 0
    checks = {item["what"]: item for item in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["accuracy: top1: value"]["status"] == "differs"


def test_a_sample_that_is_answered_otherwise_fails_the_run(digits: Path) -> None:
    """Outputs of TFLM itself, but for one code of one sample."""
    (job,) = resolve_jobs(["digits"], ["native"])
    network = read_network(job.model)
    questions = questions_of(job, Sampling(data=digits, samples=20), network.graph)
    outputs = [np.array(values) for values in many_answers(network.data, questions.codes)]
    record, why = target_record(network, questions, outputs)
    assert (record.agreement_ratio, why) == (1.0, "")
    outputs[0].reshape(20, -1)[7, 3] ^= 1
    record, _ = target_record(network, questions, outputs)
    assert record.agreement_ratio == pytest.approx(0.95)

    class Half:
        """What is judged: the network, and a session's answers."""

        def __init__(self) -> None:
            self.network = network
            self.answers = outputs[0].reshape(20, -1).view(np.uint8)

    findings = Findings()
    findings.golden = findings.golden.model_copy(update={"reference": "tflm", "status": "match"})
    judge_accuracy(Half(), findings, Half(), questions)  # type: ignore[arg-type]
    assert findings.status == "failed"
    assert findings.error is not None
    assert findings.error.message == (
        "1 of 20 samples of digits.npz are answered otherwise than by TFLM"
    )
    raw = np.concatenate([questions.codes[0][:2].reshape(2, -1)[:, :10].view(np.uint8)])
    assert outputs_of(network.graph, raw)[0].shape == (2, 1, 10)


def test_codes_and_real_numbers_are_one_input(digits: Path, tmp_path: Path) -> None:
    """An int8 array for an int8 input holds codes; a float one real numbers."""
    (job,) = resolve_jobs(["digits"], ["native"])
    graph = read_network(job.model).graph
    real = questions_of(job, Sampling(data=digits, samples=5), graph)
    with np.load(digits) as file:
        labels = file["labels"]
    picked = np.linspace(0, len(labels) - 1, 5).astype(int)
    np.savez(tmp_path / "codes.npz", input=real.codes[0], labels=labels[picked])
    codes = questions_of(job, Sampling(data=tmp_path / "codes.npz", samples=5), graph)
    assert codes.raw(3) == real.raw(3)


def test_what_does_not_fit_is_refused_before_anything_is_built(
    digits: Path, tmp_path: Path
) -> None:
    (job,) = resolve_jobs(["digits"], ["native"])
    graph = read_network(job.model).graph
    with np.load(digits) as file:
        images, labels = file["input"], file["labels"]

    def ask(metric: str | None = None, **arrays: object) -> None:
        np.savez(tmp_path / "t.npz", **arrays)  # type: ignore[arg-type]
        questions_of(job, Sampling(data=tmp_path / "t.npz", metric=metric), graph)

    for words, arrays in (
        ("no array 'labels'", {"input": images}),
        ("labels are float64", {"input": images, "labels": labels / 2}),
        (
            "100 samples, but 360 labels|3 labels|samples, but",
            {"input": images[:99], "labels": labels},
        ),
        ("7 x 8", {"input": images[:, :7], "labels": labels}),
        ("NaN", {"input": images * np.nan, "labels": labels}),
        ("rows of|boxes are", {"input": images, "boxes": np.zeros((4, 5))}),
        ("within 0 and 1", {"input": images, "boxes": np.full((4, 6), 2.0)}),
        ("not there", {"input": images, "boxes": [[900, 0, 0.1, 0.1, 0.2, 0.2]]}),
        ("no area", {"input": images, "boxes": [[0, 0, 0.2, 0.1, 0.1, 0.2]]}),
    ):
        with pytest.raises(ConfigError, match=words):
            ask(**arrays)
    with pytest.raises(UsageError, match="no metric 'top5'"):
        ask("top5", input=images, labels=labels)
    with pytest.raises(UsageError, match="map does not suit"):
        ask("map", input=images, labels=labels)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ConfigError, match="no samples in folders of classes"):
        questions_of(job, Sampling(data=empty), graph)
    (empty / "eleven").mkdir()
    with pytest.raises(ConfigError, match="'eleven' is no class"):
        questions_of(job, Sampling(data=empty), graph)


def test_samples_are_made_of_files_as_the_import_said(tmp_path: Path) -> None:
    """A folder of images for each class; the file beside the model says how pixels are scaled."""
    from PIL import Image

    from npubench.compiler.importers.labelled import labelled_of
    from npubench.compiler.tflite.reader import read_tflite
    from npubench.zoo import Brought, ResolvedModel
    from support.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model

    tensors = tuple(
        TensorSpec(name=name, shape=(1, 2, 2, 3), scales=(1 / 64,)) for name in ("x", "y")
    )
    relu = OpSpec(kind="RELU", inputs=(0,), outputs=(1,))
    graph = read_tflite(
        write_model(ModelSpec(tensors=tensors, ops=(relu,), outputs=(1,))), name="relu"
    )
    for name, level in (("cat", 255), ("dog", 0)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (4, 4), (level, level, level)).save(
                tmp_path / "set" / name / f"{index}.png"
            )
    plain = ResolvedModel(id="relu", path=tmp_path, entry=None)
    tests = labelled_of(plain, tmp_path / "set", graph)
    assert tests.labels is not None
    assert tests.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert (tests.values[0].min(), tests.values[0].max()) == (0.0, 1.0)
    brought = Brought(
        source="relu.onnx", network_sha256="", float_path=tmp_path, steps=(),
        preprocess=Preprocess(mean=(0.5,), std=(0.5,)).model_dump_json(),
    )  # fmt: skip
    centred = labelled_of(replace(plain, brought=brought), tmp_path / "set", graph, samples=4)
    assert (centred.values[0].min(), centred.values[0].max()) == (-1.0, 1.0)
    assert centred.count == 4
    assert centred.total == 6
