"""Points: networks times targets, each with a key that says what its numbers depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from npubench.bench.job import Settings
from npubench.core.errors import UsageError
from npubench.core.progress import Silent
from npubench.farm import point as module
from npubench.sweep.limit import parse_budgets
from npubench.sweep.points import Point, points_of
from npubench.sweep.run import request_of
from npubench.sweep.source import FamilySource, FixedSource, source_of
from npubench.target import parse_settings
from npubench.zoo import resolve_model


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "cache"))


def points(
    model: str, *vary: str, boards: Sequence[str], options: Sequence[str] = ()
) -> list[Point]:
    request = request_of(model, vary, boards=boards, options=parse_settings(options))
    return list(points_of(request))


def test_networks_times_targets() -> None:
    found = points("convs", "input=4,6", "channels=2,3", boards=["qemu-m4", "qemu-m55"])
    assert len(found) == 8
    assert len({point.key for point in found}) == 8
    assert [str(point.job.target) for point in found[::4]] == ["qemu-m4:cpu", "qemu-m55:cpu"]
    assert dict(found[1].values) == {"input": 4, "channels": 3}
    sweep = dict(found[1].job.sweep)
    assert (sweep["model"], sweep["weights"]) == ("convs", "seeded")
    assert (sweep["vary.input"], sweep["vary.channels"], sweep["key"]) == (4, 3, found[1].key)


def test_options_of_a_target_are_varied_within_its_series() -> None:
    found = points(
        "kws", "ethos-u.arena_cache=16384,65536", boards=["qemu-m55-u55", "qemu-m4"],
        options=["ethos-u.optimise=Size"],
    )  # fmt: skip
    npu = [point for point in found if point.job.backend == "ethos-u"]
    assert {point.series for point in npu} == {"qemu-m55-u55:ethos-u[optimise=Size]"}
    assert [dict(point.job.options)["arena_cache"] for point in npu] == ["16384", "65536"]
    (cpu,) = [point for point in found if point.job.backend == "cpu"]
    assert cpu.values == {"ethos-u.arena_cache": "-"}


def test_the_engine_is_an_axis() -> None:
    found = points("kws", "backend=cpu,ethos-u", boards=["qemu-m55-u55"])
    assert [point.values["backend"] for point in found] == ["cpu", "ethos-u"]
    assert [point.job.backend for point in found] == ["cpu", "ethos-u"]


def test_a_key_is_of_network_target_settings_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = points("convs", "input=4", boards=["qemu-m4"])
    (same,) = points("convs", "input=4", boards=["qemu-m4"])
    assert one.key == same.key
    (other,) = points("convs", "input=4", boards=["qemu-m4"], options=["cpu.optimise=size"])
    assert other.key != one.key
    assert module.key_of_job(one.job, Settings(seed=2)) != one.key
    assert module.key_of_job(replace(one.job, sweep=()), Settings()) == one.key
    monkeypatch.setattr(module, "deciding_sha256", lambda _: "changed code")
    assert module.key_of_job(one.job, Settings()) != one.key


def test_wrong_words_are_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="no parameter 'depht'"):
        points("convs", "depht=1,2", boards=["qemu-m4"])
    with pytest.raises(UsageError, match="ad has no parameter 'input'") as caught:
        points("ad", "input=1,2", boards=["qemu-m4"])
    assert "only options of a target" in caught.value.hint
    with pytest.raises(UsageError, match="ethos-u is not run"):
        points("convs", "input=4", "ethos-u.arena_cache=1,2", boards=["qemu-m4"])
    with pytest.raises(UsageError, match="the least is 1"):
        points("convs", "input=0", boards=["qemu-m4"])
    with pytest.raises(UsageError, match="varies something"):
        points("convs", boards=["qemu-m4"])


def test_a_family_comes_before_a_model_of_its_name_where_it_is_varied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolved = resolve_model("ad")
    monkeypatch.setattr("npubench.sweep.source.load_model", lambda *_, **__: resolved)
    varied = request_of("mobilenetv2", ["input=32,64"], boards=["qemu-m4"])
    assert isinstance(varied.source, FamilySource)
    fixed = source_of("mobilenetv2", request_of("ad", ["backend=cpu"]).axes, Silent())
    assert isinstance(fixed, FixedSource)


def test_budgets() -> None:
    latency, ram = parse_budgets({"latency": "50ms", "ram": "256KiB"})
    assert (latency.limit, latency.counted, ram.limit) == (50_000, False, 262_144)
    assert parse_budgets({"latency": "2Minstr"})[0].counted
    for metric, text in (("latency", "50"), ("ram", "2mJ"), ("power", "2W")):
        with pytest.raises(UsageError):
            parse_budgets({metric: text})
