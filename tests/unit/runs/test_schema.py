"""The published JSON Schema is the one that the code writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from npubench.runs.json_schema import json_schema, json_schema_text
from npubench.runs.schema import SCHEMA_VERSION, RangeRecord, RunRecord, unknown_fields
from npubench.runs.writer import RunWriter

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "schemas" / "run.schema.json"


def test_the_published_schema_is_up_to_date() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == json_schema_text(), (
        "renew it: python -m npubench.runs.json_schema > docs/schemas/run.schema.json"
    )


def test_the_schema_names_its_version_and_leaves_room_for_fields_to_come() -> None:
    schema = json_schema()
    assert schema["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    assert schema["additionalProperties"] is True
    assert {"stages", "golden", "status", "evidence", "timings_s"} <= set(schema["required"])


def test_a_record_survives_json(make_record: Callable[..., RunRecord]) -> None:
    record = make_record()
    again = RunRecord.model_validate(json.loads(record.model_dump_json()))
    assert again == record
    assert isinstance(again.stages["infer"].median, int)


def test_unknown_fields_are_kept_when_read_and_never_written_by_us(
    make_record: Callable[..., RunRecord], tmp_path: Path
) -> None:
    document = make_record().model_dump(mode="json")
    document["speed"] = 1
    document["stages"]["infer"]["joules"] = {"low": 2}
    record = RunRecord.model_validate(document)
    assert record.model_dump(mode="json") == document
    assert unknown_fields(record) == ("speed", "stages.infer.joules")
    with (
        RunWriter(tmp_path, record.run_id) as writer,
        pytest.raises(ValueError, match=r"speed, stages\.infer\.joules"),
    ):
        writer.finish(record)


@pytest.mark.parametrize("bounds", [(2, 1, 3), (1, 4, 3)])
def test_a_modelled_value_lies_within_its_bounds(bounds: tuple[int, int, int]) -> None:
    low, mid, high = bounds
    with pytest.raises(ValidationError, match="out of order"):
        RangeRecord(low=low, mid=mid, high=high)
