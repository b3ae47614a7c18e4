"""An accelerator on a board's model: power and clock from the board's registers, the rest from its
model in ``npu``."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from npubench.emulators.board_model.description import BitField, RegisterModel, parse_field
from npubench.emulators.board_model.peripherals import Peripherals

if TYPE_CHECKING:
    from npubench.npu.max7800x.accelerator import Range


class Attached:
    """The accelerator of ``model`` beside the board's ``peripherals``. A quadrant without power
    forgets all; without power or clock it reads 0 and takes nothing."""

    def __init__(self, model: RegisterModel, peripherals: Peripherals) -> None:
        from npubench.npu.max7800x.accelerator import Accelerator

        part = model.accelerator
        assert part is not None
        self.accelerator = Accelerator(part.part)
        self._peripherals = peripherals
        self._power = [parse_field(text, "") for text in part.power]
        self._held = [parse_field(text, "") for text in part.held]
        self._needs = model.conditions(part.needs, "")
        self._powered = 0
        self._open = False
        self.look()

    def ranges(self) -> tuple[Range, ...]:
        """Where it lies on the bus."""
        return self.accelerator.ranges()

    def look(self) -> None:
        """After each store to the board's registers: who has lost its power has forgotten."""
        powered = reduce(lambda bits, value: bits & value, self._values(self._power))
        self.accelerator.power_off(self._powered & ~powered)
        self._powered = powered
        held = reduce(lambda bits, value: bits | value, self._values(self._held), 0)
        self.accelerator.answers = powered & ~held
        self._open = self._peripherals.holds(self._needs)

    def _values(self, fields: list[BitField]) -> list[int]:
        return [self._peripherals.look(field) for field in fields]

    def read(self, address: int, size: int) -> int:
        """A load of 1, 2 or 4 bytes."""
        return self.accelerator.read(address, size) if self._open else 0

    def write(self, address: int, size: int, value: int) -> None:
        """A store. Raises AcceleratorStopped when it starts what the model cannot do."""
        if self._open:
            self.accelerator.write(address, size, value)
