"""The real esp-ppq, from the network to the emitted project: what is built is what its executor
answered for, and the build tells where operators run as the executor's run does."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from npubench.bench.artifact import SEED
from npubench.bench.evaluate import kernels_of
from npubench.bench.forms import forms_of
from npubench.bench.job import Job, Settings, resolve_jobs
from npubench.bench.prepare import compile_job
from npubench.bench.simulate import simulate_job
from npubench.compiler.backends.esp_dl.espdl_file import read_ends
from npubench.compiler.backends.esp_dl.image import codes
from npubench.compiler.compiled import read_network
from npubench.core.errors import ToolMissing
from npubench.core.progress import Silent
from npubench.core.seeded import seeded_bytes
from npubench.target import Place
from npubench.toolenv import environment
from npubench.zoo import resolve_model

MODEL = "digits"


def a_job(place: Place | None) -> Job:
    (job,) = resolve_jobs([MODEL], ["esp32-s3-devkitc"], ["esp-dl"], place=place)
    return job


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_from_the_network_to_the_project_with_the_real_tool(tmp_path: Path) -> None:
    try:
        environment.environment("esp-ppq")
    except ToolMissing as missing:
        pytest.skip(f"{missing.message}; {missing.hint}")
    network = read_network(resolve_model(MODEL))
    graph = network.graph
    compiled = compile_job(a_job(None), network)
    plan, files = compiled.plan, compiled.project.files

    # The project holds the file, and the driver knows it by its own names and shapes.
    assert files["src/model/nb_weights.bin"][: len(plan.artifact)] == plan.artifact
    ends = read_ends(plan.artifact)
    config = files["include/nb_esp_dl_config.h"].decode()
    for end, index in zip(
        (*ends.inputs, *ends.outputs), (*graph.inputs, *graph.outputs), strict=True
    ):
        assert end.shape == graph.tensor(index).shape
        assert f'"{end.name}"' in config
    assert graph.ops[-1].kind == "SOFTMAX"
    assert ends.outputs[0].dtype == "float32"
    assert ends.inputs[0].dtype in ("int8", "int16")

    # The known answer is that of the very file, compiled again, for the input from the seed.
    forms = forms_of(a_job(None), network)
    setting = str(plan.npu["details"]["setting"]).split(" ")[0]  # type: ignore[index]
    shape = graph.tensor(graph.inputs[0]).shape
    data = seeded_bytes(SEED, int(np.prod(shape)))
    given = (np.frombuffer(data, np.int8).reshape(1, *shape[1:]),)
    again = forms.simulator.simulate(forms.asked(given, setting=setting))
    assert again.artifact == ("network.espdl", plan.artifact)
    answer = codes(graph.tensor(graph.outputs[0]), again.outputs[0][0])
    assert plan.known_answer is not None
    assert plan.known_answer.output == answer.tobytes()
    assert len(set(answer.tolist())) > 1

    # Build and run tell the same of operators, shares and reasons.
    stored = simulate_job(
        a_job(Place.SIMULATOR),
        network,
        Settings(),
        runs_dir=tmp_path,
        reporter=Silent(),
        cancelled=threading.Event(),
    )
    assert stored.record.status == "ok", stored.record.error
    assert stored.record.npu is not None
    told = stored.record.npu.model_dump(mode="json", exclude_none=True)
    assert plan.npu == told
    assert told["macs_share"] == 1.0
    engines = {layer.index: layer.engine for layer in stored.record.layers}
    assert {op: who for op, (who, _) in kernels_of(compiled).items()} == engines
