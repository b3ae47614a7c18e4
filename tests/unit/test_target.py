"""One text for a target, printed and parsed in one place; `--set` and the place build it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npubench.bench import job as job_module
from npubench.bench.job import default_jobs, resolve_jobs
from npubench.boards import Board, load_board
from npubench.cli.main import run
from npubench.compiler import backends
from npubench.compiler.backends import Backend, Option
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Plan
from npubench.core.errors import UsageError
from npubench.target import Place, Target, own_place, parse_settings, parse_target

_NAMES = st.text("abcXYZ019_-", min_size=1, max_size=6)


@pytest.mark.parametrize(
    "text",
    [
        "qemu-m4:cpu",
        "native:cpu",
        "nucleo-l4r5zi:cpu",
        "nucleo-l4r5zi:cpu@model",
        "qemu-m55-u55:ethos-u[optimise=Size]",
        "milkv-duo:cvitek@simulator",
        "qemu-m55-u55:ethos-u[arena_cache=393216,config=a/b%20c.ini%2Cx]@simulator",
    ],
)
def test_what_is_parsed_is_printed(text: str) -> None:
    assert str(parse_target(text)) == text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    options=st.dictionaries(_NAMES, st.text(max_size=8), max_size=3), place=st.sampled_from(Place)
)
def test_what_is_printed_is_parsed(options: Mapping[str, str], place: Place) -> None:
    board = "qemu-m4" if place is Place.EMULATED else "nucleo-l4r5zi"
    target = Target(
        board=board, backend="ethos-u", place=place, options=tuple(sorted(options.items()))
    )
    assert parse_target(str(target)) == target
    assert str(target).isascii()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("qemu-m4", "is not a target"),
        ("qemu-m4:", "is not a target"),
        ("qemu-m4:cpu[]", "is not a target"),
        ("qemu-m4:cpu@moon", "no place 'moon'"),
        ("qemu-m4:cpu@model", "emulated itself"),
        ("qemu-m4:cpu@physical", "emulated itself"),
        ("nucleo-l4r5zi:cpu@emulated", "physical itself"),
        ("qemu-m5:cpu", "no board 'qemu-m5'"),
        ("qemu-m4:cpu[a]", "'a' is not an option"),
        ("qemu-m4:cpu[a=1,a=2]", "as '1' and as '2'"),
    ],
)
def test_what_is_no_target_is_said(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refusal:
        parse_target(text)
    assert refusal.value.hint


def test_a_boards_own_place_may_be_said_and_is_not_printed() -> None:
    assert str(parse_target("qemu-m4:cpu@emulated")) == "qemu-m4:cpu"
    assert own_place(load_board("native")) is Place.EMULATED


def test_the_place_of_a_job_is_where_it_runs() -> None:
    (job,) = resolve_jobs(["kws"], ["nucleo-l4r5zi"])
    assert str(job.target) == "nucleo-l4r5zi:cpu"
    (job,) = resolve_jobs(["kws"], ["nucleo-l4r5zi"], place=Place.MODEL)
    assert job.title == "kws on nucleo-l4r5zi:cpu@model"
    (job,) = resolve_jobs(["kws"], ["qemu-m4"], place=Place.MODEL)
    assert job.title == "kws on qemu-m4:cpu"
    with pytest.raises(UsageError, match="backend cpu has no simulator"):
        resolve_jobs(["kws"], ["qemu-m4"], ["cpu"], place=Place.SIMULATOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """A backend with two options, one of them free."""

    name: str = "sample"
    values: Mapping[str, str] = field(default_factory=dict)
    simulator: str = "its own"
    options: tuple[Option, ...] = (
        Option(name="optimise", help="for what", default="Speed", choices=("Size", "Speed")),
        Option(name="depth", help="how deep", default="1"),
    )

    def configured(self, values: Mapping[str, str]) -> Backend:
        if not values.get("depth", "1").isdigit():
            raise UsageError("sample.depth is no number", hint="give a number")
        return _Sample(values=values)

    def compile(self, graph: Graph, model: bytes, board: Board) -> Plan:
        raise NotImplementedError


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    real = backends.load_backend
    load = lambda name: _Sample() if name == "sample" else real(name)  # noqa: E731
    monkeypatch.setattr(backends, "load_backend", load)
    monkeypatch.setattr(job_module, "load_backend", load)
    monkeypatch.setattr(job_module, "backend_names", lambda: ("cpu", "ethos-u", "sample"))


@pytest.mark.usefixtures("sample")
def test_settings_reach_the_backend_that_they_name() -> None:
    settings = parse_settings(["sample.optimise=Size", "sample.depth=1"])
    jobs = resolve_jobs(["kws"], ["qemu-m4"], ["cpu", "sample"], settings=settings)
    assert [str(job.target) for job in jobs] == [
        "qemu-m4:cpu",
        "qemu-m4:sample[optimise=Size]",  # the default is left out
    ]
    configured = backends.configured_backend("sample", jobs[1].options)
    assert isinstance(configured, _Sample)
    assert configured.values == {"optimise": "Size"}
    (job,) = resolve_jobs(["kws"], ["qemu-m4"], ["sample"], place=Place.SIMULATOR)
    assert str(job.target) == "qemu-m4:sample@simulator"


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize(
    ("setting", "message", "hint"),
    [
        ("sample.optimize=Size", "no option 'optimize'", "did you mean optimise"),
        ("sample.optimise=Heat", "'Heat' is not possible", "Size, Speed"),
        ("sample.depth=deep", "no number", "give a number"),
        ("cpu.depth=1", "names backend 'cpu', which is not run", "sample"),
        ("sample=1", "is not a setting", "backend.option=value"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(setting: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as refusal:
        resolve_jobs(["kws"], ["qemu-m4"], ["sample"], settings=parse_settings([setting]))
    assert hint in refusal.value.hint


def test_a_backend_without_options_says_so() -> None:
    with pytest.raises(UsageError, match="has no option 'depth'"):
        default_jobs(["kws"], settings=parse_settings(["cpu.depth=1"]))


def test_one_setting_has_one_value() -> None:
    with pytest.raises(UsageError, match="as 'Size' and as 'Speed'"):
        parse_settings(["a.b=Size", "a.b=Speed"])


def test_two_places_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "kws", "--board", "nucleo-l4r5zi", "--on-model", "--on-simulator"]
    assert run(words) == UsageError.exit_code
    assert "--on-model and --on-simulator exclude each other" in capsys.readouterr().err
