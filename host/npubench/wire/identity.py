"""Is the firmware that answers the one that was asked for?"""

from __future__ import annotations

from npubench.wire.answers import Caps
from npubench.wire.failure import WrongFirmware


def expect_firmware(caps: Caps, *, artifact_sha256: str, build: str | None = None) -> None:
    """Check that the firmware that answers holds this network, and is this build if given.

    ``build``: the first 16 hex digits of the project's SHA-256. Raises WrongFirmware.
    """
    if not caps.is_extended:
        raise WrongFirmware(
            f"other firmware answers: {caps.firmware}, model {caps.model}",
            hint="flash the board (npubench flash MODEL --board BOARD), or measure what it runs as "
            "it is: npubench dut --port PORT",
        )
    if caps.artifact != artifact_sha256:
        raise WrongFirmware(
            f"other firmware answers: {caps.firmware} on {caps.board} with {caps.model} "
            f"{caps.artifact[:16]}, expected network {artifact_sha256[:16]}",
            hint="flash the board again, or leave out --no-flash",
        )
    if build is not None and caps.build != build:
        raise WrongFirmware(
            f"other firmware answers: build {caps.build}, expected {build} (the network is right)",
            hint="flash the board again, or leave out --no-flash",
        )
