"""Golden answers from one server are those of a process each; a crash ends no other's."""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench.compiler.synthetic import NetworkBuilder
from npubench.golden import ReferenceUnavailable, golden_outputs, tflm_version
from npubench.golden import tflm as tflm_module
from npubench.golden.served import current, serving

pytestmark = pytest.mark.skipif(tflm_version() is None, reason="tflite-micro is not installed")


def network(side: int) -> bytes:
    net = NetworkBuilder("n")
    return net.finish(net.conv(net.input((1, side, side, 2)), 4))


def test_one_server_answers_as_processes_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "a"))
    alone = [golden_outputs(network(side), 3, all_tensors=True) for side in (3, 4)]
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "b"))
    asked: list[str] = []
    usual = tflm_module.run_worker
    monkeypatch.setattr(
        tflm_module,
        "run_worker",
        lambda verb, *words: asked.append(verb) or usual(verb, *words),
    )
    with serving(tflm_module.WORKER):
        assert golden_outputs(network(3), 3, all_tensors=True) == alone[0]
        assert asked == []
        with pytest.raises(ReferenceUnavailable, match="does not run this network"):
            golden_outputs(b"\x00" * 64, 3)
        assert asked == ["tflm"], "a process of its own says why"
        assert golden_outputs(network(4), 3, all_tensors=True) == alone[1]
    assert current() is None
