"""The published JSON Schema is the one that the code writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from npubench.runs.json_schema import json_schema, json_schema_text
from npubench.runs.schema import SCHEMA_VERSION, RunRecord

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "schemas" / "run.schema.json"


def test_the_published_schema_is_up_to_date() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == json_schema_text(), (
        "renew it: python -m npubench.runs.json_schema > docs/schemas/run.schema.json"
    )


def test_the_schema_names_its_version_and_forbids_unknown_fields() -> None:
    schema = json_schema()
    assert schema["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    assert schema["additionalProperties"] is False
    assert {"stages", "golden", "status", "evidence", "timings_s"} <= set(schema["required"])


def test_a_record_survives_json(make_record: Callable[..., RunRecord]) -> None:
    record = make_record()
    again = RunRecord.model_validate(json.loads(record.model_dump_json()))
    assert again == record
    assert isinstance(again.stages["infer"].median, int)


def test_an_unknown_field_is_an_error(make_record: Callable[..., RunRecord]) -> None:
    document = make_record().model_dump(mode="json") | {"speed": 1}
    with pytest.raises(ValidationError, match="speed"):
        RunRecord.model_validate(document)
