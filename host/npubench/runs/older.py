"""Records of older schemas, brought to today's: on reading alone, the files stay as they are."""

from __future__ import annotations

from typing import Any

from npubench.target import Place, Target


def convert(document: dict[str, Any]) -> dict[str, Any]:
    """A record of any schema that was ever written, as one of today's; others as they are."""
    if document.get("schema_version") == 1:
        return _from_1(document)
    return document


def _from_1(old: dict[str, Any]) -> dict[str, Any]:
    """Version 1 named board, kind and backend; that a model played the board, its clock said.
    The reasons of a refused capture were texts, `name: what happened`."""
    place = _place_1(old)
    new = {**old, "schema_version": 2, "place": place, "options": {}}
    if isinstance(old.get("board"), str) and isinstance(old.get("backend"), str):
        new["target"] = str(Target(board=old["board"], backend=old["backend"], place=place))
    reasons = (old.get("energy") or {}).get("reasons") or ()
    new["findings"] = [
        {
            "id": f"power.{text.partition(': ')[0]}",
            "severity": "refusal",
            "text": text.partition(": ")[2],
        }
        for text in reasons
    ]
    return new


def _place_1(old: dict[str, Any]) -> Place:
    if old.get("board_kind") == "physical":
        return Place.PHYSICAL
    said = [(old.get("clock") or {}).get("source"), (old.get("environment") or {}).get("transport")]
    if any(isinstance(text, str) and text.startswith("board model") for text in said):
        return Place.MODEL
    return Place.EMULATED
