"""The JSON Schema of run.json, derived from the record's classes.

``python -m npubench.runs.json_schema > docs/schemas/run.schema.json`` renews the published copy.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from npubench.runs.schema import SCHEMA_VERSION, RunRecord


def json_schema() -> dict[str, Any]:
    """The schema as JSON values (JSON Schema 2020-12)."""
    body = RunRecord.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"npubench run, schema version {SCHEMA_VERSION}",
        **{key: value for key, value in body.items() if key != "title"},
    }


def json_schema_text() -> str:
    """The schema as the text of the published file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(json_schema_text())
