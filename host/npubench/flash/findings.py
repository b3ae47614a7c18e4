"""What shows that a board is another one than was named."""

from __future__ import annotations

from typing import Final

from npubench.core.finding import Finding, Severity, Spoils

OTHER_USB: Final = Finding(
    id="flash.other-usb-device",
    severity=Severity.REFUSAL,
    meaning="the USB id at the port is that of other boards",
    remedy="name the port of the board: npubench boards detect lists them",
    spoils=Spoils.RUN,
    text="{port} is USB {usb}: that is {boards}, not {board}",
    values={"port": str, "usb": str, "boards": str, "board": str},
)
OTHER_BOARD: Final = Finding(
    id="flash.other-board",
    severity=Severity.REFUSAL,
    meaning="the firmware at the port says that it is on another board",
    remedy="name the right port; if the firmware on it is wrong, erase the board first",
    spoils=Spoils.RUN,
    text="the board at {port} says it is {says}, not {board}",
    values={"port": str, "says": str, "board": str},
)
