"""The stage contract: the same names, with the same boundaries, on every board."""

from __future__ import annotations

from enum import StrEnum

STAGE_CONTRACT_VERSION = 1


class Stage(StrEnum):
    """A stage of one inference, in the order in which it happens. See docs/numbers.md."""

    INIT_COLD = "init_cold"
    INIT_WARM = "init_warm"
    LOAD = "load"
    INFER = "infer"
    UNLOAD = "unload"
    POST = "post"
    END_TO_END = "end_to_end"
    IDLE = "idle"


BOUNDARY: dict[Stage, str] = {
    Stage.INIT_COLD: "NPU off to ready for the first input, first time after boot",
    Stage.INIT_WARM: "NPU off to ready for the first input, again",
    Stage.LOAD: "input bytes in CPU memory to where the engine reads them",
    Stage.INFER: "start to last output written, NPU and CPU layers",
    Stage.UNLOAD: "outputs to CPU memory",
    Stage.POST: "raw outputs to the answer",
    Stage.END_TO_END: "load + infer + unload + post of one repetition",
    Stage.IDLE: "nothing to do, lowest state that keeps the bench's state",
}
