"""The virtual power model: marks of an emulated board become a current.

Documented in docs/power.md. The current is constant within a stage; its values stand in the
board's file under ``[power]``, of the order of a microcontroller's, not those of any one part.
Energy from it is evidence ``modelled``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from npubench.boards import PowerModel
from npubench.power.energy.marks import IDLE, PAUSE, STAGE_OF_CODE, Mark
from npubench.power.simulators.trace import Piece, Trace

# Quiet time before the first mark and after the last one.
LEAD_S = 0.05
TAIL_S = 0.05


def model_hash(model: PowerModel) -> str:
    """SHA-256 of the model's parameters, as the record names it."""
    text = json.dumps(model.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def trace_of(
    marks: Sequence[Mark], model: PowerModel, stage_s: Mapping[str, float]
) -> tuple[Trace, float]:
    """The current of a session, and the time in it of the device's time 0.

    ``stage_s``: how long one repetition of a stage takes; a repetition of ``infer`` begins with its
    load.
    """
    pieces = [Piece(seconds=LEAD_S, current_ua=model.wait_ua)]
    now_s = 0.0
    for mark in marks:
        pieces.append(Piece(seconds=mark.up_s - now_s, current_ua=model.wait_ua))
        pieces.append(
            Piece(seconds=mark.begin_s - mark.up_s, current_ua=model.wait_ua, level=mark.code)
        )
        pieces += _work(mark, model, stage_s)
        pieces.append(
            Piece(seconds=mark.down_s - mark.end_s, current_ua=model.wait_ua, level=mark.code)
        )
        now_s = mark.down_s
    pieces.append(Piece(seconds=TAIL_S, current_ua=model.wait_ua))
    return Trace(pieces, supply_mv=model.supply_mv), LEAD_S


def _work(mark: Mark, model: PowerModel, stage_s: Mapping[str, float]) -> list[Piece]:
    total_s = mark.end_s - mark.begin_s
    if mark.code == IDLE:
        return [Piece(seconds=total_s, current_ua=model.idle_ua, level=mark.code)]
    if mark.code == PAUSE:
        return [Piece(seconds=total_s, current_ua=model.wait_ua, level=mark.code)]
    stage = STAGE_OF_CODE[mark.code]
    current_ua = model.stage_ua[stage]
    load_s = stage_s.get("load", 0.0)
    if stage != "infer" or mark.repeats * load_s >= total_s:
        return [Piece(seconds=total_s, current_ua=current_ua, level=mark.code)]
    each_s = total_s / mark.repeats - load_s
    once = [
        Piece(seconds=load_s, current_ua=model.stage_ua["load"], level=mark.code),
        Piece(seconds=each_s, current_ua=current_ua, level=mark.code),
    ]
    return once * mark.repeats
