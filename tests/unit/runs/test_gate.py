"""A gate fails by name and with the layer, passes only what it looked at, and says the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from npubench.bench.findings import NO_REFERENCE
from npubench.core.errors import ConfigError, ResultError, UsageError
from npubench.runs.gate import gate_runs, gate_sets
from npubench.runs.gate_export import junit, markdown
from npubench.runs.policy import Policy, choose_policy, parse_limit, parse_rules, read_policy
from npubench.runs.schema import FindingRecord
from npubench.runs.store import StoredRun

MakeStored = Callable[..., StoredRun]
INFER = parse_rules(["infer>2%"])


def slower(run: StoredRun, layer: int, factor: float) -> StoredRun:
    """The same run with one layer slower by ``factor``, and with it infer."""
    record = run.record
    more = 0
    layers = list(record.layers)
    value = layers[layer].value
    assert value is not None
    more = round(value * (factor - 1))
    layers[layer] = layers[layer].model_copy(update={"value": value + more})
    infer = record.stages["infer"]
    assert infer.median is not None
    stages = {**record.stages, "infer": infer.model_copy(update={"median": infer.median + more})}
    changed = record.model_copy(update={"layers": tuple(layers), "stages": stages})
    return StoredRun(path=run.path, record=changed)


def test_a_slower_layer_fails_the_gate_and_is_named(make_stored: MakeStored) -> None:
    before = make_stored()
    after = slower(before, 2, 1.1)
    gate = gate_runs(before, after, INFER)
    assert gate.status == "fail"
    (item,) = gate.pairs[0].metrics
    assert "layer 2 CONV_2D pw_1" in item.sentence
    assert "limit 2 %" in item.sentence


def test_what_is_within_the_limit_or_faster_passes(make_stored: MakeStored) -> None:
    before = make_stored()
    assert gate_runs(before, slower(before, 2, 1.01), INFER).status == "pass"
    assert gate_runs(slower(before, 2, 1.5), before, INFER).status == "pass"


def test_a_new_warning_fails_a_policy_that_does_not_accept_it(
    make_stored: MakeStored, tmp_path: Path
) -> None:
    before = make_stored()
    said = NO_REFERENCE.found(reason="TFLM is not installed").document()
    record = before.record.model_copy(update={"findings": (FindingRecord.model_validate(said),)})
    after = StoredRun(path=before.path, record=record)
    path = tmp_path / "policy.toml"
    path.write_text('schema = 1\nname = "x"\nlimits = {infer = "2%"}\n')
    (pair,) = gate_runs(before, after, read_policy(path)).pairs
    assert pair.status == "fail"
    assert "bench.no-reference (the outputs were not compared" in pair.reason
    assert pair.document()["findings"][0]["id"] == "runs.new-finding"
    assert gate_runs(after, after, read_policy(path)).status == "pass"
    assert gate_runs(before, after, INFER).status == "pass", "--fail-on says nothing of findings"
    path.write_text(
        'schema = 1\nname = "x"\naccept = ["bench.no-reference"]\nlimits = {infer = "2%"}\n'
    )
    assert gate_runs(before, after, read_policy(path)).status == "pass"
    path.write_text(path.read_text().replace("no-reference", "no-referense"))
    with pytest.raises(ConfigError, match="no-referense") as caught:
        read_policy(path)
    assert "bench.no-reference" in caught.value.hint


def test_zero_tolerance_sees_one_instruction(make_stored: MakeStored) -> None:
    before, after = make_stored(infer=1000), make_stored(infer=1001)
    assert gate_runs(before, after, parse_rules(["infer>0"])).status == "fail"
    assert gate_runs(before, after, parse_rules(["infer>+1"])).status == "pass"


def test_a_difference_that_the_data_does_not_carry_is_undecided(make_stored: MakeStored) -> None:
    def measured(infer: float) -> StoredRun:
        return make_stored(
            unit="us", evidence="measured", infer=infer, deterministic=False, boots=1
        )

    gate = gate_runs(measured(100.0), measured(110.0), INFER)
    assert gate.status == "undecided"
    assert "boots" in gate.pairs[0].metrics[0].sentence
    strict = Policy(name="strict", limits=INFER.limits, undecided="fail")
    assert gate_runs(measured(100.0), measured(110.0), strict).status == "fail"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"status": "failed"}, "failed"),
        ({"network": "another"}, "networks differ"),
        ({"evidence": "modelled", "unit": "us_modelled"}, "different evidence"),
    ],
)
def test_what_may_not_be_compared_fails(
    changes: dict[str, Any], word: str, make_stored: MakeStored
) -> None:
    gate = gate_runs(make_stored(), make_stored(**changes), INFER)
    assert gate.status == "fail"
    assert word in gate.pairs[0].reason


def test_a_required_dimension_that_differs_fails(make_stored: MakeStored) -> None:
    policy = Policy(name="p", limits=INFER.limits, same=("board",))
    gate = gate_runs(make_stored(), make_stored(board="qemu-m7"), policy)
    assert gate.status == "fail"
    assert "board" in gate.pairs[0].reason


def test_a_run_that_was_not_made_again_fails_unless_the_policy_says_so(
    make_stored: MakeStored,
) -> None:
    both = [make_stored(), make_stored(board="qemu-m7")]
    assert gate_sets(both, both[:1], INFER).status == "fail"
    lenient = Policy(name="p", limits=INFER.limits, missing="pass")
    assert gate_sets(both, both[:1], lenient).status == "undecided"
    assert gate_sets(both[:1], both, INFER).status == "undecided"


def test_of_several_runs_of_a_target_the_newest_counts(make_stored: MakeStored) -> None:
    old, new = make_stored(second=1), make_stored(second=2)
    gate = gate_sets([old], [slower(old, 2, 2.0), new], INFER)
    assert gate.pairs[0].after == new.record.run_id
    assert gate.status == "pass"


def test_sets_without_a_common_target_are_refused(make_stored: MakeStored) -> None:
    with pytest.raises(ResultError, match="no run of one set"):
        gate_sets([make_stored()], [make_stored(board="qemu-m7")], INFER)


def test_a_metric_that_is_gone_fails(make_stored: MakeStored) -> None:
    gate = gate_runs(make_stored(), make_stored(), parse_rules(["energy.infer>5%"]))
    assert gate.pairs[0].metrics[0].sentence == "energy.infer is in neither run"
    assert gate.status == "undecided"
    gate = gate_runs(make_stored(), make_stored(memory=None), parse_rules(["ram>1%"]))
    assert gate.status == "fail"
    assert "ram is gone" in gate.pairs[0].metrics[0].sentence


def test_exports_hold_the_verdict_and_no_markup_of_a_name(make_stored: MakeStored) -> None:
    before = make_stored(model="<b>|evil")
    gate = gate_runs(before, slower(before, 2, 1.2), parse_rules(["infer>2%", "ram>0"]))
    root = ElementTree.fromstring(junit(gate))
    (suite,) = root.findall("testsuite")
    assert suite.get("failures") == "1"
    assert suite.get("tests") == "2"
    text = markdown(gate)
    assert "<b>" not in text
    assert "fail" in text.splitlines()[0]
    assert "layer 2" in text


@pytest.mark.parametrize("text", ["2", "%", "two", "-1%", "2%%", "", "+", "1e3%"])
def test_a_limit_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_limit(text)


@pytest.mark.parametrize("rule", ["infer", "infer<2%", "inference>2%", ">2%", "infer>2% ram>1%"])
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    with pytest.raises(UsageError):
        parse_rules([rule])


def test_a_policy_file_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        'schema = 1\nname = "ours"\nsame = ["board", "tools"]\n'
        '[limits]\ninfer = "2%"\nram = "+64"\n'
    )
    policy = read_policy(path)
    assert policy.limits["ram"].allows(100, 164)
    assert not policy.limits["ram"].allows(100, 165)
    assert choose_policy(path, ["infer>1%"]).limits["infer"].relative == 0.01
    for text, word in (
        ('schema = 1\nname = "x"\nlimit = 1\n[limits]\ninfer = "2%"', "limit"),
        ('schema = 2\nname = "x"\n[limits]\ninfer = "2%"', "schema"),
        ('schema = 1\nname = "x"\n[limits]\ninfre = "2%"', "infre"),
        ('schema = 1\nname = "x"\n[limits]\n', "limits"),
        ("schema = ", "policy.toml"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError) as error:
            read_policy(path)
        assert word in error.value.message
